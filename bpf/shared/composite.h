/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_COMPOSITE_H
#define BPFMARK_BPF_SHARED_COMPOSITE_H

/* What one operation of a composite may consist of. */
enum bpfmark_part {
  BPFMARK_PART_NONE,
  BPFMARK_PART_KTIME,
  BPFMARK_PART_PRANDOM,
  BPFMARK_PART_ARRAY,
  BPFMARK_PART_PERCPU_ARRAY,
  BPFMARK_PART_HASH,
  BPFMARK_PART_HASH_MISS,
  BPFMARK_PART_LRU_HASH,
  BPFMARK_PART_PERCPU_HASH,
  BPFMARK_PART_ARRAY_UPDATE,
  BPFMARK_PART_SPIN_LOCK,
  BPFMARK_PART_STRNCMP,
  BPFMARK_PART_CSUM_DIFF,
};

#define BPFMARK_COMPOSITE_PARTS 3
#define BPFMARK_COMPOSITE_ENTRIES 1024 /* of each map; a key above these is in none */

/* What bpf_csum_diff() is given, 64-bit words 1 to 8, and what their sum is. */
#define BPFMARK_COMPOSITE_CSUM_WORDS 8
#define BPFMARK_COMPOSITE_CSUM 36

#endif
