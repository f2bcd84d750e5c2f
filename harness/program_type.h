// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <span>
#include <string_view>

#include "harness/test_run.h"

namespace bpfmark {

// A program type that BPF_PROG_TEST_RUN can run, and what its test-run wants.
struct ProgramType {
  std::string_view name;  // the capability is "test_run_" + name
  bpf_prog_type type;
  bpf_attach_type attach_type;  // expected_attach_type at load
  bool takes_repeat;
  std::string_view first_kernel;  // of its test-run
  std::string_view config;
  TestRunInput (*input)();
};

// Sorted by name.
std::span<const ProgramType> program_types();

// nullptr if there is no such name.
const ProgramType* find_program_type(std::string_view name);

}  // namespace bpfmark
