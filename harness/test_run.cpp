// SPDX-License-Identifier: BSD-2-Clause
#include "harness/test_run.h"

#include <bpf/bpf.h>

#include <cerrno>

#include "harness/clock.h"
#include "harness/interrupt.h"

namespace bpfmark {

int TestRun::call(std::uint32_t repeat, TestRunOutcome& outcome) const {
  LIBBPF_OPTS(bpf_test_run_opts, options);
  if (!input_.packet.empty()) {
    options.data_in = input_.packet.data();
    options.data_size_in = static_cast<std::uint32_t>(input_.packet.size());
  }
  if (!input_.context.empty()) {
    options.ctx_in = input_.context.data();
    options.ctx_size_in = static_cast<std::uint32_t>(input_.context.size());
  }
  options.repeat = static_cast<int>(repeat);
  options.flags = input_.flags;
  const int err = bpf_prog_test_run_opts(prog_fd_, &options);
  outcome.retval = options.retval;
  outcome.duration_ns = options.duration;
  return err;
}

Result<TestRunOutcome> TestRun::run(std::uint32_t repeat) const {
  TestRunOutcome outcome;
  while (true) {
    const std::uint64_t start = now_ns();
    const int err = call(repeat, outcome);
    outcome.elapsed_ns = static_cast<double>(now_ns() - start);
    if (err == 0) return outcome;
    if (err != -EINTR) return system_error(-err, "BPF_PROG_TEST_RUN");
    if (stop_signal() != 0) {
      return interrupted();
    }
    ++outcome.restarts;
  }
}

}  // namespace bpfmark
