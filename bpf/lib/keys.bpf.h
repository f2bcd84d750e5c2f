/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of keys that user space drew, from which a timed loop takes the next for each operation.
 */
#ifndef BPFMARK_BPF_LIB_KEYS_BPF_H
#define BPFMARK_BPF_LIB_KEYS_BPF_H

#include "bpf/lib/batch.bpf.h"
#include "bpf/shared/map_lookup.h"

/* Length of the key stream minus one. */
const volatile __u32 key_mask = BPFMARK_MAX_KEYS - 1;

/* In a map of its own, for user space makes it as long as the stream: an array that is always of
 * the largest size would cost each load 15 ms. */
__u32 keys[BPFMARK_MAX_KEYS] SEC(".bss.keys");

/* The keys of one pass; the stream wraps at its end, which is a multiple of BPFMARK_UNROLL. */
static __always_inline const __u32* keys_of_pass(const struct loop_state* state) {
  const __u32* pass_keys = &keys[state->cursor & key_mask & (BPFMARK_MAX_KEYS - BPFMARK_UNROLL)];
  BPFMARK_OPAQUE(pass_keys);
  return pass_keys;
}

static __always_inline long end_of_pass(struct loop_state* state) {
  state->cursor += BPFMARK_UNROLL;
  state->passes++;
  return 0;
}

/* A program `name` and the body of its loop: each operation sees the next key in `word`, its place
 * in the stream in `place`, and adds to `hits` and `sum`. `prepare` is done once a pass. */
#define KEYED_BODY(name, prepare, operation)                              \
  static long name##_body(__u32 pass, struct loop_state* state) {         \
    const __u32* pass_keys = keys_of_pass(state);                         \
    const __u64 first_place __attribute__((unused)) = state->cursor;      \
    __u64 hits = 0, sum = 0;                                              \
    prepare;                                                              \
    _Pragma("unroll") for (int step = 0; step < BPFMARK_UNROLL; step++) { \
      const __u32 word = pass_keys[step];                                 \
      const __u64 place __attribute__((unused)) = first_place + step;     \
      operation;                                                          \
    }                                                                     \
    state->hits += hits;                                                  \
    state->sum += sum;                                                    \
    return end_of_pass(state);                                            \
  }

#define KEYED_PROGRAM(section, context, name, prepare, operation) \
  KEYED_BODY(name, prepare, operation)                            \
  SEC(section) int name(context* ctx) { return run_timed_loop_on(ctx, name##_body); }

#endif
