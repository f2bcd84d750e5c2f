// SPDX-License-Identifier: BSD-2-Clause
#include "harness/in_kernel_batch.h"

#include <fmt/format.h>

namespace bpfmark {

InKernelBatch::InKernelBatch(int prog_fd, TestRunInput input, bpfmark_batch_request& request,
                             bpfmark_batch_result& result)
    : InKernelBatch(
          [run = TestRun(prog_fd, std::move(input))]() -> Result<double> {
            const Result<TestRunOutcome> outcome = run.run(0);
            if (!outcome) return std::unexpected(outcome.error());
            return outcome->elapsed_ns;
          },
          request, result) {}

Result<Batch> InKernelBatch::run(std::uint64_t ops, std::uint64_t first) const {
  *request_ = {.ops = ops, .first = first};
  *result_ = {};  // or a program that did nothing would be taken for the one before it
  const Result<double> user_elapsed_ns = start_();
  if (!user_elapsed_ns) return std::unexpected(user_elapsed_ns.error());
  // The program wrote through its own mapping: the compiler cannot know that the memory changed.
  asm volatile("" ::: "memory");
  if (result_->ops != ops) {
    return wrong_result(fmt::format("{} operations were done instead of {}", result_->ops, ops));
  }
  return Batch{.elapsed_ns = static_cast<double>(result_->elapsed_ns),
               .user_elapsed_ns = *user_elapsed_ns};
}

Result<void> check_counts(const bpfmark_batch_result& result, const ExpectedCounts& expected) {
  if (result.hits != expected.hits) {
    return wrong_result(fmt::format("{} hits in {} operations instead of {}", result.hits,
                                    result.ops, expected.hits));
  }
  if (result.sum != expected.sum) {
    return wrong_result(
        fmt::format("the values read add up to {} instead of {}", result.sum, expected.sum));
  }
  return {};
}

}  // namespace bpfmark
