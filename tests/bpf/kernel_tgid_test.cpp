// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/kernel_tgid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "harness/capability.h"
#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

enum Exit { kSame = 40, kAnother, kRefused, kNoNamespace };

// In a pid namespace of its own, where it is the first process.
int compare_in_namespace() {
  const pid_t outer = fork();
  if (outer == 0) {
    if (unshare(CLONE_NEWPID) != 0) std::_Exit(kNoNamespace);
    const pid_t inner = fork();
    if (inner == 0) {
      const Result<std::uint32_t> tgid = kernel_tgid();
      if (!tgid) std::_Exit(kRefused);
      std::_Exit(*tgid == static_cast<std::uint32_t>(getpid()) ? kSame : kAnother);
    }
    int status = 0;
    waitpid(inner, &status, 0);
    std::_Exit(WEXITSTATUS(status));
  }
  int status = 0;
  waitpid(outer, &status, 0);
  return WEXITSTATUS(status);
}

TEST(KernelTgid, IsThatOfTheOutermostNamespace) {
  registered_cases();  // and with them the capabilities
  if (Result<void> met = Capabilities::instance().check({"test_run_raw_tp"}); !met) {
    BPFMARK_SKIP_OR_FAIL(met.error());
  }
  const int outcome = compare_in_namespace();
  if (outcome == kNoNamespace) GTEST_SKIP() << "no pid namespace";
  EXPECT_EQ(outcome, kAnother);
}

}  // namespace
}  // namespace bpfmark
