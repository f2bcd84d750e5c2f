/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_COPY_H
#define BPFMARK_BPF_SHARED_COPY_H

/* Largest block that is copied. Sizes are multiples of 8. */
#define BPFMARK_COPY_MAX_BYTES 4096

#endif
