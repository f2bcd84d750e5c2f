// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bpf/bpf.h>

#include "tests/support/planted_answer.h"

namespace bpfmark {

// Answers every bpf_prog_test_run_opts() of this process while it lives, in place of libbpf, so
// that a test can show a verifier a kernel that lies. One at a time; the end of it waits for the
// threads that are in the answer. The executable must be linked with --wrap=bpf_prog_test_run_opts.
class TestRunFault {
 public:
  using Answer = PlantedAnswer<int(int prog_fd, bpf_test_run_opts* options)>::Answer;

  explicit TestRunFault(Answer answer);
  ~TestRunFault();
  TestRunFault(const TestRunFault&) = delete;
  TestRunFault& operator=(const TestRunFault&) = delete;

  // libbpf's own.
  static int real(int prog_fd, bpf_test_run_opts* options);
};

// Says that the program ran, and does not run it.
inline int pretend_to_run(int /*prog_fd*/, bpf_test_run_opts* options) {
  options->retval = 0;
  return 0;
}

}  // namespace bpfmark
