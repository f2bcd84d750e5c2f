// SPDX-License-Identifier: BSD-2-Clause
// What a program on a live hook does, once for all ways to attach: user space makes each of these
// the type of program it wants before it loads it, so the instructions are the same by
// construction. Only our own process is counted; others go no further than the
// comparison.
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
/* Maps that libbpf wants to find when it attaches to a USDT probe. */
#include <bpf/usdt.bpf.h>

#include "bpf/shared/hook_body.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile int verdict; /* lets things take their course, in the type's own terms */
const volatile __u64 stack_flags;

/* Whom the bodies are for. Not in .rodata, because user space opens it for the calls of a batch
 * only: of its own system calls around them none is counted. Nobody passes until then. */
struct hook_filter filter = {.tgid = -1, .mask = -1};

/* Runs for our process, events handed on, and what failed. */
struct hook_counts counts;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u64);
} by_number SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, struct hook_key);
  __type(value, __u64);
} by_struct SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 20);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} perf SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 1024);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

#define BODY_FOR(program, process, name)                      \
  SEC("?hook") int program##_##name(void* ctx) {              \
    const __u64 tgid = process;                               \
    if (((tgid ^ filter.tgid) & filter.mask) == 0) name(ctx); \
    return verdict;                                           \
  }

#define TRACING_BODY(name)                               \
  static __always_inline void name(void* ctx);           \
  BODY_FOR(body, bpf_get_current_pid_tgid() >> 32, name) \
  static __always_inline void name(void* ctx)

/* The one that is alone does not ask who runs, which programs of some types may not before 6.10. It
 * is for hooks that only we pass: its filter is the gate of a batch, and no more. */
#define HOOK_BODY(name)                        \
  static __always_inline void name(void* ctx); \
  BODY_FOR(alone, 0, name)                     \
  TRACING_BODY(name)

HOOK_BODY(empty) { asm volatile(""); }

HOOK_BODY(counter) { counts.runs++; }

HOOK_BODY(hash) {
  __u32 key = 1;
  __u64* value = bpf_map_lookup_elem(&by_number, &key);
  if (value) (*value)++;
}

HOOK_BODY(hash_struct) {
  struct hook_key key = {.tgid = 1, .id = 1};
  __u64* value = bpf_map_lookup_elem(&by_struct, &key);
  if (value) (*value)++;
}

HOOK_BODY(ringbuf) {
  struct hook_event* event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
  if (event) {
    event->number = counts.events++;
    event->time_ns = bpf_ktime_get_ns();
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
  } else {
    counts.lost++;
  }
}

HOOK_BODY(perfbuf) {
  struct hook_event event = {.number = counts.events, .time_ns = bpf_ktime_get_ns()};
  if (bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &event, sizeof(event)) == 0) {
    counts.events++;
  } else {
    counts.lost++;
  }
}

TRACING_BODY(stackid) {
  if (bpf_get_stackid(ctx, &stacks, stack_flags) >= 0) {
    counts.events++;
  } else {
    counts.lost++;
  }
}
