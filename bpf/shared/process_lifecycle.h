/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_PROCESS_LIFECYCLE_H
#define BPFMARK_BPF_SHARED_PROCESS_LIFECYCLE_H

#include <linux/types.h>

#define BPFMARK_PROCESS_EXEC 1
#define BPFMARK_PROCESS_EXIT 2

#define BPFMARK_COMM_BYTES 16

/* A record as agents send it, 40 bytes. */
struct bpfmark_process_event {
  __u32 type;
  __u32 pid;
  __u32 tgid;
  __u32 parent_tgid;
  __u64 time_ns;
  char comm[BPFMARK_COMM_BYTES];
};

#endif
