/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_TRAFFIC_H
#define BPFMARK_BPF_SHARED_TRAFFIC_H

#include <linux/types.h>

/* UDP port that all packets of the sources of traffic go to: whatever else passes a device (IPv6's
 * own packets when it comes up) is let through and not counted. */
#define BPFMARK_TRAFFIC_PORT 8080

/* Bytes behind the headers of the smallest packet: 60 bytes without Ethernet's checksum. */
#define BPFMARK_TRAFFIC_PAYLOAD 18

/* Longest stream of flows that the source of live frames draws from; a power of two. */
#define BPFMARK_MAX_FLOW_STREAM (1u << 18)

/* Where flows begin: flow n comes from this address plus n, of 198.18.0.0/15 (and on), host order.
 */
#define BPFMARK_FIRST_FLOW 0xC6120100u

/* What differs in the frames of a flow, as it stands in the IP header. */
struct bpfmark_flow {
  __u32 source;
  __u32 checksum;
};

#endif
