/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_HOOK_BODY_H
#define BPFMARK_BPF_SHARED_HOOK_BODY_H

#include <linux/types.h>

/* A program of ours goes on if the process agrees with `tgid` in the bits of `mask`: a mask of 0
 * takes everybody, for hooks that only we pass. A tgid is the kernel's, outside of all namespaces.
 */
struct hook_filter {
  __u64 tgid;
  __u64 mask;
};

/* What the bodies counted since the load. Written on one CPU: only our pinned thread passes the
 * filter. */
struct hook_counts {
  __u64 runs;   /* of the counting body */
  __u64 events; /* handed to a buffer, or stacks found */
  __u64 lost;   /* that the buffer had no room for, or stacks that could not be had */
};

struct hook_key {
  __u64 tgid;
  __u64 id;
};

/* One record: how many were handed on before it, and when. */
struct hook_event {
  __u64 number;
  __u64 time_ns;
};

#endif
