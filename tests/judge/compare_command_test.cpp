// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/judge/environment.h"
#include "tests/judge/results.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A stream to a full disk: takes what fits the buffer and then nothing.
class FullDisk : public std::streambuf {};

class CompareCommand : public ::testing::Test {
 protected:
  // Ten launches of two benchmarks; "x" costs `x_ns`.
  std::string side(const std::string& name, double x_ns,
                   const ordered_json& base = empty_result()) {
    const std::filesystem::path path = directory_.path() / name;
    std::filesystem::create_directory(path);
    const auto x = samples_around(x_ns), y = samples_around(50);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ordered_json result = base;
      result["benchmarks"].push_back(
          entry_of("x/type:hash", {{"net_ns", x[i]}, {"jited_bytes", 555}}));
      result["benchmarks"].push_back(
          entry_of("x/type:array", {{"net_ns", y[i]}, {"jited_bytes", 555}}));
      write_text((path / (std::to_string(i) + ".json")).string(), result.dump(2));
    }
    return path.string();
  }

  int run(const CompareOptions& options) {
    out_.str("");
    err_.str("");
    return run_compare(options, out_, err_);
  }

  // As from the command line; -1 if that could not be parsed.
  int run_line(std::vector<std::string> arguments) {
    CLI::App app("test", "bench");
    const auto compare = add_compare_command(app);
    std::ranges::reverse(arguments);
    arguments.emplace_back("compare");
    try {
      app.parse(arguments);
    } catch (const CLI::ParseError& error) {
      err_.str(error.what());
      return -1;
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int status = app.got_subcommand("compare") ? compare.run() : -1;
    out_.str(testing::internal::GetCapturedStdout());
    err_.str(testing::internal::GetCapturedStderr());
    return status;
  }

  TemporaryDirectory directory_;
  std::ostringstream out_, err_;
};

