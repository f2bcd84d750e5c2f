// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "fixtures/unique_fd.h"
#include "harness/result.h"

namespace bpfmark {

struct ProcessOptions {
  std::string program;                 // path
  std::vector<std::string> arguments;  // without the program's own name
  bool as_nobody = false;              // give up root first; nothing to do for other users
  std::string stdin_path;              // instead of the test's own
  std::string stdout_path;             // instead of capturing what it prints
  bool stderr_is_terminal = false;     // a pseudo-terminal; captured all the same
  std::optional<rlim_t> file_size_limit;
};

struct ProcessResult {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;      // that signal
  std::string out;
  std::string err;
};

// Found by GoogleTest, which otherwise prints the bytes.
inline void PrintTo(const ProcessResult& result, std::ostream* out) {
  *out << "exit " << result.exit_code << ", signal " << result.signal << ", stderr:\n"
       << result.err;
}

// A child process whose stdout and stderr are captured; no shell. Killed and reaped if it is still
// there when the object goes.
class Process {
 public:
  // Errors: kSystem. A program that cannot be executed ends with exit code 127.
  static Result<Process> start(const ProcessOptions& options);

  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // Reads until stderr has given `text`. False if the process or the time came to an end before.
  bool wait_for_stderr(const std::string& text, std::chrono::milliseconds timeout);

  void send(int signal) const;

  // Reads to the end and reaps. Errors: kSystem (ETIMEDOUT) after `timeout`; the process is killed.
  Result<ProcessResult> wait(std::chrono::milliseconds timeout);

 private:
  using Deadline = std::chrono::steady_clock::time_point;

  Process(pid_t pid, UniqueFd out, UniqueFd err)
      : pid_(pid), out_(std::move(out)), err_(std::move(err)) {}

  // Waits for the next output and takes it. False once both streams have ended or time is up.
  bool read_some(Deadline deadline);

  pid_t pid_;
  UniqueFd out_;
  UniqueFd err_;
  ProcessResult result_;
};

}  // namespace bpfmark
