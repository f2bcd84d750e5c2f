// SPDX-License-Identifier: BSD-2-Clause
// The kernels of bpf/shared/compute.h as BPF programs. Compiled once for each version of the
// instruction set.
#include "bpf/lib/batch.bpf.h"

#include "bpf/shared/compute.h"

const volatile __u32 compute_n = 1;
struct bpfmark_compute_data compute_data;

/* A function of its own, global so that it is verified once and not once per call; the argument
 * keeps calls from being folded into one. */
#define COMPUTE(name, work)                \
  __noinline __u64 do_##name(__u64 seed) { \
    BPFMARK_OPAQUE(seed);                  \
    return work;                           \
  }                                        \
  TIMED_PROGRAM("?tc", struct __sk_buff, compute_##name, , value = do_##name(step), 1)

COMPUTE(floor, 1)
COMPUTE(fib, bpfmark_fib(compute_n, &compute_data))
COMPUTE(byte_sum, bpfmark_byte_sum(compute_n, &compute_data))
COMPUTE(ip_checksum, bpfmark_ip_checksum(compute_n, &compute_data))
COMPUTE(sieve, bpfmark_sieve(compute_n, &compute_data))
COMPUTE(memcpy, bpfmark_memcpy(compute_n, &compute_data))
