// SPDX-License-Identifier: BSD-2-Clause
// Counts the packets of every flow in a map and drops them: one access to the map a packet; or
// finds the key of the packet in the same way, and leaves the map alone.
#include "bpf/shared/map_under_traffic.h"
#include "bpf/lib/datagram.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The floor. Switched by user space: to attach another program takes the kernel too long. */
__u32 bare;

/* Packets of one device come one after the other: plain additions are exact. */
struct bpfmark_flow_counts counts;

/* By the number of the flow. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bpfmark_flow_value);
} by_number SEC(".maps");

/* By addresses and ports; user space sets the type before the load. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1);
  __type(key, struct bpfmark_flow_key);
  __type(value, struct bpfmark_flow_value);
} by_key SEC(".maps");

static __always_inline __u32 number_of(const struct iphdr* ip) {
  return bpf_ntohl(ip->saddr) - BPFMARK_FIRST_FLOW;
}

static __always_inline struct bpfmark_flow_key key_of(const struct iphdr* ip) {
  const struct bpfmark_flow_key key = {.source = ip->saddr,
                                       .destination = ip->daddr,
                                       .source_port = UDP_OF(ip)->source,
                                       .destination_port = UDP_OF(ip)->dest,
                                       .protocol = ip->protocol};
  return key;
}

static __always_inline int count(struct bpfmark_flow_value* value) {
  counts.received++;
  if (!value) return XDP_DROP;
  value->packets++;
  counts.hits++;
  counts.sum += value->word;
  return XDP_DROP;
}

/* What the floor finds is the flow's number. */
static __always_inline int count_bare(__u64 number) {
  counts.received++;
  counts.hits++;
  counts.sum += number;
  return XDP_DROP;
}

SEC("?xdp")
int number_lookup(struct xdp_md* ctx) {
  const struct iphdr* const ip = DATAGRAM_OF(ctx);
  if (!ip) return XDP_PASS;
  __u32 number = number_of(ip);
  asm volatile("" : "+m"(number)::"memory");
  if (bare) return count_bare(number);
  return count(bpf_map_lookup_elem(&by_number, &number));
}

SEC("?xdp")
int key_lookup(struct xdp_md* ctx) {
  const struct iphdr* const ip = DATAGRAM_OF(ctx);
  if (!ip) return XDP_PASS;
  struct bpfmark_flow_key key = key_of(ip);
  asm volatile("" : "+m"(key)::"memory");
  if (bare) return count_bare(bpf_ntohl(key.source) - BPFMARK_FIRST_FLOW);
  return count(bpf_map_lookup_elem(&by_key, &key));
}
