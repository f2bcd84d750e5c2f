// SPDX-License-Identifier: BSD-2-Clause
// Registered cases through the interface that measure() uses. That destroying a load frees all
// of it is checked after every test by the leak listener.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/time.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Field;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

// The default suite, and the first case of each family that needs what no case of it before did.
// The smoke tests run all others.
std::vector<const Case*> representatives() {
  std::vector<const Case*> selected;
  std::set<std::pair<std::string, std::vector<std::string>>> seen;
  for (const Case& c : registered_cases().cases()) {
    const bool is_new = seen.emplace(c.name.substr(0, c.name.find('/')), c.needs).second;
    if (is_new || c.suite == Suite::kDefault) selected.push_back(&c);
  }
  return selected;
}

std::vector<const Case*> default_suite() {
  return registered_cases().select("", Suite::kDefault).value();
}

class EveryCase : public ::testing::TestWithParam<const Case*> {};

TEST_P(EveryCase, RunsEachArmInPositiveTimeAndFinishes) {
  const Case& c = *GetParam();
  const auto load = load_case(c);
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  for (const Arm arm : {Arm::kSubject, Arm::kFloor, Arm::kFloor, Arm::kSubject}) {
    ASSERT_THAT((*load)->prepare(arm), IsOk());
    for (const unsigned scale : {1u, 2u}) {
      const Result<Batch> batch = (*load)->run(arm, c.plan.ops_of(arm, scale));
      ASSERT_THAT(batch, IsOk());
      EXPECT_THAT(batch->elapsed_ns, Gt(0));
      EXPECT_TRUE(std::isfinite(batch->elapsed_ns));
      EXPECT_GE(batch->user_elapsed_ns, batch->elapsed_ns);
    }
  }
  Findings findings;
  EXPECT_THAT((*load)->finish(findings), IsOk());
  for (const auto& [name, value] : findings.counters) EXPECT_TRUE(std::isfinite(value)) << name;
  for (const ProgramIdentity& program : (*load)->programs()) {
    EXPECT_THAT(program.role, AnyOf("subject", "floor", "observer"));
    EXPECT_THAT(program.name, Not(IsEmpty()));
    EXPECT_THAT(program.tag, MatchesRegex("[0-9a-f]{16}"));
    EXPECT_THAT(program.insns_xlated, Gt(1u));
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryCase, ::testing::ValuesIn(representatives()), test_name);

class DefaultCase : public ::testing::TestWithParam<const Case*> {};

TEST_P(DefaultCase, TwoLoadsDoNotSeeEachOther) {
  const Case& c = *GetParam();
  const auto first = load_case(c);
  if (!first) BPFMARK_SKIP_OR_FAIL(first.error());
  const auto second = load_case(c);
  ASSERT_THAT(second, IsOk());
  // Different numbers of operations, so that a shared counter or result could not go unnoticed.
  for (const auto& [load, scale] : {std::pair{first->get(), 1u},
                                    {second->get(), 2u},
                                    {first->get(), 2u},
                                    {second->get(), 1u}}) {
    for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
      ASSERT_THAT(load->prepare(arm), IsOk());
      EXPECT_THAT(load->run(arm, c.plan.ops_of(arm, scale)), IsOk());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, DefaultCase, ::testing::ValuesIn(default_suite()), test_name);

TEST(RegisteredCases, SayWhatTheyAskNeedAndSubtract) {
  for (const Case& c : registered_cases().cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_THAT(c.question, Not(IsEmpty()));
    EXPECT_THAT(c.floor, Not(IsEmpty()));
    EXPECT_THAT(c.plan, AllOf(Field(&Plan::ops_per_batch, Gt(0u)), Field(&Plan::rounds, Gt(0)),
                              Field(&Plan::loads, Gt(1))));
    for (const std::string& need : c.needs) {
      EXPECT_TRUE(Capabilities::instance().contains(need)) << need;
    }
  }
}

TEST(RegisteredCases, NamesAreUniqueAndKeepTheirForm) {
  std::vector<std::string> names;
  for (const Case& c : registered_cases().cases()) {
    names.push_back(c.name);
    EXPECT_THAT(c.name, MatchesRegex("[a-z0-9_]+(/[a-z0-9_]+:[a-z0-9_]+)+"));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

TEST(HookEntry, BatchThatASignalBrokeIsRepeatedWithExactCounts) {
  const auto load = load_case(*find_case("hook_entry/type:tc/body:counter"));
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(SIGALRM, &action, nullptr);
  // Some 50 ms of repeats: a signal after 5 ms falls into the middle.
  const itimerval once = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 5000}};
  setitimer(ITIMER_REAL, &once, nullptr);
  EXPECT_THAT((*load)->run(Arm::kSubject, 2'000'000), IsOk());
}

}  // namespace
}  // namespace bpfmark
