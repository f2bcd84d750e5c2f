// SPDX-License-Identifier: BSD-2-Clause
#include "harness/progress.h"

#include <gtest/gtest.h>

namespace bpfmark {
namespace {

TEST(DurationText, IsForAPerson) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(0.4), "0 s");
  EXPECT_EQ(duration_text(0.6), "1 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(59.6), "1 min 0 s");
  EXPECT_EQ(duration_text(65), "1 min 5 s");
  EXPECT_EQ(duration_text(3661), "61 min 1 s");
}

TEST(Progress, IsSilentWhereStderrIsNoTerminal) {
  ::testing::internal::CaptureStderr();
  Progress progress(2);
  progress.start("first");
  progress.start("second");
  progress.clear();
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace bpfmark
