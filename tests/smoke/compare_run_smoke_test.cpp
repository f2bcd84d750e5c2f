// SPDX-License-Identifier: BSD-2-Clause
// `bench compare --run` with the program itself on both sides.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/smoke/bench_program.h"
#include "tests/support/leak_check.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kFilter = "--benchmark_filter=hook_entry/type:(xdp|tc)/body:empty";

// Same program, few and short launches: what is looked at is the way, not the numbers.
std::vector<std::string> arguments(std::vector<std::string> options) {
  std::vector<std::string> all = {"compare", "--run", bench_path(), bench_path(), "--launches=4"};
  all.insert(all.end(), options.begin(), options.end());
  all.insert(all.end(), {"--", kFilter, "--loads=1"});
  return all;
}

TEST(CompareRunSmoke, SameProgramIsNoRegressionAndItsLaunchesAreKept) {
  BPFMARK_NEEDS_BPF();
  BPFMARK_NEEDS_TIMES();
  const TemporaryDirectory directory;
  const std::string kept = directory.file("kept"), report = directory.file("report.json");
  const ProcessResult result =
      run_bench(arguments({"--keep=" + kept, "--format=json", "--output=" + report}));
  ASSERT_THAT(result, ExitsWith(0));
  const nlohmann::json document = parsed_file(report);
  ASSERT_THAT(document["rows"], SizeIs(2));
  for (const auto& row : document["rows"]) {
    EXPECT_EQ(row["old_n"], 8);
    EXPECT_EQ(row["new_n"], 4);
    EXPECT_GT(row["noise_aa"], 0);
  }
  // One CPU, one order of cases in the n-th launch of every arm, another in every round.
  for (int launch = 0; launch < 4; ++launch) {
    std::vector<nlohmann::json> seeds, cpus;
    for (const char* arm : {"old", "old-again", "new"}) {
      const auto identity =
          parsed_file(fmt::format("{}/{}/{:03}.json", kept, arm, launch))["context"]["bpfmark"];
      seeds.push_back(identity["order_seed"]);
      cpus.push_back(identity["pinned_cpu"]);
    }
    EXPECT_THAT(seeds, Each(1 + launch));
    EXPECT_THAT(cpus, Each(cpus.front()));
  }
  EXPECT_THAT(run_bench({"compare", "--kept=" + kept}), ExitsWith(0));
}

TEST(CompareRunSmoke, InjectedSlowdownIsFoundAndConfirmed) {
  BPFMARK_NEEDS_BPF();
  BPFMARK_NEEDS_TIMES();
  const ProcessResult result = run_bench(arguments({"--inject=10"}));
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, AllOf(HasSubstr("--inject=10"), HasSubstr("2 regressions"),
                                HasSubstr("confirmed by fresh launches")));
}

TEST(CompareRunSmoke, CommandsAroundTheLaunchesAndTheirLabels) {
  BPFMARK_NEEDS_BPF();
  BPFMARK_NEEDS_TIMES();
  const TemporaryDirectory directory;
  const std::string events = directory.file("events"), kept = directory.file("kept");
  const ProcessResult result = run_bench(
      {"compare", "--run-label", "plain=true", "busy=echo on >>" + events, "--undo",
       "busy=echo off >>" + events, "--launches=4", "--keep=" + kept, "--", kFilter, "--loads=1"});
  ASSERT_THAT(result, ExitsWith(0));
  std::ifstream file(events);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(text, "on\noff\non\noff\non\noff\non\noff\n");
  EXPECT_EQ(parsed_file(kept + "/new/000.json")["context"]["bpfmark"]["label"], "busy");
  EXPECT_EQ(parsed_file(kept + "/old/000.json")["context"]["bpfmark"]["label"], "plain");
}

TEST(CompareRunSmoke, DryRunsAreRefused) {
  BPFMARK_NEEDS_BPF();
  std::vector<std::string> dry = arguments({});
  dry.push_back("--benchmark_dry_run");
  const ProcessResult result = run_bench(dry);
  EXPECT_THAT(result, ExitsWith(2));
  EXPECT_THAT(result.err, HasSubstr("a dry run says nothing about cost"));
  EXPECT_THAT(result.out, IsEmpty());
}

TEST(CompareRunSmoke, FilterThatSelectsNothingIsNotTheAbsenceOfARegression) {
  const ProcessResult result = run_bench(
      {"compare", "--run", bench_path(), bench_path(), "--", "--benchmark_filter=no_such_case"});
  EXPECT_THAT(result, ExitsWith(2));
  EXPECT_THAT(result.err, HasSubstr("no_such_case selects none"));
}

TEST(CompareRunSmoke, WrongUsageIsOneLine) {
  const std::string bench = bench_path();
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {"--run", bench, bench, "--run-label", "a=true", "b=true"},
           {"--run", bench, bench, "--col=type"},
           {"--run", bench, bench, "--launches=3"},
           {"--run", bench, bench, "--budget=soon"},
           {"--run", bench, bench, "--", "--benchmark_out=x"},
           {"--run-label", "a=true", "a=true"},
           {"--run-label", "a", "b=true"},
           {"--run-label", "a=true", "b=true", "--undo=c=true"},
           {"--run", bench, bench, "--undo=a=true"},
           {"--run", bench},
           {"x.json", "y.json", "--launches=5"},
           {"x.json", "y.json", "--noise-history=z"},
           {"--kept=x", "y.json"}}) {
    std::vector<std::string> all = {"compare"};
    all.insert(all.end(), wrong.begin(), wrong.end());
    const ProcessResult result = run_bench(all);
    EXPECT_THAT(result, ExitsWith(2)) << ::testing::PrintToString(wrong);
    EXPECT_THAT(lines_of(result.err), SizeIs(1)) << ::testing::PrintToString(wrong);
  }
}

// Stopped while a launch is on its way.
class CompareRunStopped : public ::testing::TestWithParam<int> {};

TEST_P(CompareRunStopped, LeavesNoProcessNoProgramAndNoFile) {
  BPFMARK_NEEDS_BPF();
  BPFMARK_NEEDS_TIMES();
  const Inventory before = Inventory::take();
  Result<Process> process = Process::start(
      {.program = bench_path(),
       .arguments = {"compare", "--run", bench_path(), bench_path(), "--",
                     "--benchmark_filter=hook_entry/type:xdp", "--benchmark_min_time=2s"}});
  ASSERT_TRUE(process.has_value()) << process.error().what;
  ASSERT_TRUE(process->wait_for_stderr("1/30 launches", kBenchTimeout));
  process->send(GetParam());
  const Result<ProcessResult> result = process->wait(kBenchTimeout);
  ASSERT_TRUE(result.has_value()) << result.error().what;
  if (GetParam() == SIGKILL) {
    EXPECT_EQ(result->signal, SIGKILL);
  } else {
    EXPECT_EQ(result->exit_code, 128 + GetParam());
  }
  EXPECT_THAT(left_behind(before), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Signals, CompareRunStopped, ::testing::Values(SIGINT, SIGTERM, SIGKILL),
                         [](const auto& signal) {
                           return std::string("Signal") + std::to_string(signal.param);
                         });

}  // namespace
}  // namespace bpfmark
