// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "ci/judge/environment_grade.h"
#include "ci/judge/html.h"
#include "ci/judge/ladder.h"
#include "ci/judge/report_command.h"
#include "ci/judge/svg_plot.h"
#include "tests/judge/reports.h"
#include "tests/judge/results.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Html, EscapesWhatMeansSomething) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&'</a>\x01"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;\xef\xbf\xbd");
  EXPECT_EQ(escape_script_json(R"(["</script><!--&"])"),
            R"(["\u003c/script\u003e\u003c!--\u0026"])");
}

TEST(Ladders, AreCasesThatDifferInOneKeyAlone) {
  const auto ladders = find_ladders(
      {"m/t:hash/n:16", "m/t:array/n:16", "m/t:hash/n:1024", "m/t:hash/n:4", "x/t:hash", "y"}, 2);
  ASSERT_THAT(ladders, SizeIs(2));
  EXPECT_EQ(ladders[0].name, "m/t:hash/n:*");
  EXPECT_EQ(ladders[0].key, "n");
  std::vector<std::string> values;
  for (const auto& rung : ladders[0].rungs) values.push_back(rung.value);
  EXPECT_THAT(values, ElementsAre("4", "16", "1024"));
  EXPECT_EQ(ladders[0].rungs[0].benchmark, 3u);
  EXPECT_EQ(ladders[1].name, "m/t:*/n:16");
  EXPECT_THAT(find_ladders({"a/x:1", "b/x:2", "", "/", "//:", "a:b"}, 2), IsEmpty());
}

TEST(SvgPlots, DrawEveryRowWithItsIntervalAndEscapeTheirTexts) {
  const DotPlot plot{.title = "<t>",
                     .unit = "ns",
                     .reference = 1,
                     .band = 0.5,
                     .rows = {{.label = "<a>", .value = 1, .interval = Interval{0.5, 2}},
                              {.label = "b", .value = 3}}};
  const std::string svg = dot_plot_svg(plot);
  EXPECT_THAT(svg, StartsWith("<svg "));
  EXPECT_EQ(count_of(svg, "class=\"dot\""), 2u);
  EXPECT_EQ(count_of(svg, "class=\"whisker\""), 3u);
  EXPECT_EQ(count_of(svg, "class=\"band\""), 1u);
  EXPECT_THAT(svg, Not(HasSubstr("<a>")));
  EXPECT_EQ(dot_plot_svg({}), "");
}

TEST(SvgPlots, HoldEqualHugeAndTinyValues) {
  for (const double value : {0.0, 5.0, -3.0, 1e300, 1e-300}) {
    const std::string dots =
        dot_plot_svg({.title = "t", .rows = {{.value = value}, {.value = value}}});
    const std::string time = time_svg({.title = "t", .values = {value, value, value}});
    for (const std::string& svg : {dots, time}) {
      EXPECT_THAT(svg, Not(HasSubstr("nan")));
      EXPECT_THAT(svg, Not(HasSubstr("inf")));
    }
  }
}

