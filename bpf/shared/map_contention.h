/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_MAP_CONTENTION_H
#define BPFMARK_BPF_SHARED_MAP_CONTENTION_H

#include <linux/types.h>

/* Of what is contended for: two of them share no cache line, nor do their lines come in one pair.
 */
#define BPFMARK_CELL_BYTES 256

/* After that many passes the rival comes back to user space, which sends it in again: no program
 * keeps a CPU for longer than some 10 ms. */
#define BPFMARK_RIVAL_PASSES 16384

/* `first` of a request, and of a rival: the key in the lower half, who asks in the upper. */
#define BPFMARK_OWN_MARK (1ull << 32)
#define BPFMARK_RIVAL_MARK (2ull << 32)

/* What the program on the other CPU is told, and what it did. It fills lines of its own. */
struct bpfmark_rival {
  __u64 first;
  __u64 stop;    /* not 0: leave the loop */
  __u64 running; /* not 0: has done a pass */
  __u64 ops;
  __u64 hits;
  __u64 apart[BPFMARK_CELL_BYTES / 8 - 5];
};

#endif
