// SPDX-License-Identifier: BSD-2-Clause
#include "harness/guards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <thread>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// Affinity belongs to a thread: what a test does to it ends with the thread.
void on_own_thread(const std::function<void()>& work) { std::jthread(work).join(); }

TEST(PinToCpu, TakesEffectOnEveryAllowedCpu) {
  on_own_thread([] {
    for (const int cpu : allowed_cpus()) {
      on_own_thread([cpu] {
        ASSERT_THAT(pin_to_cpu(cpu), IsOk());
        EXPECT_EQ(::sched_getcpu(), cpu);
        EXPECT_THAT(allowed_cpus(), ElementsAre(cpu));
        EXPECT_EQ(SchedulerCounts::read().cpu, cpu);
      });
    }
  });
}

TEST(PinToCpu, RefusesACpuThatDoesNotExist) {
  on_own_thread([] {
    const auto before = allowed_cpus();
    for (const int cpu : {-1, CPU_SETSIZE - 1, CPU_SETSIZE, 1 << 30}) {
      SCOPED_TRACE(cpu);
      EXPECT_THAT(pin_to_cpu(cpu), ErrorIs(ErrorKind::kSystem, _));
    }
    EXPECT_EQ(allowed_cpus(), before);
  });
}

TEST(AllowedCpus, AreAscendingAndHoldTheOneWeRunOn) {
  const auto cpus = allowed_cpus();
  ASSERT_THAT(cpus, Not(IsEmpty()));
  EXPECT_TRUE(std::ranges::is_sorted(cpus));
  EXPECT_THAT(cpus, Contains(::sched_getcpu()));
}

TEST(QuietestCpu, IsAllowedAndNotCpu0IfThereIsAnother) {
  const auto allowed = allowed_cpus();
  const CpuChoice choice = quietest_cpu();
  EXPECT_THAT(allowed, Contains(choice.cpu));
  EXPECT_NE(choice.reason, "");
  if (allowed.size() < 2) GTEST_SKIP() << "one CPU only";
  EXPECT_NE(choice.cpu, 0);
}

TEST(QuietestCpu, IsTheOnlyOneIfThereIsNoOther) {
  for (const int cpu : allowed_cpus()) {
    on_own_thread([cpu] {
      ASSERT_THAT(pin_to_cpu(cpu), IsOk());
      EXPECT_EQ(quietest_cpu().cpu, cpu);
    });
  }
}

TEST(SchedulerCounts, ShowThatTheThreadSlept) {
  const SchedulerCounts before = SchedulerCounts::read();
  EXPECT_TRUE(before.same_as(before));
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_FALSE(before.same_as(SchedulerCounts::read()));
}

TEST(SchedulerCounts, ShowThatTheThreadMoved) {
  const SchedulerCounts here = {.context_switches = 3, .cpu = 0};
  EXPECT_FALSE(here.same_as({.context_switches = 3, .cpu = 1}));
  EXPECT_FALSE(here.same_as({.context_switches = 4, .cpu = 0}));
  EXPECT_TRUE(here.same_as({.context_switches = 3, .cpu = 0}));
}

TEST(StolenTime, NeverGoesBack) {
  for (const int cpu : allowed_cpus()) {
    const StolenTime before = StolenTime::read(cpu);
    const StolenTime after = StolenTime::read(cpu);
    EXPECT_GE(after.steal_ns, before.steal_ns);
    EXPECT_GE(after.throttled_ns, before.throttled_ns);
  }
}

TEST(StolenTime, OfACpuThatDoesNotExistIsNone) {
  EXPECT_EQ(StolenTime::read(1 << 20).steal_ns, 0u);
}

}  // namespace
}  // namespace bpfmark
