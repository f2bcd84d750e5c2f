// SPDX-License-Identifier: BSD-2-Clause
// An empty body and one with a single counter, the same two for every program type. The test-run
// repeats them; nothing is timed inside.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Runs of the counter body since the load. Batches run on one CPU, so a plain increment is exact.
 */
__u64 runs;

/* `verdict` lets the packet or lookup go on, in each type's own terms. Every variant is loaded
 * alone: a kernel that lacks one type must not lose the others. */
#define HOOK_PROGRAMS(section, name, ctx_type, verdict)                \
  SEC("?" section) int name##_empty(ctx_type* ctx) { return verdict; } \
  SEC("?" section) int name##_counter(ctx_type* ctx) {                 \
    runs++;                                                            \
    return verdict;                                                    \
  }

HOOK_PROGRAMS("xdp", xdp, struct xdp_md, XDP_PASS)
HOOK_PROGRAMS("tc", tc, struct __sk_buff, 0)
HOOK_PROGRAMS("socket", sock_filter, struct __sk_buff, 0)
HOOK_PROGRAMS("cgroup_skb/ingress", cgroup_skb, struct __sk_buff, 1)
HOOK_PROGRAMS("flow_dissector", flow_dis, struct __sk_buff, BPF_OK)
HOOK_PROGRAMS("lwt_in", lwt_in, struct __sk_buff, BPF_OK)
HOOK_PROGRAMS("lwt_out", lwt_out, struct __sk_buff, BPF_OK)
HOOK_PROGRAMS("lwt_xmit", lwt_xmit, struct __sk_buff, BPF_OK)
HOOK_PROGRAMS("sk_lookup", sk_lookup, struct bpf_sk_lookup, SK_PASS)
HOOK_PROGRAMS("netfilter", netfilter, void, 1)
HOOK_PROGRAMS("raw_tp/sys_enter", raw_tp, void, 0)
HOOK_PROGRAMS("syscall", syscall, void, 0)
