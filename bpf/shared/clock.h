/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_CLOCK_H
#define BPFMARK_BPF_SHARED_CLOCK_H

/* Passes that the bounded loop can make; a batch asks for fewer. */
#define BPFMARK_BOUNDED_LOOP_MAX 16384

#endif
