// SPDX-License-Identifier: BSD-2-Clause
// Passes a hook many times from inside the kernel: a test-run that calls a kernel function, or a
// tracepoint, to which the program under test is attached.
#include "bpf/lib/batch.bpf.h"

extern int bpf_modify_return_test_tp(int nonce) __ksym __weak;

/* A function of the kernel that the JIT does not put into the program itself. */
static long call_helper(__u32 pass, struct loop_state* state) {
  for (int i = 0; i < BPFMARK_UNROLL; i++) bpf_get_numa_node_id();
  state->passes++;
  return 0;
}

SEC("?raw_tp")
int drive_helper(void* ctx) { return run_timed_loop(call_helper); }

/* A kernel function that passes the tracepoint bpf_trigger_tp and can be a target of fmod_ret. */
static long call_kfunc(__u32 pass, struct loop_state* state) {
  for (int i = 0; i < BPFMARK_UNROLL; i++) bpf_modify_return_test_tp(0);
  state->passes++;
  return 0;
}

SEC("?raw_tp")
int drive_kfunc(void* ctx) { return run_timed_loop(call_kfunc); }
