// SPDX-License-Identifier: BSD-2-Clause
// A batch of a program that something else than a test-run starts: here nothing but a function.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "harness/in_kernel_batch.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class ProgramStartTest : public ::testing::Test {
 protected:
  Result<Batch> run(ProgramStart start) {
    return InKernelBatch(std::move(start), request_, result_).run(16, 3);
  }

  bpfmark_batch_request request_{};
  bpfmark_batch_result result_{.elapsed_ns = 1, .ops = 16, .hits = 16, .sum = 0};
};

TEST_F(ProgramStartTest, TimesAreTheProgramsAndTheCallers) {
  const Result<Batch> batch = run([this]() -> Result<double> {
    EXPECT_EQ(request_.first, 3u);
    result_ = {.elapsed_ns = 100, .ops = request_.ops, .hits = 0, .sum = 0};
    return 250;
  });
  ASSERT_THAT(batch, IsOk());
  EXPECT_EQ(batch->elapsed_ns, 100);
  EXPECT_EQ(batch->user_elapsed_ns, 250);
}

// What stood in the result before must not pass for what the program did.
TEST_F(ProgramStartTest, ProgramThatDidNotRunIsRefused) {
  EXPECT_THAT(run([]() -> Result<double> { return 250; }),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("0 operations")));
}

TEST_F(ProgramStartTest, StartThatFailedIsItsOwnError) {
  EXPECT_THAT(run([]() -> Result<double> { return system_error(ENOTTY, "ioctl()"); }),
              ErrorIs(ErrorKind::kSystem, HasSubstr("ioctl()")));
}

}  // namespace
}  // namespace bpfmark
