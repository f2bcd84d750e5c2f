/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_TCP_CONNECT_H
#define BPFMARK_BPF_SHARED_TCP_CONNECT_H

#include <linux/types.h>

/* What programs saw of connections being set up. */
struct bpfmark_connections {
  __u64 connects; /* calls of connect() */
  __u64 lookups;  /* searches for a listener */
  __u64 active;   /* established, at the end that asked */
  __u64 passive;  /* and at the end that was asked */
};

#endif
