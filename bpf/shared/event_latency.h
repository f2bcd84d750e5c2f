/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_EVENT_LATENCY_H
#define BPFMARK_BPF_SHARED_EVENT_LATENCY_H

#include <linux/types.h>

/* What travels: the place in the order of production, from 1, and CLOCK_MONOTONIC at the source. */
struct bpfmark_event {
  __u64 sequence;
  __u64 time_ns;
};

/* What the receiving end of a channel counts. */
struct bpfmark_event_counts {
  __u64 received;
  __u64 last_sequence;
  __u64 out_of_order; /* sequence not above the last, or a time in the future */
  __u64 latency_ns;   /* sum */
};

#endif
