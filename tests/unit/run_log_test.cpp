// SPDX-License-Identifier: BSD-2-Clause
#include "harness/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::_;

Error lack_of(const std::string& capability, ErrorKind kind = ErrorKind::kAbsent) {
  return Error{.kind = kind, .what = "not there", .capability = capability};
}

TEST(RunLog, SkipsAreNoFailuresAndErrorsAre) {
  const RunLog log;
  EXPECT_FALSE(log.is_failure(lack_of("jit", ErrorKind::kAbsent)));
  EXPECT_FALSE(log.is_failure(lack_of("jit", ErrorKind::kNotPermitted)));
  EXPECT_FALSE(log.is_failure(lack_of("jit", ErrorKind::kUnknown)));
  EXPECT_TRUE(log.is_failure(lack_of("", ErrorKind::kSystem)));
  EXPECT_TRUE(log.is_failure(lack_of("", ErrorKind::kWrongResult)));
}

TEST(RunLog, ASkipOfWhatIsRequiredIsAFailure) {
  RunLog log;
  log.require({"jit", "map_hash"});
  EXPECT_TRUE(log.is_failure(lack_of("jit")));
  EXPECT_TRUE(log.is_failure(lack_of("map_hash", ErrorKind::kNotPermitted)));
  EXPECT_FALSE(log.is_failure(lack_of("map_array")));
  EXPECT_FALSE(log.is_failure(lack_of("")));
}

TEST(RunLog, BeingInterruptedIsNeverAFailure) {
  RunLog log;
  log.require({"jit", ""});
  EXPECT_FALSE(log.is_failure(lack_of("jit", ErrorKind::kInterrupted)));
  EXPECT_FALSE(log.is_failure(lack_of("", ErrorKind::kInterrupted)));
}

TEST(RunLog, FindsEachRepetitionAndNothingElse) {
  RunLog log;
  log.add("a", Measurement{.raw_ns = 1});
  log.add("a", std::unexpected(lack_of("jit")));
  ASSERT_NE(log.find("a", 0), nullptr);
  ASSERT_NE(log.find("a", 1), nullptr);
  EXPECT_THAT(*log.find("a", 0), IsOkAndHolds(::testing::Field("raw_ns", &Measurement::raw_ns, 1)));
  EXPECT_THAT(*log.find("a", 1), ErrorIs(ErrorKind::kAbsent, _));
  EXPECT_EQ(log.find("a", 2), nullptr);
  EXPECT_EQ(log.find("a", -1), nullptr);
  EXPECT_EQ(log.find("b", 0), nullptr);
}

}  // namespace
}  // namespace bpfmark
