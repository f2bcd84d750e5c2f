// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// How a child process ended, and what it said. The output is held in memory files: whoever is
// killed at any moment leaves none behind.
struct ChildOutcome {
  int exit_code = -1;  // -1 if a signal ended it
  int signal = 0;      // that signal
  double seconds = 0;
  std::string out;
  std::string err;

  bool succeeded() const { return exit_code == 0; }
};

// "ended with status 2", "was killed by signal 9"
std::string ending_text(const ChildOutcome& outcome);

// The last lines of what it said on stderr, as one line; at most 500 bytes.
std::string last_words(const std::string& err);

enum class OnStop {
  kEndChild,  // a stop signal ends the child, and the call with kInterrupted
  kFinish,    // the child puts something back, and is waited for in any case
};

// Runs a program (a path, no search) to its end, without a shell, its input empty. It has a process
// group of its own, so that an interrupt from the keyboard reaches this process alone, and dies
// with it. Errors: kSystem if it cannot be executed, kInterrupted.
Result<ChildOutcome> run_child(const std::vector<std::string>& arguments, OnStop on_stop);

}  // namespace bpfmark
