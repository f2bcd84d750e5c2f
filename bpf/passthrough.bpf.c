// SPDX-License-Identifier: BSD-2-Clause
// The smallest programs that prove that they ran: one a hook, counts the packets of IPv4 (of which
// there are ours only) and lets them pass.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/lib/socket_map.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Packets of one device come one after the other: plain increments are exact. */
__u64 passed;

SK_SKB_SOCKETS(sockets, 64);

SEC("?xdp")
int pass_xdp(struct xdp_md* ctx) {
  const struct ethhdr* const ethernet = (void*)(unsigned long)ctx->data;
  if ((void*)(ethernet + 1) > (void*)(unsigned long)ctx->data_end) return XDP_PASS;
  if (ethernet->h_proto == bpf_htons(ETH_P_IP)) passed++;
  return XDP_PASS;
}

SEC("?tc")
int pass_tc(struct __sk_buff* skb) {
  if (skb->protocol == bpf_htons(ETH_P_IP)) passed++;
  return TC_ACT_OK;
}

/* What follows is attached to our sockets, or to a cgroup that has no others. */

SEC("?cgroup_skb/ingress")
int pass_cgroup(struct __sk_buff* skb) {
  passed++;
  return 1;
}

SEC("?socket")
int pass_socket(struct __sk_buff* skb) {
  passed++;
  return (int)skb->len;
}

SEC("?sk_skb")
int pass_sk_skb(struct __sk_buff* skb) {
  passed++;
  return SK_PASS;
}
