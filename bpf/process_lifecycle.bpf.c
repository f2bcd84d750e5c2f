// SPDX-License-Identifier: BSD-2-Clause
// Probes on the life of processes: a count of the forks, and records of exec and exit in a ring
// buffer. Both look only at one process, its threads and its children.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/process_lifecycle.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 owner_tgid;

struct task_struct {
  int tgid;
  struct task_struct* real_parent;
} __attribute__((preserve_access_index));

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1024 * 1024);
} events SEC(".maps");

/* Two children may be on two CPUs. */
__u64 forks;
__u64 lost;

/* The parent is the one that runs. */
SEC("?raw_tp/sched_process_fork")
int count_fork(void* ctx) {
  if (bpf_get_current_pid_tgid() >> 32 == owner_tgid) __sync_fetch_and_add(&forks, 1);
  return 0;
}

static __always_inline int send(__u32 type) {
  const __u64 pid_tgid = bpf_get_current_pid_tgid();
  const struct task_struct* const task = bpf_get_current_task_btf();
  const __u32 tgid = pid_tgid >> 32;
  const __u32 parent_tgid = task->real_parent->tgid;
  struct bpfmark_process_event* event;

  if (tgid != owner_tgid && parent_tgid != owner_tgid) return 0;
  event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) {
    __sync_fetch_and_add(&lost, 1);
    return 0;
  }
  event->type = type;
  event->pid = (__u32)pid_tgid;
  event->tgid = tgid;
  event->parent_tgid = parent_tgid;
  event->time_ns = bpf_ktime_get_ns();
  bpf_get_current_comm(event->comm, sizeof(event->comm));
  bpf_ringbuf_submit(event, 0);
  return 0;
}

SEC("?raw_tp/sched_process_exec")
int send_exec(void* ctx) { return send(BPFMARK_PROCESS_EXEC); }

SEC("?raw_tp/sched_process_exit")
int send_exit(void* ctx) { return send(BPFMARK_PROCESS_EXIT); }
