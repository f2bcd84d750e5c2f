// SPDX-License-Identifier: BSD-2-Clause
// From one piece of code to the next, by every way that BPF has. A link counts itself, and that is
// all it does; an entry into a program walks a whole chain. Every chain has a floor in which the
// same number of links is counted in the entry itself.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/entry.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 depth = 1;
__u64 links;      /* visited since the load */
__u32 next_index; /* stays 0, which nobody tells the verifier */
__u32 left;       /* links of this entry that are still to come */

#define VISIT \
  links++;    \
  asm volatile("" ::: "memory")

/* --- inline, and the floor of what is nested or called one after another */

#define INLINE(count)                                            \
  SEC("?tc") int chain_inline_##count(struct __sk_buff* ctx) {   \
    _Pragma("unroll") for (int i = 0; i < count; i++) { VISIT; } \
    return BPFMARK_WENT_WELL;                                    \
  }

SEC("?tc")
int chain_empty(struct __sk_buff* ctx) { return BPFMARK_WENT_WELL; }

INLINE(1)
INLINE(2)
INLINE(4)
INLINE(7)
INLINE(8)
INLINE(16)
INLINE(32)

/* --- static and global functions, each called by the one before it. 8 frames are all there are,
 * and the program is one. */

#define LINK(linkage, name, next)     \
  linkage __noinline int name(void) { \
    VISIT;                            \
    return next;                      \
  }
#define CHAIN(name, first) \
  SEC("?tc") int name(struct __sk_buff* ctx) { return first; }

/* Link n calls link n + 1; a shorter chain starts further down. */
#define CHAINS(kind, linkage)                \
  LINK(linkage, kind##_7, BPFMARK_WENT_WELL) \
  LINK(linkage, kind##_6, kind##_7())        \
  LINK(linkage, kind##_5, kind##_6())        \
  LINK(linkage, kind##_4, kind##_5())        \
  LINK(linkage, kind##_3, kind##_4())        \
  LINK(linkage, kind##_2, kind##_3())        \
  LINK(linkage, kind##_1, kind##_2())        \
  CHAIN(chain_##kind##_1, kind##_7())        \
  CHAIN(chain_##kind##_2, kind##_6())        \
  CHAIN(chain_##kind##_4, kind##_4())        \
  CHAIN(chain_##kind##_7, kind##_1())

CHAINS(static, static)
CHAINS(global, )

/* --- tail calls: a program that goes on to itself until its chain is walked. A tail call that
 * fails falls through to the wrong verdict. The floor counts down and asks as often. */

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} next SEC(".maps");

static __always_inline int constant_index(void) { return 0; }
static __always_inline int dynamic_index(void) { return *(volatile __u32*)&next_index; }

#define TAIL_CHAIN(name, index)                        \
  SEC("?tc") int link_##name(struct __sk_buff* ctx) {  \
    VISIT;                                             \
    if (--left == 0) return BPFMARK_WENT_WELL;         \
    bpf_tail_call(ctx, &next, index);                  \
    return BPFMARK_WENT_WRONG;                         \
  }                                                    \
  SEC("?tc") int chain_##name(struct __sk_buff* ctx) { \
    left = depth;                                      \
    bpf_tail_call(ctx, &next, index);                  \
    return BPFMARK_WENT_WRONG;                         \
  }

TAIL_CHAIN(tail_con, constant_index())
TAIL_CHAIN(tail_dyn, dynamic_index())

SEC("?tc")
int chain_tail_floor(struct __sk_buff* ctx) {
  left = depth;
#pragma clang loop unroll(disable)
  for (int i = 0; i < BPFMARK_CHAIN_MAX; i++) {
    VISIT;
    if (--left == 0) return BPFMARK_WENT_WELL;
  }
  return BPFMARK_WENT_WRONG;
}

/* --- freplace: the entry calls a global function whose body another program takes the place of.
 * The target's own body is what the verifier sees, and would count nothing. */

__noinline int replaced(void) {
  int verdict = BPFMARK_WENT_WRONG;
  asm volatile("" : "+r"(verdict));
  return verdict;
}

SEC("?tc")
int chain_freplace(struct __sk_buff* ctx) { return replaced(); }

SEC("?freplace")
int replacement(void) {
  VISIT;
  return BPFMARK_WENT_WELL;
}

/* --- kfunc: a kernel function that does next to nothing, called for every link, one after another,
 * for it cannot call the next. */

extern __u32 bpf_dynptr_size(const struct bpf_dynptr* dynptr) __ksym __weak;

__u64 memory;

#define KFUNC_CHAIN(count)                                    \
  SEC("?tc") int chain_kfunc_##count(struct __sk_buff* ctx) { \
    struct bpf_dynptr dynptr;                                 \
    __u32 wrong = 0;                                          \
    bpf_dynptr_from_mem(&memory, sizeof(memory), 0, &dynptr); \
    _Pragma("unroll") for (int i = 0; i < count; i++) {       \
      VISIT;                                                  \
      wrong |= bpf_dynptr_size(&dynptr) ^ sizeof(memory);     \
    }                                                         \
    return wrong ? BPFMARK_WENT_WRONG : BPFMARK_WENT_WELL;    \
  }                                                           \
  SEC("?tc") int kfunc_floor_##count(struct __sk_buff* ctx) { \
    struct bpf_dynptr dynptr;                                 \
    __u32 wrong = 0;                                          \
    bpf_dynptr_from_mem(&memory, sizeof(memory), 0, &dynptr); \
    _Pragma("unroll") for (int i = 0; i < count; i++) {       \
      __u32 size = sizeof(memory);                            \
      VISIT;                                                  \
      asm volatile("" : "+r"(size));                          \
      wrong |= size ^ sizeof(memory);                         \
    }                                                         \
    return wrong ? BPFMARK_WENT_WRONG : BPFMARK_WENT_WELL;    \
  }

KFUNC_CHAIN(1)
KFUNC_CHAIN(4)
KFUNC_CHAIN(8)
KFUNC_CHAIN(32)
