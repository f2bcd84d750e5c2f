/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_SYSCALL_LATENCY_H
#define BPFMARK_BPF_SHARED_SYSCALL_LATENCY_H

#include <linux/types.h>

/* Samples that the observer keeps between two looks of user space. */
#define BPFMARK_SYSCALL_MAX_SAMPLES 4096

/* What the observer saw since user space cleared it. `samples` counts what it measured, also what
 * no longer fitted into its array. Written while the caller makes its calls, so by one writer. */
struct bpfmark_syscall_observed {
  __u64 enters;
  __u64 samples;
};

/* Numbers that the table of a monitor of all system calls knows. */
#define BPFMARK_SYSCALL_NUMBERS 512

/* What an agent reports of a call. */
struct bpfmark_syscall_event {
  __u64 time_ns;
  __u64 pid_tgid;
  __s64 number;
  __s64 value; /* returned; or the length of `text` */
  char comm[16];
};

#define BPFMARK_SYSCALL_TEXT_BYTES 256

struct bpfmark_syscall_argument_event {
  struct bpfmark_syscall_event event;
  char text[BPFMARK_SYSCALL_TEXT_BYTES]; /* the path, address or buffer that the call was given */
};

/* How an argument is copied. */
#define BPFMARK_SYSCALL_COPY_STRING 0 /* up to its zero byte */
#define BPFMARK_SYSCALL_COPY_BYTES 1  /* as many as the third argument says */

#endif
