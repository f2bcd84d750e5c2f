// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/launch_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<LaunchArm> arms_of(const std::vector<PlannedLaunch>& plan) {
  std::vector<LaunchArm> arms;
  for (const PlannedLaunch& planned : plan) arms.push_back(planned.arm);
  return arms;
}

TEST(LaunchPlan, HasEveryArmEquallyOftenInEveryRound) {
  for (const std::size_t launches : {1u, 4u, 7u, 10u}) {
    const std::vector<LaunchArm> arms = arms_of(plan_launches(launches, 3));
    ASSERT_THAT(arms, SizeIs(launches * kArms));
    for (std::size_t i = 0; i < arms.size(); i += kArms) {
      EXPECT_THAT((std::set{arms[i], arms[i + 1], arms[i + 2]}), SizeIs(kArms)) << i;
    }
  }
}

TEST(LaunchPlan, SecondHalfOfABlockIsTheFirstBackwards) {
  const std::vector<LaunchArm> arms = arms_of(plan_launches(8, 1));
  for (std::size_t block = 0; block < arms.size(); block += 2 * kArms) {
    for (std::size_t i = 0; i < kArms; ++i) {
      EXPECT_EQ(arms[block + i], arms[block + 2 * kArms - 1 - i]) << block;
    }
  }
}

TEST(LaunchPlan, OrderOfTheArmsIsDrawnBySeed) {
  std::set<std::vector<LaunchArm>> orders;
  for (std::uint64_t seed = 0; seed < 50; ++seed) orders.insert(arms_of(plan_launches(1, seed)));
  EXPECT_THAT(orders, SizeIs(6));
  EXPECT_EQ(arms_of(plan_launches(9, 7)), arms_of(plan_launches(9, 7)));
}

TEST(LaunchPlan, LaunchesOfARoundShareTheOrderOfCasesAndRoundsDoNot) {
  const std::vector<PlannedLaunch> plan = plan_launches(6, 5);
  std::set<std::uint64_t> seeds;
  for (std::size_t i = 0; i < plan.size(); i += kArms) {
    EXPECT_EQ(plan[i].order_seed, plan[i + 1].order_seed);
    EXPECT_EQ(plan[i].order_seed, plan[i + 2].order_seed);
    seeds.insert(plan[i].order_seed);
  }
  EXPECT_THAT(seeds, SizeIs(6));
}

// So that the budget can lower the number after the first launch.
TEST(LaunchPlan, PlanOfFewerIsTheBeginningOfThePlanOfMore) {
  std::vector<LaunchArm> more = arms_of(plan_launches(10, 2));
  more.resize(5 * kArms);
  EXPECT_EQ(arms_of(plan_launches(5, 2)), more);
}

TEST(Budget, LowersTheNumberOfLaunchesAndNeverRaisesIt) {
  EXPECT_THAT(affordable_launches(10, 1e6, 1), IsOkAndHolds(10u));
  EXPECT_THAT(affordable_launches(10, 30, 1), IsOkAndHolds(10u));
  EXPECT_THAT(affordable_launches(10, 29.9, 1), IsOkAndHolds(9u));
  EXPECT_THAT(affordable_launches(10, 12, 1), IsOkAndHolds(4u));
}

TEST(Budget, RefusesWhatCannotDecideAnything) {
  const auto refused = affordable_launches(10, 11, 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr("need 12 s, and the budget is 11 s"));
}

TEST(Seconds, AreReadWithTheirUnit) {
  EXPECT_EQ(parse_seconds("90"), 90);
  EXPECT_EQ(parse_seconds("90s"), 90);
  EXPECT_EQ(parse_seconds("1.5m"), 90);
  EXPECT_EQ(parse_seconds("2h"), 7200);
  for (const char* bad : {"", "s", "0", "-1", "1d", "1 s", "nan", "inf", "1e300h", "1ss"}) {
    EXPECT_EQ(parse_seconds(bad), std::nullopt) << bad;
  }
}

TEST(ExactFilter, SelectsTheNamesAndNothingElse) {
  const std::vector<std::string> names = {"a/b:1", "a.b", "x+(y)|z", "back\\slash"};
  regex_t compiled;
  ASSERT_EQ(regcomp(&compiled, exact_filter(names).c_str(), REG_EXTENDED | REG_NOSUB), 0);
  const auto matches = [&](const char* name) {
    return regexec(&compiled, name, 0, nullptr, 0) == 0;
  };
  for (const std::string& name : names) EXPECT_TRUE(matches(name.c_str())) << name;
  for (const char* other : {"a/b:10", "xa/b:1", "a_b", "x", "z", ""}) {
    EXPECT_FALSE(matches(other)) << other;
  }
  regfree(&compiled);
}

TEST(Flags, LoseTheirFilterInBothSpellings) {
  EXPECT_THAT(without_filter({"--a", "--benchmark_filter=x", "--b"}), ElementsAre("--a", "--b"));
  EXPECT_THAT(without_filter({"--benchmark_filter", "x", "--b"}), ElementsAre("--b"));
  EXPECT_THAT(without_filter({"--benchmark_filter"}), IsEmpty());
}

TEST(Flags, ThatTheComparisonSetsAreFound) {
  EXPECT_EQ(reserved_flag({"--loads=2", "--benchmark_filter=x", "--cpu=1"}), std::nullopt);
  EXPECT_EQ(reserved_flag({"--loads=2", "--benchmark_out=x"}), "--benchmark_out=x");
  EXPECT_EQ(reserved_flag({"--order-seed", "1"}), "--order-seed");
  EXPECT_EQ(reserved_flag({"--benchmark_format=json"}), "--benchmark_format=json");
}

}  // namespace
}  // namespace bpfmark
