/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_INTERFERENCE_H
#define BPFMARK_BPF_SHARED_INTERFERENCE_H

/* A step is a multiplication that the next step has to wait for. */
#define BPFMARK_STEP(value) ((value) * 0x9E3779B97F4A7C15ull)
#define BPFMARK_MAX_STEPS 10000

/* Where the victim's server listens; the aggressor's packets go to BPFMARK_TRAFFIC_PORT. */
#define BPFMARK_VICTIM_PORT 8081

#endif
