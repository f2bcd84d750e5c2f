// SPDX-License-Identifier: BSD-2-Clause
// A monitor of the page faults of one process: looks up what one would report (pid, name, address,
// instruction), keeps it and counts.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/page_fault.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 owner_tgid;

/* One thread of the process faults at a time: plain additions are exact. */
struct bpfmark_faults faults;

/* As events/exceptions/page_fault_user/format of tracefs has it. */
struct page_fault_event {
  __u64 common;
  __u64 address;
  __u64 ip;
  __u64 error_code;
};

SEC("?tp/exceptions/page_fault_user")
int note_fault(struct page_fault_event* event) {
  const __u64 pid_tgid = bpf_get_current_pid_tgid();

  if (pid_tgid >> 32 != owner_tgid) return 0;
  faults.count++;
  faults.address_sum += event->address;
  faults.last_address = event->address;
  faults.last_ip = event->ip;
  faults.last_pid = (__u32)pid_tgid;
  bpf_get_current_comm(faults.last_comm, sizeof(faults.last_comm));
  return 0;
}
