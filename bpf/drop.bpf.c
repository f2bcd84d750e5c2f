// SPDX-License-Identifier: BSD-2-Clause
// Counts the packets of a traffic source and drops them, at every hook. Every variant is loaded
// alone.
#include "bpf/lib/datagram.bpf.h"
#include "bpf/lib/socket_map.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Packets of one device come one after the other: plain increments are exact. */
__u64 received;

SEC("?xdp")
int drop_xdp(struct xdp_md* ctx) {
  if (!DATAGRAM_OF(ctx)) return XDP_PASS;
  received++;
  return XDP_DROP;
}

SEC("?tc")
int drop_tc(struct __sk_buff* ctx) {
  if (!DATAGRAM_OF(ctx)) return TC_ACT_OK;
  received++;
  return TC_ACT_SHOT;
}

/* A socket gets what is for its port only. */
SEC("?sk_skb")
int drop_sk_skb(struct __sk_buff* ctx) {
  received++;
  return SK_DROP;
}

/* Its one entry is the socket whose packets the program above sees. */
SK_SKB_SOCKETS(sockets, 1);
