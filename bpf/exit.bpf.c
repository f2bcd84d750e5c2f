// SPDX-License-Identifier: BSD-2-Clause
// Ending a program: by return, by an exception, by a kernel's kill function, at some depth of calls
// and after some work. The floor of an exit other than by return is the return from the same place.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/entry.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

extern void bpf_throw(__u64 cookie) __ksym __weak;
extern void bpf_die_kfunc(void) __ksym __weak;

/* Passes of work before the end. */
const volatile __u32 work = 0;
__u64 entered;  /* entries since the load */
__u64 worked;   /* passes of work */
__u64 survived; /* entries that went on after what should have ended them */

static __always_inline int by_return(void) { return BPFMARK_WENT_WELL; }
static __always_inline int by_throw(void) {
  bpf_throw(BPFMARK_THROWN);
  survived++;
  return BPFMARK_WENT_WRONG;
}
static __always_inline int by_die(void) {
  bpf_die_kfunc();
  survived++;
  return BPFMARK_WENT_WRONG;
}

/* One pass is a multiplication that waits for the one before it, so that where the loop lies in
 * memory does not matter. */
static __always_inline void do_work(void) {
  __u64 mixed = 1;
  __u32 pass = 0;
#pragma clang loop unroll(disable)
  for (; pass < BPFMARK_WORK_MAX; pass++) {
    if (pass >= work) break;
    mixed *= 0x9E3779B97F4A7C15;
    asm volatile("" : "+r"(mixed));
  }
  worked += pass;
}

/* Opaque, or the compiler would see through it and leave out the call. */
#define FUNCTION(name, next)          \
  static __noinline int name(void) {  \
    int verdict = next;               \
    asm volatile("" : "+r"(verdict)); \
    return verdict;                   \
  }

/* 1: from the program itself; n: from n - 1 functions down. */
#define EXITS(how)                                       \
  FUNCTION(how##_8, by_##how())                          \
  FUNCTION(how##_7, how##_8())                           \
  FUNCTION(how##_6, how##_7())                           \
  FUNCTION(how##_5, how##_6())                           \
  FUNCTION(how##_4, how##_5())                           \
  FUNCTION(how##_3, how##_4())                           \
  FUNCTION(how##_2, how##_3())                           \
  SEC("?tc") int exit_##how##_1(struct __sk_buff* ctx) { \
    entered++;                                           \
    do_work();                                           \
    return by_##how();                                   \
  }                                                      \
  SEC("?tc") int exit_##how##_4(struct __sk_buff* ctx) { \
    entered++;                                           \
    return how##_6();                                    \
  }                                                      \
  SEC("?tc") int exit_##how##_8(struct __sk_buff* ctx) { \
    entered++;                                           \
    return how##_2();                                    \
  }

EXITS(return)
EXITS(throw)
EXITS(die)

SEC("?tc")
int exit_empty(struct __sk_buff* ctx) {
  entered++;
  return BPFMARK_WENT_WELL;
}
