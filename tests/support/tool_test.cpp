// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/tool.h"

#include <gtest/gtest.h>

#include "tests/support/promised.h"

namespace bpfmark {
namespace {

TEST(RunTool, OneThatIsNotThereIsALackOfItsCapability) {
  const auto run = run_tool({.name = "no_such", .places = {"no-such-tool", "/no/such/tool"}}, {});
  ASSERT_FALSE(run.has_value());
  EXPECT_EQ(run.error().kind, ErrorKind::kAbsent);
  EXPECT_EQ(run.error().capability, "tool_no_such");
  EXPECT_EQ(classify_lack(run.error(), "tool_other"), Lack::kSkip);
  EXPECT_EQ(classify_lack(run.error(), "tool_other,tool_no_such"), Lack::kFail);
}

TEST(RunTool, OneWithoutItsInterpreterIsNotThereEither) {
  const auto run =
      run_tool({.name = "x", .places = {"/proc/self/stat"}, .interpreter = "no-such"}, {});
  ASSERT_FALSE(run.has_value());
  EXPECT_EQ(run.error().text(), "no-such: not found (ci/setup installs it)");
}

TEST(RunTool, TakesTheFirstPlaceThatExists) {
  const auto run =
      run_tool({.name = "sh", .places = {"/no/such/sh", "sh"}}, {"-c", "echo $0; exit 3"});
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->exit_code, 3);
  EXPECT_NE(run->out, "");
}

}  // namespace
}  // namespace bpfmark
