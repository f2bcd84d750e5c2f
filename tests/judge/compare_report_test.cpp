// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_report.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "harness/console_reporter.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

const Metric kNet = {.name = "net_ns", .is_ns = true};

// One row of each verdict, something missing on each side, a skip, a forced difference.
Comparison everything() {
  ResultSet old_side = side_of({{"hook/type:<xdp>", samples_around(100)},
                                {"hook/faster", samples_around(50)},
                                {"hook/same", samples_around(10)},
                                {"hook/noisy", samples_around(30, 10, 0.2)},
                                {"hook/unresolved", {-0.1, 0.1, 0.2, -0.2, 0, 0.1}},
                                {"hook/gone", {1}}});
  ResultSet new_side = side_of({{"hook/type:<xdp>", samples_around(110)},
                                {"hook/faster", samples_around(40)},
                                {"hook/same", samples_around(10)},
                                {"hook/noisy", samples_around(31, 10, 0.2)},
                                {"hook/unresolved", {0.1, 0.1, -0.2, 0.2, 0, 0.1}}});
  old_side.path = "old";
  new_side.path = "new";
  old_side.identity = {{"build.commit", "c0ffee"}, {"cpu.model", "AMD \"EPYC\" & <co>"}};
  new_side.identity = {{"build.commit", "decade"}, {"cpu.model", "Intel|Xeon"}};
  new_side.skips["hook/kprobe"] = "absent: CONFIG_KPROBES is not set";
  old_side.skips["hook/kprobe"] = "absent: CONFIG_KPROBES is not set";
  new_side.failures["hook/broken"] = "hits 3 of 4";
  auto comparison = compare_results(old_side, new_side, {kNet}, {}, true);
  EXPECT_THAT(comparison, IsOk());
  return std::move(*comparison);
}

Comparison columns() {
  auto comparison = compare_columns(side_of({{"look/type:hash/hit", samples_around(100)},
                                             {"look/type:array/hit", samples_around(50)}}),
                                    "type", {kNet}, {});
  EXPECT_THAT(comparison, IsOk());
  return std::move(*comparison);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string line_with(const std::string& text, const std::string& part) {
  for (const std::string& line : lines_of(text)) {
    if (line.find(part) != std::string::npos) return line;
  }
  return "no line with " + part;
}

// Whether every element is closed in order, every attribute quoted, and nothing left unescaped:
// enough of XML for what is written here.
std::string xml_complaint(const std::string& text) {
  std::vector<std::string> open;
  std::size_t at = text.find('\n');  // Behind the declaration.
  while ((at = text.find('<', at)) != std::string::npos) {
    std::size_t end = at + 1;
    bool quoted = false;
    for (; end < text.size() && (quoted || text[end] != '>'); ++end) {
      if (text[end] == '<') return "a < inside of a tag";
      if (text[end] == '"') quoted = !quoted;
      if (text[end] == '&') {
        const std::string entity = text.substr(end, text.find(';', end) - end);
        if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot") {
          return "bare &";
        }
      }
    }
    if (end == text.size()) return "a tag without an end";
    const std::string tag = text.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag) return "</" + tag + "> closes nothing";
      open.pop_back();
    } else if (!tag.ends_with('/')) {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Table, StatesInputsDifferencesAndWhatWasForced) {
  const auto lines = lines_of(render(everything(), ReportFormat::kTable, {}));
  ASSERT_THAT(lines, SizeIs(Ge(4u)));
  EXPECT_EQ(lines[0], "OLD  old (10 launches; commit c0ffee, kernel unknown, libbpf unknown)");
  EXPECT_EQ(lines[1], "NEW  new (10 launches; commit decade, kernel unknown, libbpf unknown)");
  EXPECT_EQ(lines[2], "build.commit differs: 'c0ffee' | 'decade'");
  EXPECT_EQ(lines[3], "FORCED: cpu.model differs: 'AMD \"EPYC\" & <co>' | 'Intel|Xeon'");
}

