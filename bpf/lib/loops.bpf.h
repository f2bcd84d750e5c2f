/* SPDX-License-Identifier: BSD-2-Clause */
/* What the newer loop shapes are made of. A kernel without them refuses the programs that use them.
 */
#ifndef BPFMARK_BPF_LIB_LOOPS_BPF_H
#define BPFMARK_BPF_LIB_LOOPS_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

extern int bpf_iter_num_new(struct bpf_iter_num* it, int start, int end) __ksym __weak;
extern int* bpf_iter_num_next(struct bpf_iter_num* it) __ksym __weak;
extern void bpf_iter_num_destroy(struct bpf_iter_num* it) __ksym __weak;

/* may_goto as bytes: the mnemonic needs clang 19, the instruction only the kernel (6.9). Jumps to
 * `label` once the verifier's budget of 8 Mi passes is used up. */
#define MAY_GOTO(label)                                             \
  asm volatile goto(                                                \
      "1: .byte 0xe5; .byte 0;"                                     \
      ".long ((%l[" #label "] - 1b - 8) / 8) & 0xffff; .short 0" :: \
          :                                                         \
      : label)

#endif
