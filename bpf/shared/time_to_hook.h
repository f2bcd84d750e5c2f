/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_TIME_TO_HOOK_H
#define BPFMARK_BPF_SHARED_TIME_TO_HOOK_H

#include <linux/types.h>

/* Packets that carried their time to the place where they were looked at. */
struct bpfmark_transits {
  __u64 count;
  __u64 elapsed_ns;
  __u64 backwards; /* from the future */
};

#endif
