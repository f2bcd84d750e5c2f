// SPDX-License-Identifier: BSD-2-Clause
// Programs that watch TCP connections being set up, count, and change nothing.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/shared/tcp_connect.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* One connection at a time on one CPU: plain increments are exact. */
struct bpfmark_connections seen;

SEC("?cgroup/connect4")
int connect_cgroup4(struct bpf_sock_addr* ctx) {
  seen.connects++;
  return 1;
}

SEC("?sockops")
int connect_sockops(struct bpf_sock_ops* ctx) {
  switch (ctx->op) {
    case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
      seen.active++;
      break;
    case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
      seen.passive++;
      break;
  }
  return 1;
}

SEC("?sk_lookup")
int connect_lookup(struct bpf_sk_lookup* ctx) {
  seen.lookups++;
  return SK_PASS;
}
