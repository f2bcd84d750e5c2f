// SPDX-License-Identifier: BSD-2-Clause
// The observer, which measures the system calls of one task from their entry to their exit, and the
// monitors: models of what security agents attach to system calls.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/histogram.h"
#include "bpf/shared/syscall_latency.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Of the measured call: the number that it enters with and, of a workload of several, the last one.
 */
const volatile long first_number;
const volatile long last_number;
/* Of the argument that argcopy copies. */
const volatile __u32 copied_argument;
const volatile __u32 copied_as;

/* The task whose calls are meant. It makes itself known by running caller_is_me: the numbers that
 * user space knows may be those of a pid namespace. */
__u64 caller;

static __always_inline int is_caller(void) { return bpf_get_current_pid_tgid() == caller; }

SEC("syscall") int caller_is_me(void* ctx) {
  caller = bpf_get_current_pid_tgid();
  return 0;
}

// --- the observer

/* Set by user space around the calls that count. */
__u32 armed;
struct bpfmark_syscall_observed observed;
__u64 samples_ns[BPFMARK_SYSCALL_MAX_SAMPLES];

/* One copy for each CPU; user space sets the number of entries. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct bpfmark_histogram);
} durations SEC(".maps");

/* Of the call in flight; system calls of a task do not nest. */
static __u64 entered_ns;
static __u32 is_last;

SEC("raw_tp/sys_enter") int observe_enter(struct bpf_raw_tracepoint_args* ctx) {
  const long number = ctx->args[1];
  if (!is_caller() || !armed) return 0;
  is_last = number == last_number;
  if (number == first_number) {
    observed.enters++;
    entered_ns = bpf_ktime_get_ns();
  }
  return 0;
}

/* The exit that follows an entry of the same task is that call's, across a change of image too. */
SEC("raw_tp/sys_exit") int observe_exit(void* ctx) {
  if (!is_caller() || entered_ns == 0 || !is_last) return 0;
  const __u64 elapsed_ns = bpf_ktime_get_ns() - entered_ns;
  const __u32 cpu = bpf_get_smp_processor_id();
  struct bpfmark_histogram* const histogram = bpf_map_lookup_elem(&durations, &cpu);
  const __u64 index = observed.samples++;
  if (index < BPFMARK_SYSCALL_MAX_SAMPLES) samples_ns[index] = elapsed_ns;
  if (histogram) bpfmark_histogram_record(histogram, elapsed_ns);
  entered_ns = 0;
  return 0;
}

// --- monitors
//
// Those that count or report do so for the caller only: the counts are exact, and nobody else is
// reported.

/* What the tracepoints of a system call hand over. */
struct enter_context {
  __u64 common;
  __s32 number;
  __u32 padding;
  __u64 arguments[6];
};
struct exit_context {
  __u64 common;
  __s32 number;
  __u32 padding;
  __s64 value;
};

/* Events that found no room in the ring buffer. */
__u64 lost;
/* Calls that the programs which count in a plain variable saw. */
__u64 seen;

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

/* Processes that the agent watches, with the number of their calls. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u64);
} watched SEC(".maps");

/* For every number of a system call: 0, or 1 more than the calls of the caller that were seen. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, BPFMARK_SYSCALL_NUMBERS);
  __type(key, __u32);
  __type(value, __u64);
} wanted SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1024 * 1024);
} events SEC(".maps");

SEC("?tp") int monitor_tp_noop(void* ctx) { return 0; }

SEC("?raw_tp") int monitor_raw_noop(void* ctx) { return 0; }

SEC("?tp") int monitor_tp_count(void* ctx) {
  const __u32 key = 0;
  __u64* const count = bpf_map_lookup_elem(&counts, &key);
  if (is_caller() && count) *count += 1;
  return 0;
}

SEC("?tp") int monitor_tp_hash(void* ctx) {
  const __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  __u64* const count = bpf_map_lookup_elem(&watched, &tgid);
  if (count && is_caller()) __sync_fetch_and_add(count, 1);
  return 0;
}

static __always_inline void describe(struct bpfmark_syscall_event* event, __s64 number,
                                     __s64 value) {
  event->time_ns = bpf_ktime_get_ns();
  event->pid_tgid = bpf_get_current_pid_tgid();
  event->number = number;
  event->value = value;
  bpf_get_current_comm(event->comm, sizeof(event->comm));
}

SEC("?tp") int monitor_tp_ring(struct exit_context* ctx) {
  struct bpfmark_syscall_event* event;
  if (!is_caller()) return 0;
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    lost++;
    return 0;
  }
  describe(event, ctx->number, ctx->value);
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("?tp") int monitor_argcopy(struct enter_context* ctx) {
  struct bpfmark_syscall_argument_event* event;
  __u64 first = ctx->arguments[0];
  __u64 second = ctx->arguments[1];
  const void* from;
  __s64 bytes;
  if (!is_caller()) return 0;
  /* Both are read before one is chosen: the context takes no computed offset. */
  asm volatile("" : "+r"(first), "+r"(second));
  from = (const void*)(copied_argument == 0 ? first : second);
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    lost++;
    return 0;
  }
  if (copied_as == BPFMARK_SYSCALL_COPY_STRING) {
    bytes = bpf_probe_read_user_str(event->text, sizeof(event->text), from);
  } else {
    __u64 wanted_bytes = ctx->arguments[2];
    if (wanted_bytes > sizeof(event->text)) wanted_bytes = sizeof(event->text);
    bytes = bpf_probe_read_user(event->text, wanted_bytes, from) ?: (__s64)wanted_bytes;
  }
  describe(&event->event, ctx->number, bytes);
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("?raw_tp/sys_enter") int monitor_raw_all(struct bpf_raw_tracepoint_args* ctx) {
  const __u32 number = ctx->args[1];
  __u64* const count = bpf_map_lookup_elem(&wanted, &number);
  if (count && *count != 0 && is_caller()) *count += 1;
  return 0;
}

/* User space sets the hook. 0 lets the call go on. */
SEC("?lsm/file_open") int monitor_lsm(void* ctx) {
  if (is_caller()) seen++;
  return 0;
}
