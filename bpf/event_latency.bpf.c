// SPDX-License-Identifier: BSD-2-Clause
// One event each run, through each channel between kernel and user space; and the same time stamp
// through a word of shared memory, which is the floor. Every variant is loaded alone.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/event_latency.h"
#include "bpf/shared/histogram.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Every wake_every-th record is submitted with wake_flags, the others with quiet_flags. */
const volatile __u32 wake_every = 1;
const volatile __u64 wake_flags;
const volatile __u64 quiet_flags;

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 * 1024);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __type(key, __u32);
  __type(value, __u32);
} perf_array SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_USER_RINGBUF);
  __uint(max_entries, 64 * 1024);
} user_ring SEC(".maps");

/* One producer at a time: plain increments are exact. */
__u64 produced;
__u64 lost;

/* The floor's channel: whoever produces writes the time, then the sequence. */
struct bpfmark_event slot;

struct bpfmark_event_counts drained;
struct bpfmark_histogram drained_ns;

SEC("?raw_tp")
int event_ringbuf(void* ctx) {
  const __u64 sequence = ++produced;
  struct bpfmark_event* const event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
  if (!event) {
    lost++;
    return 0;
  }
  event->sequence = sequence;
  event->time_ns = bpf_ktime_get_ns();
  bpf_ringbuf_submit(event, sequence % wake_every ? quiet_flags : wake_flags);
  return 0;
}

SEC("?raw_tp")
int event_perfbuf(void* ctx) {
  struct bpfmark_event event = {.sequence = ++produced};
  event.time_ns = bpf_ktime_get_ns();
  if (bpf_perf_event_output(ctx, &perf_array, BPF_F_CURRENT_CPU, &event, sizeof(event))) lost++;
  return 0;
}

SEC("?raw_tp")
int event_slot(void* ctx) {
  slot.time_ns = bpf_ktime_get_ns();
  /* Orders the time before the sequence for whoever looks at it from another CPU. */
  __sync_lock_test_and_set(&slot.sequence, ++produced);
  return 0;
}

static __always_inline void take(__u64 sequence, __u64 time_ns, int keep) {
  const __u64 now_ns = bpf_ktime_get_ns();
  if (sequence <= drained.last_sequence || now_ns < time_ns) {
    drained.out_of_order++;
  } else {
    drained.latency_ns += now_ns - time_ns;
    if (keep) bpfmark_histogram_record(&drained_ns, now_ns - time_ns);
  }
  drained.last_sequence = sequence;
  __sync_fetch_and_add(&drained.received, 1);
}

static long take_record(struct bpf_dynptr* record, void* ctx) {
  struct bpfmark_event event;
  if (bpf_dynptr_read(&event, sizeof(event), record, 0, 0)) return 1;
  take(event.sequence, event.time_ns, 1);
  return 0;
}

SEC("?raw_tp")
int event_drain(void* ctx) {
  bpf_user_ringbuf_drain(&user_ring, take_record, NULL, BPF_RB_NO_WAKEUP);
  return 0;
}

SEC("?raw_tp")
int event_look(void* ctx) {
  const __u64 sequence = *(volatile __u64*)&slot.sequence;
  if (sequence > drained.last_sequence) take(sequence, slot.time_ns, 0);
  return 0;
}
