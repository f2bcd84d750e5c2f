// SPDX-License-Identifier: BSD-2-Clause
// Joins requests: takes what is asked out of each, drops all but the last, and lets that one pass
// with everything in it.
#include "bpf/lib/datagram.bpf.h"
#include "bpf/lib/socket_map.bpf.h"
#include "bpf/shared/batching.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* How many become one, at most BPFMARK_MAX_JOINED. */
const volatile __u32 requests = 1;

/* Off: everything passes as it is. At a socket the program is not there then. */
__u32 joining;

SK_SKB_SOCKETS(sockets, 1);

/* Packets of one device come one after the other: no two programs are in here at a time. */
struct bpfmark_joined waiting[BPFMARK_MAX_JOINED];
__u32 waiting_count;
__u64 taken;

enum step { STEP_PASS, STEP_DROP, STEP_DELIVER, STEP_ABORT };

/* Of a payload that has all its bytes. */
static __always_inline enum step take_from(__u32 source, __u32 port, const __u8* payload) {
  const __u32 place = waiting_count;
  if (place >= BPFMARK_MAX_JOINED) return STEP_ABORT;
  waiting[place].source = source;
  waiting[place].port = port;
  waiting[place].digest = bpfmark_digest(source, payload);
  taken++;
  waiting_count = place + 1;
  if (waiting_count < requests) return STEP_DROP;
  waiting_count = 0;
  return STEP_DELIVER;
}

static __always_inline enum step take(const struct iphdr* ip, void* end) {
  if (!ip || !joining) return STEP_PASS;
  if (PAYLOAD_OF(ip) + BPFMARK_REQUEST_BYTES > end) return STEP_PASS;
  return take_from(ip->saddr, UDP_OF(ip)->source, PAYLOAD_OF(ip));
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

/* The kernel's own view of the context: what SK_SKB shows of a datagram begins behind its headers,
 * and who asked stands in these. */
struct sk_buff {
  unsigned char* head;
  __u16 network_header;
} __attribute__((preserve_access_index));
extern void* bpf_cast_to_kern_ctx(void* ctx) __ksym __weak;

struct datagram_headers {
  struct iphdr ip;
  struct udphdr udp;
};

SEC("?sk_skb")
int batching_sk_skb(struct __sk_buff* skb) {
  const struct sk_buff* const kernel_skb = bpf_cast_to_kern_ctx(skb);
  const __u32 bytes = requests * sizeof(struct bpfmark_joined);
  struct datagram_headers headers;
  if (bpf_probe_read_kernel(&headers, sizeof(headers),
                            kernel_skb->head + kernel_skb->network_header))
    return SK_DROP;
  if (bpf_skb_pull_data(skb, BPFMARK_REQUEST_BYTES)) return SK_DROP;
  const __u8* const payload = (const __u8*)(unsigned long)skb->data;
  if (payload + BPFMARK_REQUEST_BYTES > (const __u8*)(unsigned long)skb->data_end) return SK_DROP;
  if (take_from(headers.ip.saddr, headers.udp.source, payload) != STEP_DELIVER) return SK_DROP;
  if (bpf_skb_change_tail(skb, bytes, 0)) return SK_DROP;
  if (bpf_skb_store_bytes(skb, 0, waiting, bytes, 0)) return SK_DROP;
  return SK_PASS;
}
