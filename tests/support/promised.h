// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "harness/result.h"

namespace bpfmark {

// What a test does with an error that kept it from its subject.
enum class Lack {
  kSkip,  // this machine or process cannot do it, and nobody promised that it could
  kFail,  // it was promised, or it is no matter of lacking anything
};

// `required` is a list of capabilities separated by commas; "bpf" names them all. A call that was
// refused with EPERM counts as lacking whatever capability its error names.
Lack classify_lack(const Error& error, std::string_view required);

// BPFMARK_REQUIRE of the environment, "" where it is not set.
std::string required_by_environment();

}  // namespace bpfmark

// Ends the test (or its SetUp) for want of something: skipped with the cause, or failed if
// BPFMARK_REQUIRE promises it. A macro because both end the calling function.
#define BPFMARK_SKIP_OR_FAIL(error)                                                   \
  do {                                                                                \
    const ::bpfmark::Error lack_error = (error);                                      \
    if (::bpfmark::classify_lack(lack_error, ::bpfmark::required_by_environment()) == \
        ::bpfmark::Lack::kSkip) {                                                     \
      GTEST_SKIP() << lack_error.text();                                              \
    } else {                                                                          \
      FAIL() << "must work here: " << lack_error.text();                              \
    }                                                                                 \
  } while (false)
