// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "ci/judge/export_cases.h"
#include "ci/judge/export_command.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kGolden = BPFMARK_GOLDEN_DIRECTORY "/export/";

ExportInput input_of(const ordered_json& document, const std::string& path = "run.json") {
  std::istringstream in(document.dump());
  Result<Launch> launch = parse_rows(in, path);
  EXPECT_TRUE(launch.has_value()) << (launch ? "" : launch.error().what);
  ExportInput input{.trial_clock = "caller"};
  input.launches.push_back(launch ? std::move(*launch) : Launch{});
  return input;
}

ordered_json hostile_result() { return ordered_json::parse(text_of(kGolden + "result.json")); }

const ExportFormat& format(std::string_view name) {
  return *std::ranges::find(export_formats(), name, &ExportFormat::name);
}

ordered_json resolved(const std::string& name, double net_ns, int repetition = 0) {
  ordered_json entry = entry_of(
      name, {{"net_ns", net_ns}, {"net_lo_ns", net_ns - 1}, {"net_hi_ns", net_ns + 1}}, repetition);
  entry["verdict"] = "resolved";
  return entry;
}

// --- golden files: the formats are public

class ExportGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(ExportGolden, IsWrittenAsEver) {
  const ExportInput input = input_of(hostile_result(), "result.json");
  const Result<std::string> text = format(GetParam()).render(input);
  ASSERT_TRUE(text.has_value()) << text.error().what;
  EXPECT_EQ(*text, text_of(kGolden + GetParam() + ".txt"))
      << "If the change is on purpose, from the top of the checkout:\n  (cd tests/golden/export && "
         "../../../build/release/bench export --format="
      << GetParam() << " result.json -o " << GetParam() << ".txt)";
}

