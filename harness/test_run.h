// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// What BPF_PROG_TEST_RUN hands to a program.
struct TestRunInput {
  std::vector<std::byte> packet;   // empty: no data
  std::vector<std::byte> context;  // empty: no context
  std::uint32_t flags = 0;         // BPF_F_TEST_...
};

struct TestRunOutcome {
  std::uint32_t retval = 0;
  std::uint32_t duration_ns = 0;  // the kernel's own average over the repeats, truncated; 0 if none
  std::uint32_t restarts = 0;     // calls that a signal broke, each after some of its repeats
  double elapsed_ns = 0;          // user-space clock around the successful call
};

// Runs one program through BPF_PROG_TEST_RUN. Does not own the descriptor.
class TestRun {
 public:
  TestRun(int prog_fd, TestRunInput input) : prog_fd_(prog_fd), input_(std::move(input)) {}

  // `repeat` runs in one call; 0 for the types that take no repeat. A call that a signal broke
  // (EINTR) is done again from the start and its time is not counted, unless the signal asked the
  // run to stop. Errors: kSystem with the kernel's errno, kInterrupted.
  Result<TestRunOutcome> run(std::uint32_t repeat) const;

  // One bare call: no clock, no second try, no text. 0 or the negative errno; `retval` and
  // `duration_ns` are set on success. For batches of calls, where the call is what is timed.
  int call(std::uint32_t repeat, TestRunOutcome& outcome) const;

 private:
  int prog_fd_;
  TestRunInput input_;
};

}  // namespace bpfmark
