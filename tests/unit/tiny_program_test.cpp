// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/tiny_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

TEST(TinyProgram, ReplacesTheProcessAndEndsWithItsStatus) {
  const Result<TinyProgram> program = TinyProgram::create();
  if (!program) BPFMARK_SKIP_OR_FAIL(program.error());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    program->execute();
    ::_exit(TinyProgram::kStatus + 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), TinyProgram::kStatus);
}

}  // namespace
}  // namespace bpfmark
