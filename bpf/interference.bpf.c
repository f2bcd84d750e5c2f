// SPDX-License-Identifier: BSD-2-Clause
// Burns a number of steps for every packet of the aggressor, or lets it pass to a server that does;
// all other packets of the same queue pass at once.
#include "bpf/shared/interference.h"
#include "bpf/lib/datagram.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* At most BPFMARK_MAX_STEPS; burned here, or else in user space. */
const volatile __u32 steps;
const volatile __u32 burn_here;

/* Packets of one queue come one after the other: plain increments are exact. */
__u64 seen;
__u64 last_value;

SEC("xdp")
int interfere(struct xdp_md* ctx) {
  if (!DATAGRAM_OF(ctx)) return XDP_PASS;
  seen++;
  if (!burn_here) return XDP_PASS;
  __u64 value = seen | 1;
#pragma clang loop unroll(disable)
  for (__u32 step = 0; step < BPFMARK_MAX_STEPS; step++) {
    if (step >= steps) break;
    value = BPFMARK_STEP(value);
    asm volatile("" : "+r"(value));
  }
  last_value = value;
  return XDP_DROP;
}
