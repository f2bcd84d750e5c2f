/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_MAP_LOOKUP_H
#define BPFMARK_BPF_SHARED_MAP_LOOKUP_H

#include <linux/types.h>

/* Longest prepared stream of keys; a stream's length is a power of two. */
#define BPFMARK_MAX_KEYS (1u << 20)

/* Table 3 of the reference paper: value size, and the byte its program stores to. */
#define BPFMARK_TABLE3_VALUE_BYTES 256
#define BPFMARK_TABLE3_STORED_BYTE 127
#define BPFMARK_TABLE3_MAX_KEY_BYTES 32

#endif
