// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/system_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "harness/clock.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

constexpr auto kKnown = [] { return true; };

class EveryKind : public ::testing::TestWithParam<SystemCallKind> {};

// The leak check of every test sees what undo() and the end leave.
TEST_P(EveryKind, DoesWhatItMustInBatchesOfOneAndOfMany) {
  const SystemCallKind& kind = GetParam();
  auto made = kind.create(kKnown);
  ASSERT_THAT(made, IsOk());
  for (const std::uint64_t calls :
       {std::uint64_t{1}, std::min<std::uint64_t>(kind.most_calls, 600), std::uint64_t{1}}) {
    ASSERT_THAT((*made)->prepare(calls), IsOk());
    for (std::uint64_t i = 0; i < calls; ++i) {
      ASSERT_TRUE((*made)->call()) << (*made)->failure().text();
    }
    ASSERT_THAT((*made)->undo(), IsOk());
  }
}

TEST_P(EveryKind, EndsInOrderWithoutACall) { EXPECT_THAT(GetParam().create(kKnown), IsOk()); }

TEST_P(EveryKind, ACallerThatCannotMakeItselfKnownIsAnError) {
  EXPECT_FALSE(GetParam().create([] { return false; }).has_value());
}

INSTANTIATE_TEST_SUITE_P(SystemCalls, EveryKind,
                         ::testing::ValuesIn(system_call_kinds().begin(),
                                             system_call_kinds().end()),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST(SystemCall, IsFoundByItsName) {
  std::set<std::string_view> names;
  for (const SystemCallKind& kind : system_call_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_EQ(find_system_call(kind.name), &kind);
  }
  EXPECT_EQ(find_system_call("reboot"), nullptr);
}

TEST(SystemCall, ExecveCarriesTheClockAcrossTheChangeOfImage) {
  auto made = find_system_call("execve")->create(kKnown);
  ASSERT_THAT(made, IsOk());
  std::uint64_t last_ns = now_ns();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE((*made)->call());
    const auto times = (*made)->own_times();
    ASSERT_TRUE(times.has_value());
    EXPECT_GE(times->before_ns, last_ns);
    EXPECT_GT(times->after_ns, times->before_ns);
    last_ns = now_ns();
    EXPECT_LE(times->after_ns, last_ns);
  }
}

TEST(SystemCall, OthersHaveNoTimesOfTheirOwn) {
  auto made = find_system_call("getppid")->create(kKnown);
  ASSERT_THAT(made, IsOk());
  ASSERT_TRUE((*made)->call());
  EXPECT_FALSE((*made)->own_times().has_value());
}

class DyingPartner : public ::testing::TestWithParam<const char*> {};

TEST_P(DyingPartner, EndsTheCallWithAClearError) {
  auto made = find_system_call(GetParam())->create(kKnown);
  ASSERT_THAT(made, IsOk());
  ASSERT_TRUE((*made)->call());
  std::ifstream children("/proc/thread-self/children");
  pid_t child = 0;
  ASSERT_TRUE(children >> child) << "needs CONFIG_PROC_CHILDREN";
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  // The kill is over when the process is, which the caller learns from its pipe.
  bool called = true;
  for (int i = 0; called && i < 1000; ++i) called = (*made)->call();
  ASSERT_FALSE(called);
  EXPECT_THAT((*made)->failure().text(), HasSubstr("was killed by signal 9"));
}

INSTANTIATE_TEST_SUITE_P(SystemCalls, DyingPartner, ::testing::Values("execve", "pipe"),
                         [](const auto& name) { return std::string(name.param); });

}  // namespace
}  // namespace bpfmark
