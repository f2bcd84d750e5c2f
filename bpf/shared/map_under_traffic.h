/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_MAP_UNDER_TRAFFIC_H
#define BPFMARK_BPF_SHARED_MAP_UNDER_TRAFFIC_H

#include <linux/types.h>

/* A flow as its packets state it, in network order. */
struct bpfmark_flow_key {
  __u32 source;
  __u32 destination;
  __u16 source_port;
  __u16 destination_port;
  __u32 protocol;
};

/* `word` is the flow's own, so that the sum over a batch proves which values were found. */
struct bpfmark_flow_value {
  __u64 word;
  __u64 packets;
};

/* Of all packets since the load. */
struct bpfmark_flow_counts {
  __u64 received;
  __u64 hits;
  __u64 sum; /* wraps */
};

#endif
