// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <span>

#include "bpf/shared/compute.h"

namespace bpfmark {

// A kernel of bpf/shared/compute.h as the compiler made it at one level of optimisation.
struct HostKernel {
  const char* kernel;  // "fib", or "floor" for a function that does nothing
  __u64 (*run)(__u32 n, bpfmark_compute_data* data);
  std::size_t code_bytes;  // of the function, its alignment included
};

// One function per level, each from an object of its own.
std::span<const HostKernel> host_kernels_o0();
std::span<const HostKernel> host_kernels_o1();
std::span<const HostKernel> host_kernels_o2();
std::span<const HostKernel> host_kernels_o3();

}  // namespace bpfmark
