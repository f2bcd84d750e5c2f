// SPDX-License-Identifier: BSD-2-Clause
// What recording one sample costs, and its floor: the same values, thrown away.
#include "bpf/lib/batch.bpf.h"
#include "bpf/shared/histogram.h"

struct bpfmark_histogram recorded;

/* Values over the whole range, all buckets of a power of two alike. */
static __always_inline __u64 next_value(struct loop_state* state) {
  state->cursor = state->cursor * 6364136223846793005ULL + 1442695040888963407ULL;
  return state->cursor >> (64 - 20);
}

static long record_body(__u32 pass, struct loop_state* state) {
#pragma clang loop unroll(full)
  for (int i = 0; i < BPFMARK_UNROLL; i++) {
    bpfmark_histogram_record(&recorded, next_value(state));
  }
  state->passes++;
  return 0;
}

static long floor_body(__u32 pass, struct loop_state* state) {
#pragma clang loop unroll(full)
  for (int i = 0; i < BPFMARK_UNROLL; i++) {
    __u64 value = next_value(state);
    BPFMARK_OPAQUE(value);
  }
  state->passes++;
  return 0;
}

SEC("tc")
int record(struct __sk_buff* ctx) { return run_timed_loop(record_body); }

SEC("tc")
int record_floor(struct __sk_buff* ctx) { return run_timed_loop(floor_body); }
