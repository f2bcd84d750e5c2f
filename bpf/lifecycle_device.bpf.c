// SPDX-License-Identifier: BSD-2-Clause
// Counts the packets of a device, by the hooks that a device has.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u64 packets;

SEC("?xdp")
int device_xdp(struct xdp_md* ctx) {
  __sync_fetch_and_add(&packets, 1);
  return XDP_PASS;
}

SEC("?tcx/ingress")
int device_tcx(struct __sk_buff* ctx) {
  __sync_fetch_and_add(&packets, 1);
  return TCX_PASS;
}
