// SPDX-License-Identifier: BSD-2-Clause
// Joins requests: takes what is asked out of each, drops all but the last, and lets that one pass
// with everything in it.
#include "bpf/lib/datagram.bpf.h"
#include "bpf/shared/batching.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* How many become one, at most BPFMARK_MAX_JOINED. */
const volatile __u32 requests = 1;

/* Off: everything passes as it is. */
__u32 joining;

/* Packets of one device come one after the other: no two programs are in here at a time. */
struct bpfmark_joined waiting[BPFMARK_MAX_JOINED];
__u32 waiting_count;
__u64 taken;

enum step { STEP_PASS, STEP_DROP, STEP_DELIVER, STEP_ABORT };

static __always_inline enum step take(const struct iphdr* ip, void* end) {
  if (!ip || !joining) return STEP_PASS;
  if (PAYLOAD_OF(ip) + BPFMARK_REQUEST_BYTES > end) return STEP_PASS;
  const __u32 place = waiting_count;
  if (place >= BPFMARK_MAX_JOINED) return STEP_ABORT;
  waiting[place].source = ip->saddr;
  waiting[place].port = UDP_OF(ip)->source;
  waiting[place].digest = bpfmark_digest(ip->saddr, PAYLOAD_OF(ip));
  taken++;
  waiting_count = place + 1;
  if (waiting_count < requests) return STEP_DROP;
  waiting_count = 0;
  return STEP_DELIVER;
}

SEC("?xdp")
int batching_xdp(struct xdp_md* ctx) {
  struct iphdr* ip = DATAGRAM_OF(ctx);
  const __u32 bytes = requests * sizeof(struct bpfmark_joined);
  switch (take(ip, (void*)(unsigned long)ctx->data_end)) {
    case STEP_PASS:
      return XDP_PASS;
    case STEP_DROP:
      return XDP_DROP;
    case STEP_ABORT:
      return XDP_ABORTED;
    case STEP_DELIVER:
      break;
  }
  if (bpf_xdp_adjust_tail(ctx, (int)bytes - BPFMARK_REQUEST_BYTES)) return XDP_ABORTED;
  ip = headers_of((void*)(unsigned long)ctx->data, (void*)(unsigned long)ctx->data_end);
  if (!ip) return XDP_ABORTED;
  set_payload_bytes(ip, bytes);
  if (bpf_xdp_store_bytes(ctx, DATAGRAM_HEADERS, waiting, bytes)) return XDP_ABORTED;
  return XDP_PASS;
}

SEC("?tc")
int batching_tc(struct __sk_buff* skb) {
  struct iphdr* ip = DATAGRAM_OF(skb);
  const __u32 bytes = requests * sizeof(struct bpfmark_joined);
  switch (take(ip, (void*)(unsigned long)skb->data_end)) {
    case STEP_PASS:
      return TC_ACT_OK;
    case STEP_DROP:
    case STEP_ABORT:
      return TC_ACT_SHOT;
    case STEP_DELIVER:
      break;
  }
  if (bpf_skb_change_tail(skb, DATAGRAM_HEADERS + bytes, 0)) return TC_ACT_SHOT;
  if (bpf_skb_store_bytes(skb, DATAGRAM_HEADERS, waiting, bytes, 0)) return TC_ACT_SHOT;
  ip = headers_of((void*)(unsigned long)skb->data, (void*)(unsigned long)skb->data_end);
  if (!ip) return TC_ACT_SHOT;
  set_payload_bytes(ip, bytes);
  return TC_ACT_OK;
}
