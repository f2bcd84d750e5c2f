// SPDX-License-Identifier: BSD-2-Clause
// Fills a histogram inside the kernel, so that a test can compare it with its user-space twin.
#include "bpf/shared/histogram.h"

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAX_VALUES 65536

__u64 values[MAX_VALUES];
__u32 value_count;
struct bpfmark_histogram recorded;

static long record_value(__u32 index, void* context) {
  (void)context;
  if (index >= MAX_VALUES) return 1;
  bpfmark_histogram_record(&recorded, values[index]);
  return 0;
}

// Returns how many values it went through.
SEC("syscall")
int histogram_record(void* context) {
  (void)context;
  return (int)bpf_loop(value_count, record_value, NULL, 0);
}
