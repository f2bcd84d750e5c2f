// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "harness/guards.h"
#include "tests/smoke/bench_program.h"
#include "tests/support/leak_check.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::ptrdiff_t files_in(const TemporaryDirectory& directory) {
  return std::distance(std::filesystem::directory_iterator(directory.path()), {});
}

// A run of the clocks, a third of a second a load, whose progress can be followed.
class LongRun : public ::testing::Test {
 protected:
  void SetUp() override { BPFMARK_NEEDS_BPF(); }

  void start_and_wait_for(const std::string& progress) {
    before_ = Inventory::take();
    Result<Process> started = Process::start({
        .program = bench_path(),
        .arguments = {"--benchmark_filter=clock/read", "--benchmark_min_time=4s",
                      "--benchmark_out=" + path()},
        .stderr_is_terminal = true,
    });
    ASSERT_TRUE(started.has_value()) << started.error().what;
    process_.emplace(std::move(*started));
    ASSERT_TRUE(process_->wait_for_stderr(progress, kBenchTimeout));
  }

  // The end of the run, once what it left behind was looked for.
  ProcessResult end() {
    Result<ProcessResult> result = process_->wait(kBenchTimeout);
    process_.reset();
    EXPECT_THAT(left_behind(before_), IsEmpty());
    if (!result) {
      ADD_FAILURE() << result.error().what;
      return {};
    }
    return std::move(*result);
  }

  std::string path() const { return directory_.file("run.json"); }

  TemporaryDirectory directory_;
  Inventory before_;
  std::optional<Process> process_;
};

TEST_F(LongRun, ProgressSaysWhichOfHowManyRuns) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_for("[2/"));
  process_->send(SIGKILL);
  const ProcessResult result = end();
  EXPECT_THAT(result.err, ::testing::HasSubstr("clock/read:ktime_pair"));
}

TEST_F(LongRun, InterruptWritesWhatIsFinishedAndMarksItIncomplete) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_for("[4/"));
  process_->send(SIGINT);
  const ProcessResult result = end();
  EXPECT_THAT(result, ExitsWith(128 + SIGINT));
  const nlohmann::json document = parsed_file(path());
  EXPECT_EQ(document["context"]["bpfmark"]["incomplete"], true);
  EXPECT_THAT(names_of(document["benchmarks"]),
              ElementsAre("clock/read:ktime", "clock/read:ktime_pair", "clock/read:boot"));
  EXPECT_THAT(document["skips"], IsEmpty());
  EXPECT_THAT(document["failures"], IsEmpty());
  EXPECT_EQ(files_in(directory_), 1);
}

TEST_F(LongRun, TerminationDoesTheSame) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_for("[2/"));
  process_->send(SIGTERM);
  const ProcessResult result = end();
  EXPECT_THAT(result, ExitsWith(128 + SIGTERM));
  const nlohmann::json document = parsed_file(path());
  EXPECT_EQ(document["context"]["bpfmark"]["incomplete"], true);
  EXPECT_THAT(document["benchmarks"], SizeIs(1));
}

TEST_F(LongRun, InterruptBeforeTheFirstLoadIsDoneWritesAFileWithoutCases) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_for("[1/"));
  process_->send(SIGINT);
  EXPECT_THAT(end(), ExitsWith(128 + SIGINT));
  const nlohmann::json document = parsed_file(path());
  EXPECT_EQ(document["context"]["bpfmark"]["incomplete"], true);
  EXPECT_THAT(document["benchmarks"], IsEmpty());
}

TEST_F(LongRun, SecondSignalEndsItAtOnceAndLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(start_and_wait_for("[2/"));
  // Two different ones: of the same signal, the second could merge with the first.
  process_->send(SIGINT);
  process_->send(SIGKILL);
  EXPECT_EQ(end().signal, SIGKILL);
  EXPECT_EQ(files_in(directory_), 0);
}

// --- kill -9 at any moment

class KilledAfter : public ::testing::TestWithParam<milliseconds> {};