std::vector<std::string> format_names() {
  std::vector<std::string> names;
  for (const ExportFormat& f : export_formats()) names.emplace_back(f.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Formats, ExportGolden, ::testing::ValuesIn(format_names()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// --- what a tracker may see

TEST(ExportedCases, AreMediansOverRepetitionsUnderTheStableName) {
  ordered_json result = empty_result();
  for (int i = 0; i < 3; ++i) result["benchmarks"].push_back(resolved("a", 10 + 10 * i, i));
  ordered_json mean = resolved("a_mean", 1);
  mean["run_type"] = "aggregate";
  result["benchmarks"].push_back(mean);
  const ExportInput input = input_of(result);
  const ExportedCases exported = exported_cases(input.launches.front());
  ASSERT_THAT(exported.cases, SizeIs(1));
  EXPECT_EQ(exported.cases[0].name, "a");
  EXPECT_EQ(exported.cases[0].repetitions, 3u);
  EXPECT_EQ(exported.cases[0].net_ns, 20);
  EXPECT_EQ(exported.cases[0].net_lo_ns, 19);
  EXPECT_EQ(exported.cases[0].raw_ns, 12.5);
}

TEST(ExportedCases, LeaveOutWhatIsNoFinding) {
  ordered_json result = empty_result();
  result["benchmarks"].push_back(resolved("fine", 10));
  result["benchmarks"].push_back(resolved("zero", 0));
  result["benchmarks"].push_back(resolved("negative", -3));
  result["benchmarks"].push_back(entry_of("no_net", {}));
  for (const char* verdict : {"not resolved", "disturbed"}) {
    result["benchmarks"].push_back(resolved(verdict, 10, 0));
    result["benchmarks"].push_back(resolved(verdict, 10, 1));
    result["benchmarks"].back()["verdict"] = verdict;
  }
  const ExportInput input = input_of(result);
  const ExportedCases exported = exported_cases(input.launches.front());
  ASSERT_THAT(exported.cases, SizeIs(1));
  EXPECT_EQ(exported.cases[0].name, "fine");
  std::vector<std::string> reasons;
  for (const Absence& absence : exported.left_out) reasons.push_back(absence.reason);
  EXPECT_THAT(reasons, ElementsAre("net is not above 0", "net is not above 0", "no net_ns",
                                   "not resolved", "disturbed"));
}

TEST(ExportedCases, OfGoogleBenchmarksOwnErrorsAndSkipsAreNone) {
  ordered_json result = empty_result();
  result["benchmarks"].push_back(resolved("fine", 10));
  for (const char* what : {"error_occurred", "skipped"}) {
    ordered_json entry = resolved(what, 0);
    entry["real_time"] = 0;
    entry[what] = true;
    result["benchmarks"].push_back(entry);
  }
  const ExportInput input = input_of(result);
  for (const char* name : {"benchfmt", "github-action", "bencher", "otava"}) {
    const Result<std::string> text = format(name).render(input);
    ASSERT_TRUE(text.has_value());
    EXPECT_THAT(*text, AllOf(Not(HasSubstr("error_occurred")), Not(HasSubstr("skipped")))) << name;
  }
}

ordered_json dated(const std::string& date, const std::vector<ordered_json>& entries) {
  ordered_json result = empty_result();
  result["context"]["date"] = date;
  for (const ordered_json& entry : entries) result["benchmarks"].push_back(entry);
  return result;
}

TEST(ExportOtava, RowsAreInTheOrderOfTimeAndWithoutGaps) {
  ExportInput input = input_of(
      dated("2026-01-02T00:00:00+00:00", {resolved("a", 5), resolved("b", 6), resolved("c", 7)}));
  input.launches.push_back(
      input_of(dated("2026-01-02T00:30:00+01:00", {resolved("c", 8), resolved("a", 9)}))
          .launches.front());
  EXPECT_THAT(export_otava(input), IsOkAndHolds("time,commit,\"a\",\"c\"\n"
                                                "\"2026-01-02T00:30:00+01:00\",\"c0ffee\",9,8\n"
                                                "\"2026-01-02T00:00:00+00:00\",\"c0ffee\",5,7\n"));
  input.launches.push_back(
      input_of(dated("2026-01-03T00:00:00+00:00", {resolved("d", 1)})).launches.front());
  EXPECT_THAT(export_otava(input),
              ErrorIs(ErrorKind::kWrongResult,
                      "run.json: nothing to export: no case is resolved in every result"));
}

TEST(ExportOtava, RefusesAResultWithoutATime) {
  EXPECT_THAT(export_otava(input_of(dated("yesterday", {resolved("a", 5)}))),
              ErrorIs(ErrorKind::kWrongResult, "run.json: context.date is no time: 'yesterday'"));
}

TEST(ExportTrackers, NothingToTellIsAnErrorNotAnEmptyList) {
  ordered_json unresolved = resolved("a", 5);
  unresolved["verdict"] = "not resolved";
  const ExportInput input = input_of(dated("2026-01-02T00:00:00+00:00", {unresolved}));
  for (const char* const name : {"github-action", "bencher"}) {
    EXPECT_THAT(format(name).render(input),
                ErrorIs(ErrorKind::kWrongResult,
                        "run.json: nothing to export: of 1 cases none is resolved with a net above "
                        "0"))
        << name;
  }
}

TEST(ExportBenchfmt, TakesTheLabelOfTheFileBeforeAway) {
  ordered_json result = empty_result(), labelled = result;
  labelled["context"]["bpfmark"]["label"] = "before";
  for (ordered_json* r : {&result, &labelled}) (*r)["benchmarks"].push_back(resolved("a/b:c", 5));
  ExportInput input = input_of(labelled);
  input.launches.push_back(input_of(result).launches.front());
  const auto text = export_benchfmt(input);
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, HasSubstr("label: before\nBenchmarkA/b=c 4096 12.5 ns/op 5 net-ns/op\n"));
  EXPECT_THAT(*text, HasSubstr("label:\nBenchmarkA/b=c"));
}

TEST(ExportMarkdown, IsCutBeforeGithubDropsIt) {
  ordered_json result = empty_result();
  for (int i = 0; i < 12000; ++i) {
    result["benchmarks"].push_back(resolved("case/" + std::string(60, 'x') + std::to_string(i), 5));
  }
  const auto text = export_markdown(input_of(result));
  ASSERT_TRUE(text.has_value());
  EXPECT_LT(text->size(), 1'000'100u);
  EXPECT_THAT(*text, HasSubstr("left out: too large for a summary"));
}

TEST(RunTime, IsThatOfTheFileInUtc) {
  Launch launch;
  const auto time = [&launch](const char* date) {
    launch.stock["date"] = date;
    return run_time_s(launch);
  };
  EXPECT_EQ(time("1970-01-02T00:00:00+00:00"), 86400);
  EXPECT_EQ(time("1970-01-02T00:00:00-01:30"), 86400 + 5400);
  for (const char* bad : {"", "yesterday", "1970-01-02", "1970-01-02T00:00:00Z"}) {
    EXPECT_EQ(time(bad), std::nullopt) << bad;
  }
}

TEST(ValueOfKey, IsFoundAnywhereInTheName) {
  EXPECT_EQ(value_of_key("x/call:openat/monitor:none", "call"), "openat");
  EXPECT_EQ(value_of_key("x/call:openat/monitor:none", "monitor"), "none");
  EXPECT_EQ(value_of_key("x/recall:openat", "call"), std::nullopt);
  EXPECT_EQ(value_of_key("x/call", "call"), std::nullopt);
}

// --- trials of system calls

ordered_json trials_of(const std::string& name, std::vector<double> averages) {
  ordered_json entry = resolved(name, 10);
  for (const double avg : averages) {
    entry["trials"].push_back({{"trial", 1},
                               {"clock", "caller"},
                               {"filter", "raw"},
                               {"avg_ns", avg},
                               {"p50_ns", avg},
                               {"count", 8}});
  }
  return entry;
}

ordered_json labelled_result(const std::string& label, const std::vector<ordered_json>& entries) {
  ordered_json result = empty_result();
  if (!label.empty()) result["context"]["bpfmark"]["label"] = label;
  for (const ordered_json& entry : entries) result["benchmarks"].push_back(entry);
  return result;
}

TEST(ExportSyscallCsv, MonitorsOfOursAreConditionsOfTheirOwn) {
  const auto rows = [](const std::string& label, const std::vector<ordered_json>& entries) {
    return export_syscall_csv(input_of(labelled_result(label, entries))).value_or("refused");
  };
  const ordered_json none = trials_of("l/call:openat/monitor:none", {7}),
                     ours = trials_of("l/call:openat/monitor:tp_count", {8}),
                     external = trials_of("l/call:openat/monitor:external", {9});
  EXPECT_THAT(rows("", {none, ours}), AllOf(HasSubstr("\nvanilla,openat,1,raw,7,7,,,,8,\n"),
                                            HasSubstr("\ntp_count,openat,1,raw,8,8,,,,8,\n")));
  EXPECT_THAT(rows("falco", {none}), HasSubstr("\nfalco,openat,1,raw,7,"));
  EXPECT_THAT(
      rows("falco", {none, ours, external}),
      AllOf(HasSubstr("\nfalco/none,openat,1,raw,7,"),
            HasSubstr("\nfalco/tp_count,openat,1,raw,8,"), HasSubstr("\nfalco,openat,1,raw,9,")));
}

TEST(ExportSyscallCsv, NumbersTrialsOverRepetitions) {
  ordered_json second = trials_of("l/call:read", {3});
  second["repetition_index"] = 1;
  const auto text = export_syscall_csv(
      input_of(labelled_result("x", {second, trials_of("l/call:read", {1, 2})})));
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, HasSubstr("x,read,1,raw,1,1,,,,8,\nx,read,2,raw,2,2,,,,8,\nx,read,3,raw,3,"));
}

TEST(ExportSyscallCsv, RefusesCasesThatItCouldNotTellApart) {
  const auto text = export_syscall_csv(input_of(
      labelled_result("x", {trials_of("a/call:read", {1}), trials_of("b/call:read", {1})})));
  EXPECT_THAT(text, ErrorIs(ErrorKind::kWrongResult,
                            "run.json: a/call:read and run.json: b/call:read would both be label "
                            "'x', syscall 'read': give the runs a --label each"));
}

TEST(ExportSyscallCsv, RefusesAResultWithoutTrialsOfThatClock) {
  ExportInput input = input_of(labelled_result("x", {trials_of("a/call:read", {1})}));
  input.trial_clock = "kernel";
  EXPECT_THAT(export_syscall_csv(input),
              ErrorIs(ErrorKind::kWrongResult,
                      "run.json: no case has trials of a system call by the clock 'kernel'"));
}

TEST(ExportSyscallStats, AreMeanAndPopulationDeviationOverTheTrials) {
  const auto text =
      export_syscall_stats(input_of(labelled_result("x", {trials_of("a/call:read", {1, 2, 6})})));
  ASSERT_TRUE(text.has_value());
  // Deviation: sqrt((4 + 1 + 9) / 3). No trial has a p99.
  EXPECT_THAT(*text, HasSubstr("\nx,read,3,raw,3.0,2.2,,,3.0,2.2,8.0,0.0\n"));
}

// --- hdr

TEST(ExportHdr, RefusesBucketsThatAreNotItsOwnAndResultsWithoutAny) {
  ordered_json entry = resolved("a", 10);
  entry["histograms"] = {{{"name", "caller"}, {"buckets", {{2049, 2050, 3}}}}};
  EXPECT_THAT(export_hdr(input_of(labelled_result("", {entry}))),
              ErrorIs(ErrorKind::kWrongResult,
                      "run.json: a: histogram 'caller': [2049, 2050) is no bucket of 3 digits"));
  EXPECT_THAT(export_hdr(input_of(labelled_result("", {resolved("a", 10)}))),
              ErrorIs(ErrorKind::kWrongResult, "run.json: no case has a histogram"));
}

// --- the command

class ExportCommand : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const ordered_json& document) {
    write_text(directory_.file(name), document.dump(2));
    return directory_.file(name);
  }
  int run(const ExportOptions& options) {
    out_.str("");
    err_.str("");
    return run_export(options, out_, err_);
  }

  TemporaryDirectory directory_;
  std::ostringstream out_, err_;
};