TEST(Table, HasALineForEveryRowInItsOrder) {
  const std::string table = render(everything(), ReportFormat::kTable, {});
  EXPECT_EQ(line_with(table, "hook/type:<xdp>"),
            "hook/type:<xdp>                       100.0    110.0   1.100   1.095 .. 1.105 10/10"
            " 5.4e-05  +1.00    2.0 % REGRESSION");
  EXPECT_THAT(line_with(table, "hook/faster"), EndsWith("improvement"));
  EXPECT_THAT(line_with(table, "hook/same"), EndsWith("same"));
  EXPECT_THAT(line_with(table, "hook/noisy"), EndsWith("inconclusive"));
  EXPECT_THAT(line_with(table, "hook/unresolved"), AllOf(HasSubstr("0.500 ns"), EndsWith("same")));
}

TEST(Table, ExplainsWhatIsInconclusive) {
  EXPECT_THAT(line_with(render(everything(), ReportFormat::kTable, {}), "would show"),
              AllOf(StartsWith("    the interval reaches beyond the noise floor; a change of "),
                    EndsWith(" % would show")));
}

TEST(Table, StatesAReasonThatRowsShareOnce) {
  const ResultSet side = side_of({{"a", {1}}, {"b", {2}}});
  const auto comparison = compare_results(side, side, {kNet}, {}, false);
  ASSERT_THAT(comparison, IsOk());
  const std::string table = render(*comparison, ReportFormat::kTable, {});
  EXPECT_EQ(occurrences(table, "4 a side needed"), 1u);
  EXPECT_THAT(table, HasSubstr("\n2 inconclusive: 1/1 launches; 4 a side needed\n"));
}

TEST(Table, EndsWithWhatIsMissingAndTheSummary) {
  const auto lines = lines_of(render(everything(), ReportFormat::kTable, {}));
  ASSERT_THAT(lines, SizeIs(Ge(6u)));
  const std::vector<std::string> last(lines.end() - 6, lines.end() - 1);
  EXPECT_THAT(last,
              ElementsAre("missing in NEW: hook/gone (not in the result)",
                          "missing in NEW: hook/broken (failed: hits 3 of 4)",
                          "without a number: hook/kprobe (skipped: absent: CONFIG_KPROBES is not "
                          "set)",
                          "",
                          "5 rows: 1 regression, 1 improvement, 2 same, 1 inconclusive; 2 missing; "
                          "1 without a number"));
}

TEST(Table, IsNoWiderThanTheOtherTables) {
  Comparison comparison = everything();
  comparison.missing.clear();
  for (const std::string& line : lines_of(render(comparison, ReportFormat::kTable, {}))) {
    EXPECT_THAT(line, SizeIs(Le(static_cast<std::size_t>(kTableColumns)))) << line;
  }
}

TEST(Table, PutsTheNumbersOfALongNameOnTheNextLine) {
  Comparison comparison = everything();
  comparison.rows[0].name = std::string(60, 'n');
  const auto lines = lines_of(render(comparison, ReportFormat::kTable, {}));
  const auto name = std::ranges::find(lines, std::string(60, 'n'));
  ASSERT_NE(name, lines.end());
  EXPECT_THAT(*(name + 1), AllOf(StartsWith(std::string(30, ' ')), EndsWith("REGRESSION")));
}

TEST(Table, OfColumnsSpeaksOfSlowerAndFaster) {
  const std::string table = render(columns(), ReportFormat::kTable, {});
  EXPECT_THAT(lines_of(table)[0], EndsWith(", by type"));
  EXPECT_THAT(line_with(table, "look/type:hash|array/hit"), EndsWith(" faster"));
  EXPECT_THAT(table, HasSubstr("1 row: 0 worse, 1 better"));
  EXPECT_THAT(table, Not(AnyOf(HasSubstr("egression"), HasSubstr("mprovement"))));
}

TEST(Table, CutsALongListOfForcedThings) {
  Comparison comparison = everything();
  comparison.forced.assign(25, "a dry run");
  const std::string table = render(comparison, ReportFormat::kTable, {});
  EXPECT_EQ(occurrences(table, "FORCED: a dry run"), 10u);
  EXPECT_THAT(table, HasSubstr("FORCED: 15 more\n"));
}

TEST(Table, NamesTheMetricUnlessItIsNet) {
  Comparison comparison = everything();
  comparison.rows[0].metric.name = "p99_ns";
  EXPECT_THAT(render(comparison, ReportFormat::kTable, {}), HasSubstr("hook/type:<xdp> [p99_ns]"));
}