TEST_F(CompareCommand, EndsWith0WhereNothingGotWorse) {
  EXPECT_EQ(run({.inputs = {side("a", 100), side("b", 100)}}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("2 rows: 0 regressions, 0 improvements, 2 same"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(CompareCommand, EndsWith1AtARegression) {
  EXPECT_EQ(run({.inputs = {side("a", 100), side("b", 110)}}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("REGRESSION"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(CompareCommand, EndsWith2AtBadInputAndSaysWhere) {
  const std::string good = side("a", 100), bad = directory_.file("bad.json");
  write_text(bad, "{\n  \"context\": NaN\n}\n");
  EXPECT_EQ(run({.inputs = {good, bad}}), 2);
  EXPECT_THAT(out_.str(), IsEmpty());
  EXPECT_THAT(err_.str(), AllOf(StartsWith("bench compare: " + bad + ": parse error at line 2, "),
                                EndsWith("\n")));
  EXPECT_EQ(run({.inputs = {bad, good}}), 2);
  EXPECT_EQ(run({.inputs = {good, directory_.file("absent.json")}}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("absent.json: No such file"));
}

TEST_F(CompareCommand, EndsWith2AtIncomparableInputsUnlessForced) {
  ordered_json other = empty_result();
  other["context"]["bpfmark"]["kernel"]["bpf"]["jit_harden"] = "2";
  const std::vector<std::string> inputs = {side("a", 100), side("b", 100, other)};
  EXPECT_EQ(run({.inputs = inputs}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("kernel.bpf.jit_harden differs: '0' | '2'"));
  EXPECT_EQ(run({.inputs = inputs, .force = true}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("FORCED: kernel.bpf.jit_harden differs: '0' | '2'"));
}

TEST_F(CompareCommand, EndsWith3AtAnInconclusiveRowOnlyIfStrict) {
  const std::string one = directory_.file("one.json");
  write_text(one, result_of({{"x", {{"net_ns", 1}}}}).dump());
  EXPECT_EQ(run({.inputs = {one, one}}), 0);
  EXPECT_EQ(run({.inputs = {one, one}, .exit_rules = {.strict = true}}), 3);
  EXPECT_THAT(out_.str(), HasSubstr("1/1 launches; 4 a side needed"));
}

TEST_F(CompareCommand, EndsWith2AtAWrongNumberOfInputs) {
  const std::string a = side("a", 100);
  for (const CompareOptions& options :
       {CompareOptions{}, CompareOptions{.inputs = {a}}, CompareOptions{.inputs = {a, a, a}},
        CompareOptions{.inputs = {a, a}, .column_key = "type"},
        CompareOptions{.inputs = {a, a}, .baseline = "main"},
        CompareOptions{.inputs = {a}, .column_key = "type", .baseline = "main"}}) {
    EXPECT_EQ(run(options), 2);
    EXPECT_THAT(err_.str(), HasSubstr("'bench compare --help' explains"));
  }
}

TEST_F(CompareCommand, ComparesSeveralMetricsButEachOnce) {
  const std::vector<std::string> inputs = {side("a", 100), side("b", 100)};
  EXPECT_EQ(run({.inputs = inputs, .metrics = {"net", "jited_bytes", "net_ns", "raw"}}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("6 rows"), HasSubstr("x/type:hash [jited_bytes]"),
                                HasSubstr("x/type:hash [real_time]")));
  EXPECT_EQ(run({.inputs = inputs, .metrics = {"net", "ops"}}), 2);
  EXPECT_EQ(run({.inputs = inputs, .metrics = {"p99"}}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("no benchmark has p99_ns; its metrics are real_time"));
}

TEST_F(CompareCommand, ComparesColumnsOfOneInput) {
  EXPECT_EQ(run({.inputs = {side("a", 100)}, .column_key = "type"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("x/type:hash|array"));
}

TEST_F(CompareCommand, WritesTheReportToAFileAndTheTableToTheTerminal) {
  const std::string path = directory_.file("report.json");
  EXPECT_EQ(run({.inputs = {side("a", 100), side("b", 110)},
                 .format = ReportFormat::kJson,
                 .out_path = path}),
            1);
  EXPECT_EQ(ordered_json::parse(text_of(path))["exit_status"], 1);
  EXPECT_THAT(out_.str(), StartsWith("OLD  "));
}

TEST_F(CompareCommand, EndsWith2WhereTheReportCannotBeWritten) {
  const std::vector<std::string> inputs = {side("a", 100), side("b", 100)};
  EXPECT_EQ(run({.inputs = inputs, .out_path = directory_.file("absent/report.md")}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("absent/report.md"));
  FullDisk full;
  std::ostream out(&full);
  EXPECT_EQ(run_compare({.inputs = inputs}, out, err_), 2);
  EXPECT_THAT(err_.str(), HasSubstr("standard output"));
}

TEST_F(CompareCommand, DoesNotWriteOverAnInput) {
  const std::string a = side("a", 100), input = a + "/3.json", before = text_of(input);
  EXPECT_EQ(run({.inputs = {a, a}, .out_path = input}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("this is one of the inputs"));
  EXPECT_EQ(text_of(input), before);
}

TEST_F(CompareCommand, KeepsABaselineAndComparesWithIt) {
  const EnvironmentVariable data("XDG_DATA_HOME", directory_.file("data"));
  const std::string slow = side("slow", 110);
  EXPECT_EQ(run({.inputs = {side("fast", 100)}, .save_baseline = "main"}), 0);
  EXPECT_EQ(out_.str(), "baseline 'main': 10 launches\n");
  EXPECT_EQ(run({.inputs = {slow}, .baseline = "main"}), 1);
  EXPECT_EQ(run({.inputs = {slow}, .save_baseline = "main"}), 0);
  EXPECT_EQ(run({.inputs = {slow}, .baseline = "main"}), 0);
  EXPECT_EQ(run({.inputs = {slow}, .baseline = "other"}), 2);
  EXPECT_EQ(run({.inputs = {slow}, .baseline = "../other"}), 2);
}

TEST_F(CompareCommand, KeepsNoBaselineThatCouldNotBeCompared) {
  ordered_json dry = empty_result();
  dry["context"]["bpfmark"]["dry_run"] = true;
  EXPECT_EQ(run({.inputs = {side("dry", 100, dry)}, .save_baseline = "main"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("dry run"));
}

TEST_F(CompareCommand, IsReachedFromTheCommandLine) {
  const std::string a = side("a", 100), b = side("b", 103);
  EXPECT_EQ(run_line({a, b}), 1);
  EXPECT_EQ(run_line({a, b, "--threshold=5%"}), 0);
  EXPECT_EQ(run_line({a, b, "--threshold=0.05"}), 0);
  EXPECT_EQ(run_line({a, b, "--floor-ns=5"}), 0);
  EXPECT_EQ(run_line({a, b, "--alpha=0.00001"}), 0);
  EXPECT_EQ(run_line({"--metric=jited_bytes", "--metric", "raw", a, b, "--strict"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("[jited_bytes]"), HasSubstr("[real_time]")));
  EXPECT_THAT(out_.str(), HasSubstr("4 rows: "));  // Not net as well.
  EXPECT_EQ(run_line({a, "--col=type", "--format=csv"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("name,metric,"));
  EXPECT_EQ(run_line({a}), 2);
}

TEST_F(CompareCommand, RefusesBadValuesOnTheCommandLine) {
  for (const char* bad : {"--threshold=x", "--threshold=-1%", "--threshold=100%", "--threshold=2%%",
                          "--threshold=", "--floor-ns=-1", "--floor-ns=x", "--alpha=0",
                          "--alpha=0.9", "--format=xml", "--unknown"}) {
    EXPECT_EQ(run_line({"a", "b", bad}), -1) << bad;
  }
}

}  // namespace
}  // namespace bpfmark
