// SPDX-License-Identifier: BSD-2-Clause
// Answers a message at every hook on its way up, with the message itself. Every variant is loaded
// alone; a program counts what it answered, so that nobody else can have.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "bpf/lib/socket_map.bpf.h"
#include "bpf/shared/echo.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct bpfmark_echo_counts counts;

SK_SKB_SOCKETS(sockets, 1);

AF_XDP_SOCKET(user_sockets);

/* Counts, and turns messages round where `turn` says so. */
static __always_inline enum bpfmark_echo_verdict answer(void* start, void* end, int turn) {
  struct bpfmark_echo_headers headers = {};
  const enum bpfmark_echo_verdict verdict = bpfmark_echo_look(start, end, &headers);

  if (verdict == BPFMARK_ECHO_MESSAGE) {
    if (turn) bpfmark_echo_turn(&headers);
    counts.answered++;
  } else if (verdict == BPFMARK_ECHO_ACKNOWLEDGE) {
    counts.acknowledged++;
  }
  return verdict;
}

/* clsact, TCX and netkit. The device is the one that the packet came in by, netkit's the other end
 * of the one that it left by: both times the client's packets come back to the client. */
SEC("?tc")
int echo_tc(struct __sk_buff* skb) {
  switch (answer((void*)(long)skb->data, (void*)(long)skb->data_end, 1)) {
    case BPFMARK_ECHO_MESSAGE:
      return (int)bpf_redirect(skb->ifindex, 0);
    case BPFMARK_ECHO_ACKNOWLEDGE:
      return TC_ACT_SHOT;
    default:
      return TC_ACT_OK;
  }
}

/* Native and generic. */
SEC("?xdp")
int echo_xdp(struct xdp_md* ctx) {
  switch (answer((void*)(long)ctx->data, (void*)(long)ctx->data_end, 1)) {
    case BPFMARK_ECHO_MESSAGE:
      return XDP_TX;
    case BPFMARK_ECHO_ACKNOWLEDGE:
      return XDP_DROP;
    default:
      return XDP_PASS;
  }
}

/* To the user space that has the queue, which turns it round. */
SEC("?xdp")
int echo_af_xdp(struct xdp_md* ctx) {
  switch (answer((void*)(long)ctx->data, (void*)(long)ctx->data_end, 0)) {
    case BPFMARK_ECHO_MESSAGE:
      return (int)bpf_redirect_map(&user_sockets, ctx->rx_queue_index, XDP_DROP);
    case BPFMARK_ECHO_ACKNOWLEDGE:
      return XDP_DROP;
    default:
      return XDP_PASS;
  }
}

/* At the client's end of a veth pair, without which the other end's XDP_TX goes nowhere. */
SEC("?xdp")
int pass_xdp(struct xdp_md* ctx) { return XDP_PASS; }

/* The socket has our messages only. Out by the socket that it came in by. */
SEC("?sk_skb/stream_verdict")
int echo_sk_skb(struct __sk_buff* skb) {
  counts.answered++;
  return (int)bpf_sk_redirect_map(skb, &sockets, 0, 0);
}

/* A black hole: swallows what is sent to it. */
SEC("?tc")
int drop_tc(struct __sk_buff* skb) {
  struct bpfmark_echo_headers headers = {};
  const enum bpfmark_echo_verdict verdict =
      bpfmark_echo_look((void*)(long)skb->data, (void*)(long)skb->data_end, &headers);

  if (verdict != BPFMARK_ECHO_MESSAGE) return TC_ACT_OK;
  counts.answered++;
  return TC_ACT_SHOT;
}
