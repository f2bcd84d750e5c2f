// SPDX-License-Identifier: BSD-2-Clause
// Cuts the payload of a datagram to a size from a map, sets lengths and checksum right, and lets it
// pass; or lets it pass as it is.
#include "bpf/lib/datagram.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Bytes of payload that are to be left. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} target SEC(".maps");

/* The floor. Switched by user space: to attach another program takes the kernel too long. */
__u32 whole;

/* Packets of one device come one after the other: plain increments are exact. */
__u64 passed;

SEC("xdp")
int size_cut(struct xdp_md* ctx) {
  struct iphdr* ip = DATAGRAM_OF(ctx);
  if (!ip) return XDP_PASS;
  if (whole) {
    passed++;
    return XDP_PASS;
  }
  const __u32 key = 0;
  const __u32* const wanted = bpf_map_lookup_elem(&target, &key);
  if (!wanted) return XDP_ABORTED;
  const __u32 bytes = *wanted;
  const int now = bpf_ntohs(UDP_OF(ip)->len) - (int)sizeof(struct udphdr);
  if (bpf_xdp_adjust_tail(ctx, (int)bytes - now)) return XDP_ABORTED;
  ip = headers_of((void*)(unsigned long)ctx->data, (void*)(unsigned long)ctx->data_end);
  if (!ip) return XDP_ABORTED;
  set_payload_bytes(ip, bytes);
  passed++;
  return XDP_PASS;
}
