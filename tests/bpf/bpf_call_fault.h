// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <cstdint>

#include "tests/support/planted_answer.h"

namespace bpfmark {

// Answers every bpf_call() of this process while it lives, so that a test can show map_user a
// kernel that lies. One at a time. The executable must be linked with --wrap of that function.
class BpfCallFault {
 public:
  using Answer =
      PlantedAnswer<long(int command, bpf_attr& attributes, std::uint32_t bytes)>::Answer;

  explicit BpfCallFault(Answer answer);
  ~BpfCallFault();
  BpfCallFault(const BpfCallFault&) = delete;
  BpfCallFault& operator=(const BpfCallFault&) = delete;

  // The system call.
  static long real(int command, bpf_attr& attributes, std::uint32_t bytes);
};

}  // namespace bpfmark