// The cases attach XDP in a namespace of their own, and fill tables of some size.
TEST_P(KilledAfter, LeavesNothingBehind) {
  BPFMARK_NEEDS_BPF();
  const TemporaryDirectory directory;
  const Inventory before = Inventory::take();
  Result<Process> process = Process::start(
      {.program = bench_path(),
       .arguments = {"--benchmark_filter=hook_entry/type:xdp|map_lookup/type:lru_"
                     "hash/access:hit/keys:zipf/entries:65536",
                     "--benchmark_min_time=60s", "--benchmark_out=" + directory.file("run.json")}});
  ASSERT_TRUE(process.has_value()) << process.error().what;
  std::this_thread::sleep_for(GetParam());
  process->send(SIGKILL);
  const Result<ProcessResult> result = process->wait(kBenchTimeout);
  ASSERT_TRUE(result.has_value()) << result.error().what;
  EXPECT_EQ(result->signal, SIGKILL);
  EXPECT_THAT(left_behind(before), IsEmpty());
  EXPECT_EQ(files_in(directory), 0);
}

INSTANTIATE_TEST_SUITE_P(Start, KilledAfter,
                         ::testing::Values(milliseconds(0), milliseconds(2), milliseconds(5),
                                           milliseconds(10), milliseconds(20), milliseconds(50),
                                           milliseconds(100), milliseconds(300),
                                           milliseconds(1000)),
                         [](const auto& delay) {
                           return std::to_string(delay.param.count()) + "ms";
                         });

// --- kill -9 while probes are attached and children live

// Processes that run this bench, or the program that it executes.
std::vector<std::string> own_processes() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code gone;  // the process, meanwhile
    const std::string program = std::filesystem::read_symlink(entry.path() / "exe", gone).string();
    if (program == bench_path() || program.find("memfd:bpfmark_") != std::string::npos) {
      found.push_back(entry.path().filename().string() + " " + program);
    }
  }
  return found;
}

class KilledIn : public ::testing::TestWithParam<const char*> {};

TEST_P(KilledIn, LeavesNoProgramAndNoProcess) {
  BPFMARK_NEEDS_BPF();
  if (std::string_view(GetParam()).starts_with("interference") && allowed_cpus().size() < 2) {
    GTEST_SKIP() << "an aggressor needs a second CPU";
  }
  const TemporaryDirectory directory;
  const Inventory before = Inventory::take();
  Result<Process> process = Process::start(
      {.program = bench_path(),
       .arguments = {std::string("--benchmark_filter=") + GetParam(), "--benchmark_min_time=60s",
                     "--benchmark_out=" + directory.file("run.json")}});
  ASSERT_TRUE(process.has_value()) << process.error().what;
  std::this_thread::sleep_for(milliseconds(700));
  process->send(SIGKILL);
  const Result<ProcessResult> result = process->wait(kBenchTimeout);
  ASSERT_TRUE(result.has_value()) << result.error().what;
  EXPECT_EQ(result->signal, SIGKILL);
  EXPECT_THAT(left_behind(before), IsEmpty());
  for (int i = 0; i < 200 && !own_processes().empty(); ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_THAT(own_processes(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Family, KilledIn,
                         ::testing::Values("echo_rtt/proto:udp/hook:(tc_clsact|xdp_native|af_xdp)",
                                           "process_lifecycle/op:fork_exec/probe:exec",
                                           "process_lifecycle/op:fork_touch_exit/probe:fork",
                                           "page_fault/kind:anon/probe:page_fault",
                                           "event_latency/channel:ringbuf/wakeup:each",
                                           "interference/aggressor:xdp/steps:1000$",
                                           "syscall_latency/call:execve/monitor:tp_ringbuf",
                                           "time_to_hook/from:xdp/to:cgroup_skb"),
                         [](const auto& filter) {
                           std::string name = filter.param;
                           std::ranges::replace_if(
                               name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace bpfmark