TEST_F(ExportCommand, SaysWhatATrackerWasNotTold) {
  const std::string path = file("run.json", hostile_result());
  EXPECT_EQ(run({.format = "bencher", .inputs = {path}}), 0);
  EXPECT_EQ(err_.str(), "note: " + path + ": 2 not resolved or disturbed, 3 skipped, 1 failed\n");
  EXPECT_EQ(run({.format = "csv", .inputs = {path}}), 0);
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(ExportCommand, SaysWhichCasesAreNotInEveryResult) {
  const std::string first = file("1.json", dated("2026-01-02T00:00:00+00:00",
                                                 {resolved("a", 5), resolved("b", 5)})),
                    second = file("2.json", dated("2026-01-03T00:00:00+00:00", {resolved("a", 5)}));
  EXPECT_EQ(run({.format = "otava", .inputs = {first, second}}), 0);
  EXPECT_EQ(err_.str(), "note: left out, for not every result has them: 1, as 'b'\n");
}

TEST_F(ExportCommand, RefusesBadInputAndWritesNothing) {
  const std::string out = directory_.file("out"), good = file("good.json", hostile_result());
  const std::string bad = directory_.file("bad.json");
  write_text(bad, "{\"context\": {}");
  for (const std::vector<std::string>& inputs :
       {std::vector{bad}, {directory_.file("absent")}, {}, {good, good}}) {
    EXPECT_EQ(run({.format = "bencher", .inputs = inputs, .out_path = out}), 2);
    EXPECT_THAT(err_.str(), testing::StartsWith("bench export: "));
    EXPECT_EQ(std::ranges::count(err_.str(), '\n'), 1);
    EXPECT_FALSE(std::filesystem::exists(out));
  }
  EXPECT_EQ(run({.format = "no-such", .inputs = {good}}), 2);
  EXPECT_EQ(run({.format = "csv", .inputs = {good}, .out_path = directory_.file("no/such")}), 2);
  EXPECT_EQ(run({.format = "csv", .inputs = {good}, .out_path = good}), 2);
  EXPECT_EQ(nlohmann::ordered_json::parse(text_of(good)), hostile_result());
}

TEST_F(ExportCommand, RefusesADryRunUnlessForcedAndThenSaysSo) {
  ordered_json result = hostile_result();
  result["context"]["bpfmark"]["dry_run"] = true;
  const std::string path = file("run.json", result);
  EXPECT_EQ(run({.format = "markdown", .inputs = {path}}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("a dry run says nothing about cost (--force takes it"));
  EXPECT_EQ(run({.format = "markdown", .inputs = {path}, .force = true}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("FORCED: "));
}

}  // namespace
}  // namespace bpfmark