TEST(SvgPlots, LongSeriesAreDrawnByTheirExtremes) {
  TimePlot plot{.title = "t", .values = std::vector<double>(10'000, 5)};
  plot.values[7777] = 50;
  plot.breaks = {{.place = 5000, .text = "kernel", .tone = ""}};
  plot.changes = {{.place = 7000, .text = "slower", .tone = "worse"}};
  const std::string svg = time_svg(plot);
  EXPECT_LT(svg.size(), 40'000u);
  EXPECT_EQ(count_of(svg, "class=\"break\""), 1u);
  EXPECT_EQ(count_of(svg, "class=\"change\""), 1u);
  EXPECT_THAT(svg, HasSubstr("<title>slower</title>"));
}

ResultSet quiet_machine() {
  ResultSet result;
  result.files = {"run.json"};
  result.identity = {{"kernel.bpf.jit_enable", "1"},    {"kernel.bpf.jit_harden", "0"},
                     {"kernel.bpf.stats_enabled", "0"}, {"kernel.clock_source", "tsc"},
                     {"cpu.governor", "performance"},   {"cpu.smt_active", "0"}};
  result.stock = {{"load_avg[0]", "0.1"}, {"num_cpus", "2"}};
  result.benchmarks = {{.name = "a",
                        .metrics = {{"batches", {100}},
                                    {"disturbed_batches", {0}},
                                    {"steal_ns", {0}},
                                    {"batch_ns", {1e6}}}}};
  return result;
}

TEST(EnvironmentGrade, IsTheBestWhereNothingSpeaksAgainstIt) {
  const EnvironmentGrade grade = grade_environment(quiet_machine());
  EXPECT_EQ(grade.letter, 'A');
  for (const EnvironmentFinding& finding : grade.findings) {
    EXPECT_LT(finding.weight, Weight::kNote) << finding.subject;
  }
}

TEST(EnvironmentGrade, FallsWithEveryThingThatDisturbs) {
  struct Case {
    void (*spoil)(ResultSet&);
    char letter;
    const char* subject;
    const char* value;
  };
  const std::vector<Case> cases = {
      {[](ResultSet& r) { r.identity["cpu.governor"] = "powersave"; }, 'B', "governor",
       "powersave"},
      {[](ResultSet& r) { r.identity["cpu.smt_active"] = "1"; }, 'B', "SMT siblings", "active"},
      {[](ResultSet& r) { r.identity["cpu.hypervisor"] = "KVM"; }, 'B', "virtual machine", "KVM"},
      {[](ResultSet& r) { r.identity["kernel.bpf.stats_enabled"] = "1"; }, 'C', "BPF statistics",
       "1"},
      {[](ResultSet& r) { r.identity["kernel.bpf.jit_enable"] = "0"; }, 'C', "BPF JIT", "0"},
      {[](ResultSet& r) { r.identity["kernel.bpf.jit_harden"] = "1"; }, 'B', "JIT hardening", "1"},
      {[](ResultSet& r) { r.identity["kernel.clock_source"] = "hpet"; }, 'C', "clock source",
       "hpet"},
      {[](ResultSet& r) { r.identity.erase("cpu.governor"); }, 'A', "governor", ""},
      {[](ResultSet& r) { r.stock["load_avg[0]"] = "0.8"; }, 'B', "load", "0.40"},
      {[](ResultSet& r) { r.stock["load_avg[0]"] = "3"; }, 'C', "load", "1.50"},
      {[](ResultSet& r) { r.benchmarks[0].metrics["disturbed_batches"] = {5}; }, 'B',
       "disturbed batches", "0.0500"},
      {[](ResultSet& r) { r.benchmarks[0].metrics["steal_ns"] = {2e6}; }, 'C', "steal", "0.0200"},
      {[](ResultSet& r) { r.benchmarks[0].metrics["throttled_ns"] = {1e6}; }, 'C', "throttling",
       "1000000"},
      {[](ResultSet& r) {
         r.benchmarks[0].details.foreign_programs = {
             {.texts = {{"name", "agent"}, {"type", "xdp"}}}};
       },
       'B', "foreign BPF programs", "agent (xdp)"},
      {[](ResultSet& r) { r.identity["build.commit"] = "c0ffee-dirty"; }, 'A', "source tree",
       "uncommitted changes"},
      {[](ResultSet& r) { r.identity["dry_run"] = "true"; }, 'F', "not for judging",
       "a dry run says nothing about cost"},
      {[](ResultSet& r) { r.forced = {"forced"}; }, 'F', "not for judging", "forced"},
      {[](ResultSet& r) {
         r.identity["kernel.clock_source"] = "hpet";
         r.stock["load_avg[0]"] = "3";
       },
       'D', "clock source", "hpet"},
  };
  for (const Case& one : cases) {
    ResultSet result = quiet_machine();
    one.spoil(result);
    const EnvironmentGrade grade = grade_environment(result);
    EXPECT_EQ(grade.letter, one.letter) << one.subject;
    const auto finding =
        std::ranges::find(grade.findings, one.subject, &EnvironmentFinding::subject);
    ASSERT_NE(finding, grade.findings.end()) << one.subject;
    EXPECT_EQ(finding->value, one.value) << one.subject;
  }
}

TEST(ForeignPrograms, AreListedOnceWithTheirCases) {
  ResultSet result;
  const DetailRecord agent = {.texts = {{"name", "agent"}}}, other = {.texts = {{"name", "other"}}};
  result.benchmarks = {{.name = "a", .details = {.foreign_programs = {agent}}},
                       {.name = "b", .details = {.foreign_programs = {other, agent}}}};
  const auto programs = foreign_programs(result);
  ASSERT_THAT(programs, SizeIs(2));
  EXPECT_EQ(programs[0].program->text("name"), "agent");
  EXPECT_EQ(programs[0].cases, 2u);
  EXPECT_EQ(*programs[0].first_case, "a");
  EXPECT_EQ(programs[1].cases, 1u);
}

TEST(Report, ShowsWhatIsThere) {
  const std::string page = MadeUpReport().page();
  for (const char* const part :
       {"id=\"summary\"", "id=\"environment\"", "id=\"comparison\"", "id=\"results\"",
        "id=\"ladders\"", "id=\"latency\"", "id=\"history\"", "id=\"absences\"", "id=\"identity\"",
        "id=\"latency-table\"", "id=\"trials-table\"", "id=\"foreign-table\"",
        "failed: iqr_kept 70.0 % (limit 80 %)", "resolved; programs of others: 1", "not resolved",
        "regression", "map_lookup/type:*/access:hit", "break: kernel.release"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

// The cells of a table's row, without their markup.
std::vector<std::string> cells_of(const std::string& page, const std::string& table,
                                  const std::string& row) {
  const auto start = page.find(row, page.find("<table class=\"sortable\" id=\"" + table));
  std::vector<std::string> cells;
  const std::string line = page.substr(start, page.find("</tr>", start) - start);
  for (auto at = line.find("<td"); at != std::string::npos; at = line.find("<td", at + 1)) {
    const auto text = line.find('>', at) + 1;
    cells.push_back(line.substr(text, line.find("</td>", text) - text));
  }
  return cells;
}

TEST(Report, LatencyOverLaunchesHasMediansTotalsAndTheLargest) {
  // Six launches of 1020 samples; no p99.9, for too few samples lie above it.
  EXPECT_THAT(cells_of(MadeUpReport().page(), "latency-table", "map_lookup/type:hash/access:hit"),
              ElementsAre("6120", "1050", "1200", "8990", "&ndash;", "9000", "18"));
}

TEST(Report, TrialsAreMeansWithTheirDeviation) {
  // Two trials in each of six launches, their averages 1100 and 1200 ns; what is not there stays
  // away.
  const std::string none = "&ndash;";
  EXPECT_THAT(cells_of(MadeUpReport().page(), "trials-table", "<td>raw</td>"),
              ElementsAre("raw", "12", "510.0", "1150", "50.00", none, none, none, none, ""));
}

TEST(Report, TextOfFilesStaysText) {
  const std::string page = MadeUpReport().page();
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
  EXPECT_EQ(count_of(page, "</title><script>"), 0u);
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(Report, IsTheSameEveryTime) {
  const MadeUpReport report;
  const std::string first = report.page();
  std::ostringstream out, err;
  ASSERT_EQ(run_report({.results = {report.file("new")},
                        .compare = report.file("old"),
                        .history = report.file("h.jsonl"),
                        .out_path = report.page_path()},
                       out, err),
            0);
  EXPECT_EQ(report.page(), first);
}

TEST(Report, BadInputIsOneLineExitTwoAndLeavesNoPage) {
  TemporaryDirectory directory;
  const std::string good = directory.file("good.json"), page = directory.file("page.html");
  write_text(good, hostile_result(1).dump());
  write_text(directory.file("broken.json"), "{");
  write_text(directory.file("broken.jsonl"), "{\n");
  const std::vector<ReportOptions> all = {
      {.results = {directory.file("broken.json")}, .out_path = page},
      {.results = {good}, .compare = directory.file("absent.json"), .out_path = page},
      {.results = {good}, .history = directory.file("broken.jsonl"), .out_path = page},
      {.results = {good}, .out_path = page, .metrics = {"nonsense"}},
      {.results = {good}, .out_path = directory.file("absent/page.html")},
      {.results = {good}, .out_path = good}};
  for (const ReportOptions& options : all) {
    std::ostringstream out, err;
    EXPECT_EQ(run_report(options, out, err), 2);
    EXPECT_THAT(err.str(), StartsWith("bench report: "));
    EXPECT_EQ(std::ranges::count(err.str(), '\n'), 1) << err.str();
    EXPECT_FALSE(std::filesystem::exists(page));
  }
  EXPECT_EQ(text_of(good), hostile_result(1).dump());
}

}  // namespace
}  // namespace bpfmark
