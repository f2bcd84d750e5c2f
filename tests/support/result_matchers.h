// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gmock/gmock.h>

#include <ostream>

#include "harness/result.h"

// Matchers for Result<T>. There is deliberately none for "any error": a test says which.
namespace bpfmark {

inline const char* error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kAbsent:
      return "absent";
    case ErrorKind::kNotPermitted:
      return "not permitted";
    case ErrorKind::kUnknown:
      return "unknown";
    case ErrorKind::kSystem:
      return "system";
    case ErrorKind::kWrongResult:
      return "wrong result";
    case ErrorKind::kInterrupted:
      return "interrupted";
  }
  return "no error kind";
}

// Found by GoogleTest, which otherwise prints the bytes.
template <class T>
void PrintTo(const std::expected<T, Error>& result, std::ostream* out) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      *out << "ok";
    } else {
      *out << "ok: " << ::testing::PrintToString(*result);
    }
  } else {
    *out << error_kind_name(result.error().kind) << " error \"" << result.error().what << '"';
  }
}

MATCHER(IsOk, "is ok") { return arg.has_value(); }

// The value matches `matcher`.
MATCHER_P(IsOkAndHolds, matcher, "is ok and holds a matching value") {
  return arg.has_value() && ::testing::ExplainMatchResult(matcher, *arg, result_listener);
}

// The error is of that kind, and its text matches `what_matcher`.
MATCHER_P2(ErrorIs, kind, what_matcher, "is the expected error") {
  return !arg.has_value() && arg.error().kind == kind &&
         ::testing::ExplainMatchResult(what_matcher, arg.error().what, result_listener);
}

}  // namespace bpfmark
