// SPDX-License-Identifier: BSD-2-Clause
// An object such as a small tool has: two programs, a table, a ring buffer, a knob. It is loaded
// and thrown away; nothing of it runs.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 owner_tgid;

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u64);
} calls SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 64 * 1024);
} events SEC(".maps");

SEC("raw_tp")
int lifecycle_count(void* ctx) {
  const __u32 tgid = bpf_get_current_pid_tgid() >> 32;
  __u64* const count = bpf_map_lookup_elem(&calls, &tgid);
  if (count) {
    __sync_fetch_and_add(count, 1);
  } else {
    const __u64 first = 1;
    bpf_map_update_elem(&calls, &tgid, &first, BPF_NOEXIST);
  }
  return 0;
}

SEC("raw_tp")
int lifecycle_send(void* ctx) {
  if (bpf_get_current_pid_tgid() >> 32 != owner_tgid) return 0;
  __u64* const time_ns = bpf_ringbuf_reserve(&events, sizeof(*time_ns), 0);
  if (!time_ns) return 0;
  *time_ns = bpf_ktime_get_ns();
  bpf_ringbuf_submit(time_ns, 0);
  return 0;
}
