/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_BATCH_H
#define BPFMARK_BPF_SHARED_BATCH_H

#include <linux/types.h>

/* Operations that one pass of a timed loop performs before the loop's own branch is paid again. */
#define BPFMARK_UNROLL 8

/* The largest cost of an operation that a build for it can plant, and a bound for the verifier on
 * the steps of a pass that this takes. */
#define BPFMARK_MAX_PLANTED_NS 200
#define BPFMARK_MAX_PLANTED_STEPS (BPFMARK_UNROLL * BPFMARK_MAX_PLANTED_NS * 4)

/* Written by user space before a batch. `ops` is a multiple of BPFMARK_UNROLL. `first` is the place
 * in a prepared input stream where the batch starts. */
struct bpfmark_batch_request {
  __u64 ops;
  __u64 first;
};

/* Written by the program at the end of a batch. `elapsed_ns` is the in-kernel clock around the
 * loop; `ops` counts what was done, `hits` what succeeded, `sum` adds up what was read (or holds
 * the last value read, where a program says so). User space compares all three with what they must
 * be. */
struct bpfmark_batch_result {
  __u64 elapsed_ns;
  __u64 ops;
  __u64 hits;
  __u64 sum;
};

#endif
