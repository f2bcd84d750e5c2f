/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets that the sources of traffic send, as programs at the hooks see them. */
#ifndef BPFMARK_BPF_LIB_DATAGRAM_BPF_H
#define BPFMARK_BPF_LIB_DATAGRAM_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/shared/traffic.h"

/* The IP header of a packet that is from a source, with all that UDP_OF() and PAYLOAD_OF() say
 * behind it, else NULL. */
static __always_inline struct iphdr* datagram_of(void* data, void* end) {
  struct ethhdr* const ethernet = data;
  struct iphdr* const ip = (struct iphdr*)(ethernet + 1);
  struct udphdr* const udp = (struct udphdr*)(ip + 1);
  if ((void*)(udp + 1) + BPFMARK_TRAFFIC_PAYLOAD > end) return NULL;
  if (ethernet->h_proto != bpf_htons(ETH_P_IP)) return NULL;
  if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return NULL;
  if (udp->dest != bpf_htons(BPFMARK_TRAFFIC_PORT)) return NULL;
  return ip;
}

#define UDP_OF(ip) ((struct udphdr*)((ip) + 1))
#define PAYLOAD_OF(ip) ((void*)(UDP_OF(ip) + 1))

/* Context of an XDP or of a TC program. */
#define DATAGRAM_OF(ctx) \
  datagram_of((void*)(unsigned long)(ctx)->data, (void*)(unsigned long)(ctx)->data_end)

#define DATAGRAM_HEADERS (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr))

/* The IP header of a packet that is known to be from a source, but may have been cut, else NULL. */
static __always_inline struct iphdr* headers_of(void* data, void* end) {
  return data + DATAGRAM_HEADERS > end ? NULL : data + sizeof(struct ethhdr);
}

/* Says in the headers that there are so many bytes of payload. The checksum follows by RFC 1624,
 * equation 3. */
static __always_inline void set_payload_bytes(struct iphdr* ip, __u32 bytes) {
  const __u16 total = bpf_htons((__u16)(sizeof(*ip) + sizeof(struct udphdr) + bytes));
  __u32 sum = (__u16)~ip->check;
  sum += (__u16)~ip->tot_len;
  sum += total;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  ip->check = (__u16)~sum;
  ip->tot_len = total;
  UDP_OF(ip)->len = bpf_htons((__u16)(sizeof(struct udphdr) + bytes));
}

#endif
