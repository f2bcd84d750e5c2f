/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_BATCHING_H
#define BPFMARK_BPF_SHARED_BATCHING_H

#include <linux/types.h>

/* Payload of a request, and most requests that become one datagram: they must fit into it, for a
 * frame has no room to grow. */
#define BPFMARK_REQUEST_BYTES 512
#define BPFMARK_MAX_JOINED 32

/* What is left of a request: who asked, and the digest of what. */
struct bpfmark_joined {
  __u32 source; /* network order */
  __u32 port;
  __u64 digest;
};

/* FNV-1a over the payload of a request, after the address that it came from. */
static inline __u64 bpfmark_digest(__u32 source, const __u8* payload) {
  __u64 digest = 0xcbf29ce484222325ull;
  __u32 i;

  digest = (digest ^ source) * 0x100000001b3ull;
  for (i = 0; i < BPFMARK_REQUEST_BYTES; i++) {
    digest = (digest ^ payload[i]) * 0x100000001b3ull;
  }
  return digest;
}

#endif
