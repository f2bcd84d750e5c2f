// SPDX-License-Identifier: BSD-2-Clause
#include "harness/ladder_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace bpfmark {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(LadderSteps, GoUpAndSayByHowMuch) {
  const auto steps = ladder_steps({{"socket", {50, 52, 51, 50, 53, 51}},
                                   {"tcx", {10, 12, 11, 10, 13, 11}},
                                   {"xdp", {7, 9, 8, 7, 10, 8}}});
  ASSERT_THAT(steps, SizeIs(3));
  EXPECT_EQ(steps[0].value, "xdp");
  EXPECT_EQ(steps[0].net_ns, 8);
  EXPECT_FALSE(steps[0].above_interval.has_value());
  EXPECT_EQ(steps[1].value, "tcx");
  EXPECT_EQ(steps[1].above_ns, 3);
  ASSERT_TRUE(steps[1].above_interval.has_value());
  EXPECT_EQ(steps[1].above_interval->lo, 3);
  EXPECT_EQ(steps[1].above_interval->hi, 3);
  EXPECT_TRUE(steps[1].resolved());
  EXPECT_EQ(steps[2].above_ns, 40);
}

// What the whole machine did in one load is in both of a pair.
TEST(LadderSteps, LoadsAreComparedInPairs) {
  const auto steps =
      ladder_steps({{"a", {10, 90, 20, 70, 40, 60}}, {"b", {11, 91, 21, 71, 41, 61}}});
  EXPECT_TRUE(steps[1].resolved());
  EXPECT_EQ(steps[1].above_ns, 1);
}

TEST(LadderSteps, DifferenceInsideItsErrorIsNotResolved) {
  const auto steps =
      ladder_steps({{"a", {10, 11, 12, 10, 11, 12}}, {"b", {12, 10, 11, 13, 10, 13}}});
  EXPECT_FALSE(steps[1].resolved());
}

TEST(LadderSteps, FewLoadsResolveNothing) {
  const auto steps = ladder_steps({{"a", {1, 1, 1}}, {"b", {9, 9, 9}}});
  EXPECT_EQ(steps[1].above_ns, 8);
  EXPECT_FALSE(steps[1].above_interval.has_value());
  EXPECT_FALSE(steps[1].resolved());
}

TEST(LadderSteps, InterruptedCaseIsComparedByTheLoadsThatItHas) {
  const auto steps = ladder_steps({{"a", {1, 2, 3, 4, 5, 6, 7, 8}}, {"b", {3, 4, 5, 6, 7, 8}}});
  ASSERT_TRUE(steps[1].above_interval.has_value());
  EXPECT_EQ(steps[1].above_ns, 2);
}

TEST(LadderSteps, CaseWithoutANumberHasNoStep) {
  EXPECT_THAT(ladder_steps({{"a", {}}, {"b", {std::numeric_limits<double>::quiet_NaN()}}}),
              IsEmpty());
}

}  // namespace
}  // namespace bpfmark
