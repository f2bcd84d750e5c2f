// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

TEST(ClockPair, DistributionIsInOrderAndComplete) {
  const auto load = load_case(*find_case("clock/read:ktime_pair"));
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  Findings findings;
  ASSERT_THAT((*load)->finish(findings), IsOk());
  const Histogram& pair = findings.histogram("kernel");
  EXPECT_EQ(pair.count(), 100'000u);
  EXPECT_GT(pair.quantile_ns(0.5), 0.0);
  EXPECT_LE(pair.quantile_ns(0.5), pair.quantile_ns(0.9));
  EXPECT_LE(pair.quantile_ns(0.9), pair.quantile_ns(0.99));
  EXPECT_LE(pair.quantile_ns(0.99), pair.quantile_ns(0.999));
  EXPECT_LE(pair.quantile_ns(0.999), static_cast<double>(*pair.max_ns()));
}

// --- a world in which user space and the kernel disagree about the time

enum Exit { kAccepted = 40, kRefused, kOtherError, kNoNamespace, kNotLoaded };

Exit run_batch(const std::string& name) {
  const Case& c = *find_case(name);
  const auto load = load_case(c);
  if (!load) return kNotLoaded;
  const Result<Batch> batch = (*load)->run(Arm::kSubject, c.plan.ops_of(Arm::kSubject, 1));
  if (batch) return kAccepted;
  const bool window =
      batch.error().kind == ErrorKind::kWrongResult &&
      batch.error().what.find("outside of what user space read") != std::string::npos;
  return window ? kRefused : kOtherError;
}

// Runs a batch of the case in a time namespace, whose CLOCK_MONOTONIC and CLOCK_BOOTTIME stand
// `offset_s` apart from those that programs read. Only a child of the process that makes the
// namespace is inside of it.
int run_with_shifted_clocks(const std::string& name, long offset_s) {
  const pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWTIME) != 0) std::_Exit(kNoNamespace);
    std::ofstream offsets("/proc/self/timens_offsets");
    offsets << "monotonic " << offset_s << " 0\nboottime " << offset_s << " 0\n" << std::flush;
    if (!offsets) std::_Exit(kNoNamespace);
    const pid_t inner = fork();
    if (inner == 0) std::_Exit(run_batch(name));
    int status = 0;
    waitpid(inner, &status, 0);
    std::_Exit(WEXITSTATUS(status));
  }
  int status = 0;
  waitpid(outer, &status, 0);
  return WEXITSTATUS(status);
}

class ShiftedClock : public ::testing::TestWithParam<const char*> {};

TEST_P(ShiftedClock, ReadingOutsideOfTheWindowIsRefused) {
  const std::string name = std::string("clock/read:") + GetParam();
  const auto load = load_case(*find_case(name));
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  for (const long offset_s : {0L, 1000L, -1L}) {
    const int outcome = run_with_shifted_clocks(name, offset_s);
    if (outcome == kNoNamespace) GTEST_SKIP() << "no time namespace (CONFIG_TIME_NS)";
    EXPECT_EQ(outcome, offset_s == 0 ? kAccepted : kRefused) << "shifted by " << offset_s << " s";
  }
}

INSTANTIATE_TEST_SUITE_P(Clocks, ShiftedClock, ::testing::Values("ktime", "boot", "coarse"),
                         [](const auto& clock) { return std::string(clock.param); });

}  // namespace
}  // namespace bpfmark
