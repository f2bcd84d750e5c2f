// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <utility>

#include "bpf/shared/batch.h"
#include "harness/paired.h"
#include "harness/result.h"
#include "harness/test_run.h"

namespace bpfmark {

// What a batch must have counted to be a number.
struct ExpectedCounts {
  std::uint64_t hits = 0;
  std::uint64_t sum = 0;
};

// Makes a program run once. How long that took by the user-space clock, in ns.
using ProgramStart = std::function<Result<double>()>;

// Runs programs whose timed loop is inside (bpf/lib/batch.bpf.h): writes the request, clears the
// result, runs the program once, reads the result. Does not own the memory, which is the object's
// .bss mapping.
class InKernelBatch {
 public:
  InKernelBatch(int prog_fd, TestRunInput input, bpfmark_batch_request& request,
                bpfmark_batch_result& result);
  // For an attached program, which no test-run can start.
  InKernelBatch(ProgramStart start, bpfmark_batch_request& request, bpfmark_batch_result& result)
      : start_(std::move(start)), request_(&request), result_(&result) {}

  // One batch from place `first` of the prepared input. Errors: kWrongResult unless the program did
  // exactly `ops` operations; kSystem, kInterrupted.
  Result<Batch> run(std::uint64_t ops, std::uint64_t first = 0) const;

  const bpfmark_batch_result& result() const { return *result_; }

 private:
  ProgramStart start_;
  bpfmark_batch_request* request_;
  bpfmark_batch_result* result_;
};

// Errors: kWrongResult naming the count that is off.
Result<void> check_counts(const bpfmark_batch_result& result, const ExpectedCounts& expected);

}  // namespace bpfmark
