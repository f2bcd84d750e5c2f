/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_ECHO_H
#define BPFMARK_BPF_SHARED_ECHO_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/types.h>
#include <linux/udp.h>

/* Ports of the two ends, in namespaces of our own. */
#define BPFMARK_ECHO_PORT 8080
#define BPFMARK_ECHO_CLIENT_PORT 3000

/* Every message begins with these, in the byte order of the machine, and is filled up to its size.
 */
#define BPFMARK_MESSAGE_MAGIC 0x6b72616d /* "mark" */
struct bpfmark_message {
  __u32 magic;
  __u32 sequence;
};

/* What a hook did since the load. One flow on one CPU: plain additions are exact. */
struct bpfmark_echo_counts {
  __u64 answered;     /* messages sent back, or handed on to who sends them back */
  __u64 acknowledged; /* segments without data, of which the server's TCP must know nothing */
};

/* What becomes of a frame. */
enum bpfmark_echo_verdict {
  BPFMARK_ECHO_OTHER,      /* not a message of ours: let it pass */
  BPFMARK_ECHO_ACKNOWLEDGE, /* a bare acknowledgement of our connection: to be dropped */
  BPFMARK_ECHO_MESSAGE,    /* a message */
};

/* The order of bytes in packets; both sides of the boundary have it the same way. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define bpfmark_be16(value) ((__be16)__builtin_bswap16((__u16)(value)))
#define bpfmark_be32(value) ((__be32)__builtin_bswap32((__u32)(value)))
#else
#define bpfmark_be16(value) ((__be16)(value))
#define bpfmark_be32(value) ((__be32)(value))
#endif

/* The timestamp option in the form in which TCP of Linux sends it, alone after two bytes of padding.
 */
struct bpfmark_tcp_timestamps {
  __be32 kind; /* 1, 1, 8, 10 */
  __be32 value;
  __be32 echo;
};
#define BPFMARK_TCP_TIMESTAMPS bpfmark_be32(0x0101080a)

#define BPFMARK_PROTOCOL_TCP 6
#define BPFMARK_PROTOCOL_UDP 17

#define BPFMARK_TCP_WORDS 5
#define BPFMARK_TCP_WORDS_WITH_TIMESTAMPS 8

/* Headers of a frame that is long enough for them. Which of them there are stands beside them,
 * because the verifier would not believe the packet the same thing twice. */
struct bpfmark_echo_headers {
  struct ethhdr* ethernet;
  struct iphdr* ip;
  struct udphdr* udp;
  struct tcphdr* tcp;
  struct bpfmark_tcp_timestamps* timestamps;
  __u32 protocol;
  __u32 tcp_words; /* length of the TCP header */
};

#define BPFMARK_ALWAYS_INLINE static inline __attribute__((always_inline))

/*
 * Looks for a message of ours in the frame from `start` to `end`: IPv4 without options, to our
 * port. Of TCP only the segments of an established connection, with no option but timestamps.
 */
