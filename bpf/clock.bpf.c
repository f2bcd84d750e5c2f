// SPDX-License-Identifier: BSD-2-Clause
// What reading each in-kernel clock costs, and what one empty pass of each loop shape costs.
#include "bpf/shared/clock.h"
#include "bpf/lib/batch.bpf.h"
#include "bpf/lib/loops.bpf.h"
#include "bpf/shared/histogram.h"

/* Distribution of back-to-back clock reads; filled by its own program, never while another is
 * timed. */
struct bpfmark_histogram ktime_pair_ns;

/* One clock per program: the same loop, another helper. `sum` ends as the last value read, so that
 * user space can compare it with its own reading of the same clock; `hits` counts reads that did
 * not run backwards. */
#define CLOCK_PROGRAM(name, read)                                         \
  static long name##_body(__u32 pass, struct loop_state* state) {         \
    __u64 last = state->sum, hits = 0;                                    \
    _Pragma("unroll") for (int step = 0; step < BPFMARK_UNROLL; step++) { \
      __u64 now = read;                                                   \
      hits += now >= last;                                                \
      last = now;                                                         \
    }                                                                     \
    state->sum = last;                                                    \
    state->hits += hits;                                                  \
    state->passes++;                                                      \
    return 0;                                                             \
  }                                                                       \
  SEC("tc") int clock_##name(struct __sk_buff* ctx) { return run_timed_loop(name##_body); }

static __always_inline __u64 no_clock(__u64 last) {
  BPFMARK_OPAQUE(last);
  return last;
}

CLOCK_PROGRAM(floor, no_clock(last))
CLOCK_PROGRAM(ktime, bpf_ktime_get_ns())
CLOCK_PROGRAM(boot, bpf_ktime_get_boot_ns())
CLOCK_PROGRAM(tai, bpf_ktime_get_tai_ns())
CLOCK_PROGRAM(coarse, bpf_ktime_get_coarse_ns())
CLOCK_PROGRAM(jiffies, bpf_jiffies64())

/* A pair of reads as one operation, the way a probe times something. */
static long ktime_pair_body(__u32 pass, struct loop_state* state) {
  __u64 last = state->sum, hits = 0;
#pragma unroll
  for (int step = 0; step < BPFMARK_UNROLL; step++) {
    __u64 start = bpf_ktime_get_ns();
    __u64 end = bpf_ktime_get_ns();
    hits += end >= start;
    last = end;
  }
  state->sum = last;
  state->hits += hits;
  state->passes++;
  return 0;
}

SEC("tc")
int clock_pair(struct __sk_buff* ctx) { return run_timed_loop(ktime_pair_body); }

static long pair_histogram_body(__u32 pass, struct loop_state* state) {
  __u64 start = bpf_ktime_get_ns();
  bpfmark_histogram_record(&ktime_pair_ns, bpf_ktime_get_ns() - start);
  state->hits++;
  state->passes++;
  return 0;
}

SEC("tc")
int clock_pair_hist(struct __sk_buff* ctx) {
  struct loop_state state = {};
  bpf_loop(request.ops, pair_histogram_body, &state, 0);
  result.ops = state.passes;
  result.hits = state.hits;
  return 0;
}

/* Loop shapes. One operation is one pass of an otherwise empty loop; nothing is unrolled. */

static __always_inline int finish_shape(__u64 start, __u64 passes) {
  result.elapsed_ns = bpf_ktime_get_ns() - start;
  result.ops = passes;
  result.hits = passes;
  result.sum = 0;
  return 0;
}

SEC("?tc")
int loop_bounded(struct __sk_buff* ctx) {
  const __u32 ops = request.ops;
  __u32 pass = 0;
  const __u64 start = bpf_ktime_get_ns();
  /* The verifier walks every pass, which is what limits the bound. */
#pragma clang loop unroll(disable)
  for (; pass < BPFMARK_BOUNDED_LOOP_MAX; pass++) {
    if (pass >= ops) break;
    asm volatile("");
  }
  return finish_shape(start, pass);
}

static long count_pass(__u32 pass, __u64* passes) {
  (*passes)++;
  return 0;
}

SEC("?tc")
int loop_bpf_loop(struct __sk_buff* ctx) {
  __u64 passes = 0;
  const __u64 start = bpf_ktime_get_ns();
  bpf_loop(request.ops, count_pass, &passes, 0);
  return finish_shape(start, passes);
}

SEC("?tc")
int loop_iter_num(struct __sk_buff* ctx) {
  struct bpf_iter_num it;
  __u64 passes = 0;
  const __u64 start = bpf_ktime_get_ns();
  bpf_iter_num_new(&it, 0, (int)request.ops);
#pragma clang loop unroll(disable)
  while (bpf_iter_num_next(&it)) {
    passes++;
    asm volatile("" : "+r"(passes));
  }
  bpf_iter_num_destroy(&it);
  return finish_shape(start, passes);
}

SEC("?tc")
int loop_may_goto(struct __sk_buff* ctx) {
  const __u64 ops = request.ops;
  __u64 passes = 0;
  const __u64 start = bpf_ktime_get_ns();
#pragma clang loop unroll(disable)
  while (passes < ops) {
    MAY_GOTO(out);
    passes++;
    asm volatile("" : "+r"(passes));
  }
out:
  return finish_shape(start, passes);
}

/* The body of a test-run whose own cost is the subject; its verdict proves that it ran. */
SEC("tc")
int clock_nop(struct __sk_buff* ctx) { return BPFMARK_NOP_VERDICT; }
