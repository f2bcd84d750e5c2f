// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/result_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace bpfmark {
namespace {

using ::testing::_;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::PrintToString;

TEST(ResultMatchers, TellValuesFromErrors) {
  const Result<int> value = 7;
  const Result<int> error = system_error(ENOENT, "open table");
  EXPECT_THAT(value, IsOk());
  EXPECT_THAT(error, Not(IsOk()));
  EXPECT_THAT(Result<void>{}, IsOk());
  EXPECT_THAT(value, Not(ErrorIs(ErrorKind::kSystem, _)));
}

TEST(ResultMatchers, LookIntoTheValue) {
  const Result<int> value = 7;
  EXPECT_THAT(value, IsOkAndHolds(7));
  EXPECT_THAT(value, IsOkAndHolds(Gt(6)));
  EXPECT_THAT(value, Not(IsOkAndHolds(8)));
  EXPECT_THAT(Result<int>(wrong_result("no")), Not(IsOkAndHolds(_)));
}

TEST(ResultMatchers, LookIntoTheError) {
  const Result<int> error = system_error(ENOENT, "open table");
  EXPECT_THAT(error, ErrorIs(ErrorKind::kSystem, HasSubstr("table")));
  EXPECT_THAT(error, Not(ErrorIs(ErrorKind::kSystem, HasSubstr("chair"))));
  EXPECT_THAT(error, Not(ErrorIs(ErrorKind::kWrongResult, HasSubstr("table"))));
}

TEST(ResultMatchers, PrintWhatAResultHolds) {
  EXPECT_EQ(PrintToString(Result<int>(7)), "ok: 7");
  EXPECT_EQ(PrintToString(Result<void>{}), "ok");
  EXPECT_EQ(PrintToString(Result<int>(wrong_result("7 of 8"))), "wrong result error \"7 of 8\"");
}

}  // namespace
}  // namespace bpfmark
