// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bpf/shared/echo.h"
#include "echo.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code_test.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

using EchoBytecode = ObjectCodeTest<echo_bpf>;

TEST_F(EchoBytecode, ProgramsDoNothingButAnswer) {
  EXPECT_THAT(check_calls_only(function("echo_tc"), BPF_FUNC_redirect, 1), IsOk());
  EXPECT_THAT(check_calls_only(function("echo_af_xdp"), BPF_FUNC_redirect_map, 1), IsOk());
  EXPECT_THAT(check_calls_only(function("echo_sk_skb"), BPF_FUNC_sk_redirect_map, 1), IsOk());
  for (const char* const silent : {"echo_xdp", "pass_xdp", "drop_tc"}) {
    EXPECT_THAT(check_calls_nothing(function(silent)), IsOk()) << silent;
  }
}

TEST_F(EchoBytecode, PlantedFaultADropIsNoAnswer) {
  EXPECT_THAT(check_calls_only(function("drop_tc"), BPF_FUNC_redirect, 1),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("drop_tc")));
}

}  // namespace
}  // namespace bpfmark