TEST(Markdown, PutsWhatChangedBeforeTheFoldAndEverythingIntoIt) {
  const std::string markdown = render(everything(), ReportFormat::kMarkdown, {});
  const std::string before = markdown.substr(0, markdown.find("<details>"));
  const std::string fold = markdown.substr(before.size());
  EXPECT_THAT(before, StartsWith("### 5 rows: 1 regression, 1 improvement"));
  EXPECT_THAT(before, HasSubstr("hook/faster | 50.0"));
  EXPECT_THAT(before, Not(HasSubstr("hook/same")));
  EXPECT_THAT(before, HasSubstr("without a number: hook/kprobe"));
  for (const char* name : {"hook/faster", "hook/same", "hook/noisy", "hook/unresolved"}) {
    EXPECT_EQ(occurrences(fold, fmt::format("| {} |", name)), 1u) << name;
  }
  EXPECT_THAT(fold, HasSubstr("</details>"));
}

TEST(Markdown, EscapesWhatWouldBeMarkup) {
  const std::string markdown = render(everything(), ReportFormat::kMarkdown, {});
  EXPECT_THAT(markdown, HasSubstr("hook/type:\\<xdp\\>"));
  EXPECT_THAT(markdown, HasSubstr("Intel\\|Xeon"));
  EXPECT_THAT(markdown, Not(HasSubstr("<xdp>")));
}

TEST(Markdown, StaysBelowTheLimitOfAJobSummary) {
  Comparison comparison = everything();
  comparison.rows.resize(20'000, comparison.rows[0]);
  const std::string markdown = render(comparison, ReportFormat::kMarkdown, {});
  EXPECT_THAT(markdown, SizeIs(Le(std::size_t{1} << 20)));
  EXPECT_THAT(markdown, HasSubstr("lines left out: too large for a summary"));
  EXPECT_THAT(markdown, HasSubstr("</details>"));
}

TEST(Json, HoldsEveryNumberOfTheComparison) {
  const json document = json::parse(render(everything(), ReportFormat::kJson, {}));
  EXPECT_EQ(document["format"], "bpfmark-comparison");
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["old"]["identity"]["build.commit"], "c0ffee");
  EXPECT_EQ(document["new"]["launches"], 10);
  EXPECT_THAT(document["forced"], SizeIs(1));
  EXPECT_EQ(document["differences"][0]["field"], "build.commit");
  ASSERT_THAT(document["rows"], SizeIs(5));
  const json& row = document["rows"][0];
  EXPECT_EQ(row["name"], "hook/type:<xdp>");
  EXPECT_EQ(row["metric"], "net_ns");
  EXPECT_EQ(row["better"], "lower");
  EXPECT_EQ(row["scale"], "ratio");
  EXPECT_EQ(row["old_n"], 10);
  EXPECT_NEAR(row["estimate"].get<double>(), 1.1, 1e-9);
  EXPECT_LT(row["estimate_lo"].get<double>(), row["estimate_hi"].get<double>());
  EXPECT_LT(row["p"].get<double>(), row["p_holm"].get<double>());
  EXPECT_EQ(row["cliffs_delta_class"], "large");
  EXPECT_EQ(row["noise_floor"], 0.02);
  EXPECT_EQ(row["verdict"], "regression");
  EXPECT_FALSE(row.contains("reason"));
  EXPECT_EQ(document["rows"][3]["verdict"], "inconclusive");
  EXPECT_TRUE(document["rows"][3].contains("minimum_detectable"));
  EXPECT_EQ(document["rows"][4]["scale"], "difference");
  EXPECT_THAT(document["missing"], SizeIs(2));
  EXPECT_THAT(document["unmeasured"], SizeIs(1));
  EXPECT_EQ(document["summary"]["regression"], 1);
  EXPECT_EQ(document["exit_status"], 1);
}

TEST(Json, LeavesOutWhatIsNotKnown) {
  const auto comparison =
      compare_results(side_of({{"x", {1}}}), side_of({{"x", {2}}}), {kNet}, {}, false);
  ASSERT_THAT(comparison, IsOk());
  const json row = json::parse(render(*comparison, ReportFormat::kJson, {}))["rows"][0];
  for (const char* key : {"estimate_lo", "p", "p_holm", "cliffs_delta", "minimum_detectable"}) {
    EXPECT_FALSE(row.contains(key)) << key;
  }
  EXPECT_EQ(row["reason"], "1/1 launches; 4 a side needed");
}

