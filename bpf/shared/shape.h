/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_SHAPE_H
#define BPFMARK_BPF_SHARED_SHAPE_H

/* bound_check: the array whose bytes are added up; a power of two. */
#define BPFMARK_ARRAY_BYTES 256

/* scratch: the object that an operation works in. */
#define BPFMARK_OBJECT_BYTES 256
#define BPFMARK_OBJECT_BYTE 127 /* the one that is written and read */

/* loop: the longest inner loop. */
#define BPFMARK_INNER_MAX 64

#endif
