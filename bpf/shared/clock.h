/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_CLOCK_H
#define BPFMARK_BPF_SHARED_CLOCK_H

/* Passes that the bounded loop can make; a batch asks for fewer. */
#define BPFMARK_BOUNDED_LOOP_MAX 16384

/* What the program returns whose test-run is timed: nothing that a call that did not run it gives.
 */
#define BPFMARK_NOP_VERDICT 42

#endif
