// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstring>
#include <expected>
#include <string>
#include <utility>

namespace bpfmark {

// Why something did not give a value. The kind alone decides what becomes of a case: the first
// three are typed skips ("cannot, here"), the next two failures ("wrong"); kInterrupted is neither.
enum class ErrorKind {
  kAbsent,        // this kernel, machine or library does not have it
  kNotPermitted,  // it exists, and was refused to this process
  kUnknown,       // the probe could not tell
  kSystem,        // a call failed that should have worked
  kWrongResult,   // it ran, and the answer, a count or a byte was wrong
  kInterrupted,   // the user asked to stop
};

struct Error {
  ErrorKind kind = ErrorKind::kSystem;
  int errnum = 0;          // positive errno, or 0
  std::string what;        // "load map_lookup: Operation not permitted"
  std::string remedy;      // what the user can do about a skip; empty for failures
  std::string capability;  // whose lack is the cause of a skip; empty for failures

  // What happened, and in brackets what helps.
  std::string text() const { return remedy.empty() ? what : what + " (" + remedy + ")"; }
};

// The one return type of everything that can fail. An alias, so that callers read the project's
// word.
template <class T>
using Result = std::expected<T, Error>;

constexpr bool is_skip(ErrorKind kind) {
  return kind == ErrorKind::kAbsent || kind == ErrorKind::kNotPermitted ||
         kind == ErrorKind::kUnknown;
}

// For calls that report errno: `errnum` is positive. Convert on the line of the call, before
// anything else can change errno.
inline std::unexpected<Error> system_error(int errnum, const std::string& what) {
  return std::unexpected(Error{
      .kind = ErrorKind::kSystem, .errnum = errnum, .what = what + ": " + std::strerror(errnum)});
}

inline std::unexpected<Error> interrupted() {
  return std::unexpected(Error{.kind = ErrorKind::kInterrupted, .what = "interrupted"});
}

inline std::unexpected<Error> wrong_result(std::string what) {
  return std::unexpected(Error{.kind = ErrorKind::kWrongResult, .what = std::move(what)});
}

}  // namespace bpfmark
