// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/promised.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <string>

namespace bpfmark {
namespace {

struct LackCase {
  const char* fact;
  ErrorKind kind;
  int errnum;
  const char* capability;
  const char* required;
  Lack expected;
};

constexpr std::array kCases{
    LackCase{"nothing promised", ErrorKind::kAbsent, 0, "map_hash", "", Lack::kSkip},
    LackCase{"not permitted", ErrorKind::kNotPermitted, EPERM, "jit", "", Lack::kSkip},
    LackCase{"unknown", ErrorKind::kUnknown, EACCES, "jit", "", Lack::kSkip},
    LackCase{"something else promised", ErrorKind::kAbsent, 0, "map_hash", "map_array,jit",
             Lack::kSkip},
    LackCase{"a longer name promised", ErrorKind::kAbsent, 0, "map_hash", "map_hash2", Lack::kSkip},
    LackCase{"promised alone", ErrorKind::kAbsent, 0, "map_hash", "map_hash", Lack::kFail},
    LackCase{"promised first", ErrorKind::kAbsent, 0, "map_hash", "map_hash,jit", Lack::kFail},
    LackCase{"promised last", ErrorKind::kAbsent, 0, "map_hash", "jit,map_hash", Lack::kFail},
    LackCase{"all promised", ErrorKind::kNotPermitted, EPERM, "map_hash", "bpf", Lack::kFail},
    LackCase{"all promised, no name", ErrorKind::kSystem, EPERM, "", "jit,bpf", Lack::kFail},
    LackCase{"no name is not the empty promise", ErrorKind::kSystem, EPERM, "", ",", Lack::kSkip},
    LackCase{"a load refused", ErrorKind::kSystem, EPERM, "", "", Lack::kSkip},
    LackCase{"a call that should have worked", ErrorKind::kSystem, EBADF, "", "", Lack::kFail},
    LackCase{"a wrong result", ErrorKind::kWrongResult, 0, "", "", Lack::kFail},
};

TEST(ClassifyLack, SkipsOnlyWhatIsLackingAndNotPromised) {
  for (const LackCase& c : kCases) {
    SCOPED_TRACE(c.fact);
    const Error error{
        .kind = c.kind, .errnum = c.errnum, .what = "x", .remedy = "", .capability = c.capability};
    EXPECT_EQ(classify_lack(error, c.required), c.expected);
  }
}

TEST(ErrorText, HoldsTheCauseAndTheRemedyIfThereIsOne) {
  EXPECT_EQ(Error{.what = "refused"}.text(), "refused");
  EXPECT_EQ((Error{.what = "refused", .remedy = "run as root"}).text(), "refused (run as root)");
}

TEST(SkipOrFail, FailsOnAWrongResult) {
  EXPECT_FATAL_FAILURE(
      BPFMARK_SKIP_OR_FAIL((Error{.kind = ErrorKind::kWrongResult, .what = "7 hits of 8"})),
      "7 hits of 8");
}

}  // namespace
}  // namespace bpfmark
