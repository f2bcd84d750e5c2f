// SPDX-License-Identifier: BSD-2-Clause
// Writes the time into the payload of a packet in XDP, and reads it where the packet turns up next:
// at a hook behind, or (by user space) at a socket. The floor reads it at once. Every packet ends
// where its time was read.
#include "bpf/shared/time_to_hook.h"
#include "bpf/lib/datagram.bpf.h"
#include "bpf/lib/socket_map.bpf.h"
#include "bpf/shared/histogram.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The floor. Switched by user space: to attach another program takes the kernel too long. */
__u32 read_at_once;

/* Packets of one device come one after the other: plain additions are exact. */
struct bpfmark_transits transits;
struct bpfmark_transits floor_transits;
struct bpfmark_histogram transit_ns;

AF_XDP_SOCKET(user_sockets);

SK_SKB_SOCKETS(sockets, 1);

static __always_inline void take(struct bpfmark_transits* sum, __u64 stamp_ns, __u64 now_ns) {
  sum->count++;
  if (now_ns < stamp_ns) {
    sum->backwards++;
    return;
  }
  sum->elapsed_ns += now_ns - stamp_ns;
}

/* The payload is the last BPFMARK_TRAFFIC_PAYLOAD bytes, wherever the data of a hook begins. */
static __always_inline void arrive(struct __sk_buff* skb) {
  const __u64 now_ns = bpf_ktime_get_ns();
  __u64 stamp_ns = 0;
  if (bpf_skb_load_bytes(skb, skb->len - BPFMARK_TRAFFIC_PAYLOAD, &stamp_ns, sizeof(stamp_ns))) {
    return;
  }
  take(&transits, stamp_ns, now_ns);
  if (now_ns >= stamp_ns) bpfmark_histogram_record(&transit_ns, now_ns - stamp_ns);
}

/* --- where it begins */

/* Writes the time; whether it was read at once, and the packet ends here. */
static __always_inline int stamp(struct iphdr* ip) {
  volatile __u64* const stamp_ns = PAYLOAD_OF(ip);
  *stamp_ns = bpf_ktime_get_ns();
  if (!read_at_once) return 0;
  take(&floor_transits, *stamp_ns, bpf_ktime_get_ns());
  return 1;
}

SEC("?xdp")
int stamp_pass(struct xdp_md* ctx) {
  struct iphdr* const ip = DATAGRAM_OF(ctx);
  return ip && stamp(ip) ? XDP_DROP : XDP_PASS;
}

SEC("?xdp")
int stamp_redirect(struct xdp_md* ctx) {
  struct iphdr* const ip = DATAGRAM_OF(ctx);
  if (!ip) return XDP_PASS;
  if (stamp(ip)) return XDP_DROP;
  return (int)bpf_redirect_map(&user_sockets, ctx->rx_queue_index, XDP_DROP);
}

/* --- where it ends */

SEC("?tc")
int arrive_tc(struct __sk_buff* skb) {
  if (!DATAGRAM_OF(skb)) return TC_ACT_OK;
  arrive(skb);
  return TC_ACT_SHOT;
}

/* The cgroup has one socket, which gets what is for its port only. */
SEC("?cgroup_skb/ingress")
int arrive_cgroup(struct __sk_buff* skb) {
  arrive(skb);
  return 0;
}

SEC("?sk_skb")
int arrive_sk_skb(struct __sk_buff* skb) {
  arrive(skb);
  return SK_DROP;
}
