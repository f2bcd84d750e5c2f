/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_PAGE_FAULT_H
#define BPFMARK_BPF_SHARED_PAGE_FAULT_H

#include <linux/types.h>

/* What the probe saw, and of the last fault what a monitor reports. */
struct bpfmark_faults {
  __u64 count;
  __u64 address_sum; /* wraps */
  __u64 last_address;
  __u64 last_ip;
  __u32 last_pid;
  __u32 pad;
  char last_comm[16];
};

#endif