TEST(Json, NamesTheColumn) {
  const json document = json::parse(render(columns(), ReportFormat::kJson, {}));
  EXPECT_EQ(document["column"], "type");
  EXPECT_EQ(document["rows"][0]["old_label"], "hash");
  EXPECT_EQ(document["rows"][0]["new_label"], "array");
}

// Cells of one line, with the quotes taken off.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && line[i + 1] == '"') {
      cells.back() += line[i++];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  return cells;
}

TEST(Csv, HasTheSameColumnsInEveryLine) {
  Comparison comparison = everything();
  comparison.rows[2].name = "a \"quoted\", name";
  const auto lines = lines_of(render(comparison, ReportFormat::kCsv, {}));
  ASSERT_THAT(lines, SizeIs(1 + 5 + 2 + 1));
  const auto head = cells_of(lines[0]);
  const auto verdict = std::ranges::find(head, "verdict") - head.begin();
  std::vector<std::string> verdicts;
  for (const std::string& line : lines) {
    const auto cells = cells_of(line);
    ASSERT_EQ(cells.size(), head.size()) << line;
    verdicts.push_back(cells[static_cast<std::size_t>(verdict)]);
  }
  EXPECT_THAT(verdicts, ElementsAre("verdict", "regression", "improvement", "same", "inconclusive",
                                    "same", "missing", "missing", "unmeasured"));
  EXPECT_EQ(cells_of(lines[3])[0], "a \"quoted\", name");
  EXPECT_EQ(cells_of(lines[1])[6], "100");
}

TEST(Junit, IsWellFormedXml) {
  EXPECT_EQ(xml_complaint(render(everything(), ReportFormat::kJunit, {})), "");
  EXPECT_EQ(xml_complaint(render(columns(), ReportFormat::kJunit, {})), "");
}

TEST(Junit, HasOneTestcaseForEverything) {
  const std::string junit = render(everything(), ReportFormat::kJunit, {});
  EXPECT_THAT(junit,
              HasSubstr("<testsuites tests=\"8\" failures=\"3\" errors=\"0\" skipped=\"2\">"));
  EXPECT_EQ(occurrences(junit, "<testcase "), 8u);
  EXPECT_EQ(occurrences(junit, "<failure "), 3u);
  EXPECT_EQ(occurrences(junit, "<skipped "), 2u);
  EXPECT_THAT(
      line_with(junit, "hook/type"),
      AllOf(HasSubstr("classname=\"hook\" name=\"hook/type:&lt;xdp&gt;\""),
            HasSubstr("<failure message=\"regression: ratio 1.1 [1.0"), HasSubstr(", p 5")));
  EXPECT_THAT(line_with(junit, "hook/noisy"), HasSubstr("<skipped message=\"the interval"));
  EXPECT_THAT(line_with(junit, "hook/gone"),
              HasSubstr("<failure message=\"no number in NEW: not in the result\""));
  EXPECT_THAT(line_with(junit, "hook/kprobe"), HasSubstr("<skipped message=\"skipped: absent"));
  EXPECT_THAT(line_with(junit, "\"forced\""), HasSubstr("AMD &quot;EPYC&quot; &amp; &lt;co&gt;"));
}

TEST(Junit, ExcusesWhatMayBeMissingButNoFailure) {
  const std::string junit = render(everything(), ReportFormat::kJunit, {.allow_missing = true});
  EXPECT_THAT(line_with(junit, "hook/gone"), HasSubstr("<skipped "));
  EXPECT_THAT(line_with(junit, "hook/broken"), HasSubstr("<failure "));
}

TEST(Junit, OfColumnsHasNoFailure) {
  auto comparison = compare_columns(side_of({{"look/type:hash/hit", samples_around(50)},
                                             {"look/type:array/hit", samples_around(100)}}),
                                    "type", {kNet}, {});
  ASSERT_THAT(comparison, IsOk());
  EXPECT_EQ(comparison->rows[0].change, Change::kRegression);
  EXPECT_THAT(render(*comparison, ReportFormat::kJunit, {}), HasSubstr("failures=\"0\""));
}

}  // namespace
}  // namespace bpfmark