BPFMARK_ALWAYS_INLINE enum bpfmark_echo_verdict bpfmark_echo_look(
    void* start, void* end, struct bpfmark_echo_headers* headers) {
  struct ethhdr* const ethernet = (struct ethhdr*)start;
  struct iphdr* const ip = (struct iphdr*)(ethernet + 1);
  struct bpfmark_message* message;

  if ((void*)(ip + 1) > end) return BPFMARK_ECHO_OTHER;
  if (ethernet->h_proto != bpfmark_be16(ETH_P_IP) || ip->ihl != 5) return BPFMARK_ECHO_OTHER;
  headers->ethernet = ethernet;
  headers->ip = ip;
  if (ip->protocol == BPFMARK_PROTOCOL_UDP) {
    struct udphdr* const udp = (struct udphdr*)(ip + 1);

    message = (struct bpfmark_message*)(udp + 1);
    if ((void*)(message + 1) > end) return BPFMARK_ECHO_OTHER;
    if (udp->dest != bpfmark_be16(BPFMARK_ECHO_PORT)) return BPFMARK_ECHO_OTHER;
    headers->udp = udp;
    headers->protocol = BPFMARK_PROTOCOL_UDP;
  } else if (ip->protocol == BPFMARK_PROTOCOL_TCP) {
    struct tcphdr* const tcp = (struct tcphdr*)(ip + 1);
    struct bpfmark_tcp_timestamps* const timestamps = (struct bpfmark_tcp_timestamps*)(tcp + 1);

    if ((void*)(tcp + 1) > end) return BPFMARK_ECHO_OTHER;
    if (tcp->dest != bpfmark_be16(BPFMARK_ECHO_PORT)) return BPFMARK_ECHO_OTHER;
    if (!tcp->ack || tcp->syn || tcp->fin || tcp->rst) return BPFMARK_ECHO_OTHER;
    headers->tcp = tcp;
    headers->protocol = BPFMARK_PROTOCOL_TCP;
    headers->tcp_words = BPFMARK_TCP_WORDS;
    message = (struct bpfmark_message*)timestamps;
    if (tcp->doff == BPFMARK_TCP_WORDS_WITH_TIMESTAMPS) {
      if ((void*)(timestamps + 1) > end) return BPFMARK_ECHO_OTHER;
      if (timestamps->kind != BPFMARK_TCP_TIMESTAMPS) return BPFMARK_ECHO_OTHER;
      headers->timestamps = timestamps;
      headers->tcp_words = BPFMARK_TCP_WORDS_WITH_TIMESTAMPS;
      message = (struct bpfmark_message*)(timestamps + 1);
    } else if (tcp->doff != BPFMARK_TCP_WORDS) {
      return BPFMARK_ECHO_OTHER;
    }
    /* A frame can be longer than what is in it. */
    if (bpfmark_be16(ip->tot_len) == sizeof(*ip) + headers->tcp_words * 4) return BPFMARK_ECHO_ACKNOWLEDGE;
    if ((void*)(message + 1) > end) return BPFMARK_ECHO_OTHER;
  } else {
    return BPFMARK_ECHO_OTHER;
  }
  return message->magic == BPFMARK_MESSAGE_MAGIC ? BPFMARK_ECHO_MESSAGE : BPFMARK_ECHO_OTHER;
}

/* A checksum of the Internet once the 32 bits `from` under it are `to` (RFC 1624, equation 3). All
 * in the order of the packet, in which the sum comes out the same. */
BPFMARK_ALWAYS_INLINE __sum16 bpfmark_echo_checksum(__sum16 old, __be32 from, __be32 to) {
  __u32 sum = (__u16)~old;

  sum += (__u16)~from;
  sum += (__u16)~(from >> 16);
  sum += (__u16)to;
  sum += to >> 16;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (__sum16)~sum;
}

/*
 * Turns a message round: addresses and ports change places, which leaves all checksums as they are.
 * The time to live stays.
 *
 * Of TCP the reply begins where the peer said that it goes on, and acknowledges the request: of the
 * words under the checksum only the old sequence number is gone, and the new acknowledgement came
 * in its place. The timestamps change places as well. The TCP of the server is never asked, so it
 * works for one request at a time, and the connection is of no use for anything else afterwards.
 */
BPFMARK_ALWAYS_INLINE void bpfmark_echo_turn(const struct bpfmark_echo_headers* headers) {
  struct ethhdr* const ethernet = headers->ethernet;
  struct iphdr* const ip = headers->ip;
  const __be32 source = ip->saddr;
  __u8 mac[ETH_ALEN];
  __be16 port;

  __builtin_memcpy(mac, ethernet->h_source, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
  __builtin_memcpy(ethernet->h_dest, mac, ETH_ALEN);
  ip->saddr = ip->daddr;
  ip->daddr = source;
  if (headers->protocol == BPFMARK_PROTOCOL_UDP) {
    port = headers->udp->source;
    headers->udp->source = headers->udp->dest;
    headers->udp->dest = port;
  } else {
    struct tcphdr* const tcp = headers->tcp;
    const __be32 sequence = tcp->seq;
    const __u32 bytes = bpfmark_be16(ip->tot_len) - (__u32)sizeof(*ip) - headers->tcp_words * 4;
    const __be32 next = bpfmark_be32(bpfmark_be32(sequence) + bytes);

    port = tcp->source;
    tcp->source = tcp->dest;
    tcp->dest = port;
    tcp->seq = tcp->ack_seq;
    tcp->ack_seq = next;
    tcp->check = bpfmark_echo_checksum(tcp->check, sequence, next);
    if (headers->tcp_words == BPFMARK_TCP_WORDS_WITH_TIMESTAMPS) {
      const __be32 value = headers->timestamps->value;

      headers->timestamps->value = headers->timestamps->echo;
      headers->timestamps->echo = value;
    }
  }
}

#endif
