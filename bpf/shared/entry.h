/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_ENTRY_H
#define BPFMARK_BPF_SHARED_ENTRY_H

/* What a program returns that went the way it was meant to go, and one that did not. */
#define BPFMARK_WENT_WELL 42
#define BPFMARK_WENT_WRONG 43
/* What bpf_throw() makes a program return. */
#define BPFMARK_THROWN 44

/* The longest chain, and the longest work before an exit. */
#define BPFMARK_CHAIN_MAX 32
#define BPFMARK_WORK_MAX 10000

#endif
