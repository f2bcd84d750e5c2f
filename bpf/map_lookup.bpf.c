// SPDX-License-Identifier: BSD-2-Clause
// bpf_map_lookup_elem() on a table whose type, size and value size user space sets before the load,
// with keys from a prepared stream; and the one-entry constant-key form of the reference's Table 3.
#include "bpf/shared/map_lookup.h"
#include "bpf/lib/keys.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u64));
} table SEC(".maps");

static long lookup_body(__u32 pass, struct loop_state* state) {
  const __u32* pass_keys = keys_of_pass(state);
  __u64 hits = 0, sum = 0;
#pragma unroll
  for (int step = 0; step < BPFMARK_UNROLL; step++) {
    __u32 key = pass_keys[step];
    const __u64* value = bpf_map_lookup_elem(&table, &key);
    if (value) {
      hits++;
      sum += *value;
    }
  }
  state->hits += hits;
  state->sum += sum;
  BPFMARK_PLANT(state);
  return end_of_pass(state);
}

/* The same loop with the key on the stack, without the lookup: the "value" is the key itself. */
static long lookup_floor_body(__u32 pass, struct loop_state* state) {
  const __u32* pass_keys = keys_of_pass(state);
  __u64 hits = 0, sum = 0;
#pragma unroll
  for (int step = 0; step < BPFMARK_UNROLL; step++) {
    __u32 key = pass_keys[step];
    BPFMARK_STORED(key);
    sum += key;
    hits++;
  }
  state->hits += hits;
  state->sum += sum;
  return end_of_pass(state);
}

SEC("tc")
int map_lookup(struct __sk_buff* ctx) { return run_timed_loop(lookup_body); }

SEC("tc")
int map_floor(struct __sk_buff* ctx) { return run_timed_loop(lookup_floor_body); }

/* Table 3: one lookup of one constant key and one store a pass, as the reference's program does it;
 * `passes` is therefore the number of operations. */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, BPFMARK_TABLE3_VALUE_BYTES);
} one_entry SEC(".maps");

struct table3_state {
  __u8 key[BPFMARK_TABLE3_MAX_KEY_BYTES];
  __u8 object[BPFMARK_TABLE3_VALUE_BYTES];
  __u64 passes;
  __u64 hits;
};

static long table3_lookup_body(__u32 pass, struct table3_state* state) {
  volatile __u8* value = bpf_map_lookup_elem(&one_entry, state->key);
  if (value) {
    value[BPFMARK_TABLE3_STORED_BYTE] = (__u8)pass;
    state->hits++;
  }
  state->passes++;
  return 0;
}

static long table3_stack_body(__u32 pass, struct table3_state* state) {
  ((volatile __u8*)state->object)[BPFMARK_TABLE3_STORED_BYTE] = (__u8)pass;
  state->hits++;
  state->passes++;
  return 0;
}

static long table3_empty_body(__u32 pass, struct table3_state* state) {
  state->hits++;
  state->passes++;
  return 0;
}

static __always_inline int run_table3(long (*body)(__u32, struct table3_state*)) {
  struct table3_state state = {};
  const __u32 passes = request.ops;
  const __u64 start = bpf_ktime_get_ns();
  bpf_loop(passes, body, &state, 0);
  result.elapsed_ns = bpf_ktime_get_ns() - start;
  result.ops = state.passes;
  result.hits = state.hits;
  result.sum = state.object[BPFMARK_TABLE3_STORED_BYTE];
  return 0;
}

SEC("tc")
int t3_lookup(struct __sk_buff* ctx) { return run_table3(table3_lookup_body); }

SEC("tc")
int t3_stack(struct __sk_buff* ctx) { return run_table3(table3_stack_body); }

SEC("tc")
int t3_empty(struct __sk_buff* ctx) { return run_table3(table3_empty_body); }
