// SPDX-License-Identifier: BSD-2-Clause
// Frames that a test-run makes and sends out of a device (live frames), or throws away, which is
// the floor.
#include "bpf/lib/datagram.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Length of the stream of flows minus one. */
const volatile __u32 flow_mask;

struct bpfmark_flow flows[BPFMARK_MAX_FLOW_STREAM];

/* One source at a time: plain increments are exact. */
__u64 generated;

/* Its one entry is the device to send out of. */
struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} outlet SEC(".maps");

/* Makes the frame the next of its stream: all but the flow was made before the run. */
static __always_inline int next_frame(struct xdp_md* ctx) {
  struct iphdr* const ip = DATAGRAM_OF(ctx);
  if (!ip) return -1;
  const struct bpfmark_flow* const flow =
      &flows[generated++ & flow_mask & (BPFMARK_MAX_FLOW_STREAM - 1)];
  ip->saddr = flow->source;
  ip->check = (__u16)flow->checksum;
  return 0;
}

SEC("xdp")
int traffic_send(struct xdp_md* ctx) {
  if (next_frame(ctx)) return XDP_ABORTED;
  return bpf_redirect_map(&outlet, 0, XDP_ABORTED);
}

SEC("xdp")
int traffic_discard(struct xdp_md* ctx) { return next_frame(ctx) ? XDP_ABORTED : XDP_DROP; }
