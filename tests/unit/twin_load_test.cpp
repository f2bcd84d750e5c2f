// SPDX-License-Identifier: BSD-2-Clause
#include "harness/twin_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

TEST(ResultCheck, EveryOperationFindsItsValue) {
  const ResultCheck check = every_operation_finds(7);
  EXPECT_THAT(check({.elapsed_ns = 1, .ops = 8, .hits = 8, .sum = 56}), IsOk());
  EXPECT_THAT(check({.elapsed_ns = 1, .ops = 8, .hits = 7, .sum = 56}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("7 hits in 8")));
  EXPECT_THAT(check({.elapsed_ns = 1, .ops = 8, .hits = 8, .sum = 57}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("57 instead of 56")));
}

TEST(ResultCheck, SumsWrapAsTheyDoInThePrograms) {
  const std::uint64_t huge = ~std::uint64_t{0};
  EXPECT_THAT(every_operation_finds(huge)({.ops = 8, .hits = 8, .sum = huge * 8}), IsOk());
}

TEST(ResultCheck, EveryOperationHitsWhateverItFinds) {
  EXPECT_THAT(every_operation_hits()({.ops = 8, .hits = 8, .sum = 3}), IsOk());
  EXPECT_THAT(every_operation_hits()({.ops = 8, .hits = 9, .sum = 3}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("9 hits")));
}

std::uint64_t threes(std::uint64_t ops) { return 3 * ops; }
std::uint64_t ones(std::uint64_t ops) { return ops; }

TEST(HostTwinLoad, RunsTheArmThatItIsAskedFor) {
  HostTwinLoad load({threes, 3}, {ones, 1}, nullptr, {{"host_bytes", 40}});
  for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
    const Result<Batch> batch = load.run(arm, 1000);
    ASSERT_THAT(batch, IsOk());
    EXPECT_EQ(batch->elapsed_ns, batch->user_elapsed_ns);
  }
  Findings findings;
  ASSERT_THAT(load.finish(findings), IsOk());
  EXPECT_EQ(findings.counters.at("host_bytes"), 40);
}

TEST(HostTwinLoad, RefusesAnotherSumInEitherArm) {
  HostTwinLoad load({threes, 4}, {ones, 2}, nullptr, {});
  EXPECT_THAT(load.run(Arm::kSubject, 10),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("30 instead of 40")));
  EXPECT_THAT(load.run(Arm::kFloor, 10),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("10 instead of 20")));
}

TEST(HostTwinLoad, HandsOnWhatTheCheckOfTheSubjectFinds) {
  HostTwinLoad load({threes, 3}, {ones, 1}, [] { return wrong_result("byte 5"); }, {});
  EXPECT_THAT(load.run(Arm::kSubject, 10), ErrorIs(ErrorKind::kWrongResult, HasSubstr("byte 5")));
  EXPECT_THAT(load.run(Arm::kFloor, 10), IsOk());
}

}  // namespace
}  // namespace bpfmark
