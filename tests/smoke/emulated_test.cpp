// SPDX-License-Identifier: BSD-2-Clause
// On a machine that translates instructions (ci/kernels makes such) no time is shown unasked.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "harness/identity.h"
#include "tests/smoke/bench_program.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kDryRun = "--benchmark_dry_run";
const std::string kOneCase = "--benchmark_filter=^clock/read:user_monotonic$";

TEST(EmulatedMachine, ShowsTimesOnRequestOnly) {
  if (!machine_is_emulated()) GTEST_SKIP() << "this machine is not emulated";
  const ProcessResult table = run_bench({kDryRun, kOneCase});
  EXPECT_THAT(table, ExitsWith(0));
  EXPECT_THAT(table.out, AllOf(HasSubstr("verified: "), Not(HasSubstr("net ns"))));
  EXPECT_THAT(table.err, HasSubstr("this machine is emulated"));
  const ProcessResult asked = run_bench({kDryRun, kOneCase, "--show-emulated"});
  EXPECT_THAT(asked.out, AllOf(HasSubstr("net ns"), Not(HasSubstr("verified: "))));
  EXPECT_EQ(parsed(run_bench({kDryRun, kOneCase, "--benchmark_format=json"})
                       .out)["context"]["bpfmark"]["emulated"],
            true);
}

}  // namespace
}  // namespace bpfmark
