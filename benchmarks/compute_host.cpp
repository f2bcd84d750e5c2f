// SPDX-License-Identifier: BSD-2-Clause
// The kernels of bpf/shared/compute.h in user space. Compiled once for each level of optimisation,
// which comes in BPFMARK_LEVEL.
#include "benchmarks/compute_host.h"

#define BPFMARK_JOIN_(a, b) a##b
#define BPFMARK_JOIN(a, b) BPFMARK_JOIN_(a, b)
#define BPFMARK_TEXT_(a) #a
#define BPFMARK_TEXT(a) BPFMARK_TEXT_(a)

// Every function has a section of its own, whose start and end the linker knows by its name.
#define BPFMARK_SECTION(name) BPFMARK_JOIN(bpfmark_host_##name##_, BPFMARK_LEVEL)
#define BPFMARK_START(name) BPFMARK_JOIN(__start_bpfmark_host_##name##_, BPFMARK_LEVEL)
#define BPFMARK_STOP(name) BPFMARK_JOIN(__stop_bpfmark_host_##name##_, BPFMARK_LEVEL)

#define BPFMARK_HOST(name, work)                                                              \
  extern "C" const char BPFMARK_START(name)[];                                                \
  extern "C" const char BPFMARK_STOP(name)[];                                                 \
  namespace {                                                                                 \
  [[gnu::noipa, gnu::section(BPFMARK_TEXT(BPFMARK_SECTION(name)))]] __u64 run_##name(         \
      [[maybe_unused]] __u32 n, [[maybe_unused]] bpfmark_compute_data* data) {                \
    return work;                                                                              \
  }                                                                                           \
  const HostKernel kernel_##name = {                                                          \
      #name, run_##name, static_cast<std::size_t>(BPFMARK_STOP(name) - BPFMARK_START(name))}; \
  }

namespace bpfmark {

BPFMARK_HOST(floor, 1)
BPFMARK_HOST(fib, bpfmark_fib(n, data))
BPFMARK_HOST(byte_sum, bpfmark_byte_sum(n, data))
BPFMARK_HOST(ip_checksum, bpfmark_ip_checksum(n, data))
BPFMARK_HOST(sieve, bpfmark_sieve(n, data))
BPFMARK_HOST(memcpy, bpfmark_memcpy(n, data))

std::span<const HostKernel> BPFMARK_JOIN(host_kernels_, BPFMARK_LEVEL)() {
  static const HostKernel kernels[] = {kernel_floor,       kernel_fib,   kernel_byte_sum,
                                       kernel_ip_checksum, kernel_sieve, kernel_memcpy};
  return kernels;
}

}  // namespace bpfmark
