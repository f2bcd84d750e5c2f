/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_HELPER_H
#define BPFMARK_BPF_SHARED_HELPER_H

#include <linux/types.h>

/* What the programs of the helper family are given to work on, and what they must find. */
#define BPFMARK_CSUM_BYTES 64
#define BPFMARK_STRING "bpfmark string!" /* 16 bytes with its NUL */
#define BPFMARK_STRING_BYTES 16
#define BPFMARK_NUMBER 123456
#define BPFMARK_NUMBER_TEXT "123456"
#define BPFMARK_PRINTED "42:123456" /* of "%u:%u" */
#define BPFMARK_WALKED 64           /* entries or passes of one operation that walks */
#define BPFMARK_REDIRECT_INDEX 1    /* the loopback device; nothing is ever sent */

#endif
