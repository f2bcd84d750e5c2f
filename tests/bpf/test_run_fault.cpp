// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bpf/test_run_fault.h"

#include <utility>

namespace {

bpfmark::PlantedAnswer<int(int, bpf_test_run_opts*)> planted;

}  // namespace

// The names are the linker's: --wrap sends every call to the first and calls libbpf the second.
extern "C" {
int __real_bpf_prog_test_run_opts(int prog_fd, bpf_test_run_opts* options);
int __wrap_bpf_prog_test_run_opts(int prog_fd, bpf_test_run_opts* options);

int __wrap_bpf_prog_test_run_opts(int prog_fd, bpf_test_run_opts* options) {
  return planted.call(__real_bpf_prog_test_run_opts, prog_fd, options);
}
}

namespace bpfmark {

TestRunFault::TestRunFault(Answer answer) { planted.plant(std::move(answer)); }

TestRunFault::~TestRunFault() { planted.remove(); }

int TestRunFault::real(int prog_fd, bpf_test_run_opts* options) {
  return __real_bpf_prog_test_run_opts(prog_fd, options);
}

}  // namespace bpfmark
