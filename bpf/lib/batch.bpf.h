/* SPDX-License-Identifier: BSD-2-Clause */
/* What every object of the suite starts from: the request and result of a batch, and the one timed
 * loop. bpf_loop() is the shape used for measurements: it is the only one without a bound on the
 * number of iterations that kernels from 5.17 on have, and its cost per pass is divided by
 * BPFMARK_UNROLL. The clock family measures the other shapes. */
#ifndef BPFMARK_BPF_LIB_BATCH_BPF_H
#define BPFMARK_BPF_LIB_BATCH_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/batch.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct bpfmark_batch_request request;
struct bpfmark_batch_result result;

/* Makes the compiler forget what it knows about a value, so that work on it cannot be folded. */
#define BPFMARK_OPAQUE(value) asm volatile("" : "+r"(value))
/* Makes the compiler store a variable that only memory operations look at. */
#define BPFMARK_STORED(variable) asm volatile("" : "+m"(variable)::"memory")

/* State of one batch; lives on the program's stack, handed to the loop's callback. */
struct loop_state {
  __u64 cursor;
  __u64 hits;
  __u64 sum;
  __u64 passes;
  void* ctx; /* of the program, for bodies that need it */
};

/* Work of a known cost in the body of a subject, to prove that an alarm rings: a chain of dependent
 * multiplications that the next pass has to wait for. Only in a build that was asked for it; in all
 * others BPFMARK_PLANT() is nothing, and so the bytecode is the same with it and without. */
#ifdef BPFMARK_PLANTED
const volatile __u32 planted_steps = 0; /* of one pass */

static __always_inline __u64 planted_work(__u64 seed) {
  const __u32 steps = planted_steps;
  __u64 value = seed | 1;
#pragma clang loop unroll(disable)
  for (__u32 step = 0; step < BPFMARK_MAX_PLANTED_STEPS; step++) {
    if (step >= steps) break;
    value *= 0x9E3779B97F4A7C15ull;
    BPFMARK_OPAQUE(value);
  }
  return value == 0; /* An odd number stays odd. */
}

#define BPFMARK_PLANT(state) ((state)->cursor += planted_work((state)->sum))
#else
#define BPFMARK_PLANT(state) ((void)0)
#endif

typedef long (*loop_body)(__u32 pass, struct loop_state* state);

static __always_inline int run_timed_loop_on(void* ctx, loop_body body) {
  struct loop_state state = {.cursor = request.first, .ctx = ctx};
  const __u32 passes = request.ops / BPFMARK_UNROLL;
  const __u64 start = bpf_ktime_get_ns();
  bpf_loop(passes, body, &state, 0);
  result.elapsed_ns = bpf_ktime_get_ns() - start;
  result.ops = state.passes * BPFMARK_UNROLL;
  result.hits = state.hits;
  result.sum = state.sum;
  return 0;
}

static __always_inline int run_timed_loop(loop_body body) { return run_timed_loop_on(0, body); }

/* A program `name` and the body of its loop. `prepare` is done once a pass, `operation` sees `ctx`,
 * `step` and `state` and leaves what it found in `value`; `good` says of it whether that is a hit.
 * A floor twin has the same `prepare` and BPFMARK_NOTHING. */
#define TIMED_BODY(context, name, prepare, operation, good)               \
  static long name##_body(__u32 pass, struct loop_state* state) {         \
    context* const ctx __attribute__((unused)) = state->ctx;              \
    __u64 hits = 0, sum = 0;                                              \
    prepare;                                                              \
    _Pragma("unroll") for (int step = 0; step < BPFMARK_UNROLL; step++) { \
      __u64 value;                                                        \
      operation;                                                          \
      hits += (good) ? 1 : 0;                                             \
      sum += value;                                                       \
    }                                                                     \
    state->hits += hits;                                                  \
    state->sum += sum;                                                    \
    state->passes++;                                                      \
    return 0;                                                             \
  }

#define TIMED_PROGRAM(section, context, name, prepare, operation, good) \
  TIMED_BODY(context, name, prepare, operation, good)                   \
  SEC(section) int name(context* ctx) { return run_timed_loop_on(ctx, name##_body); }

/* The operation of a floor: a 1 that the compiler cannot know. */
#define BPFMARK_NOTHING \
  value = 1;            \
  BPFMARK_OPAQUE(value)

#endif
