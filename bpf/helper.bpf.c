// SPDX-License-Identifier: BSD-2-Clause
// One helper, or a pair that undoes what it did, per program: h_<name>, and f_<name>, its floor
// twin. Kernel functions (kfuncs) stand in kfunc.bpf.c.
#include "bpf/lib/batch.bpf.h"

#include "bpf/shared/helper.h"

/* A floor has the locals of its subject, and no use for them. */
#pragma clang diagnostic ignored "-Wunused-variable"

/* Set by user space. */
__u64 user_address;
__u64 user_string;

__u64 csum_data[BPFMARK_CSUM_BYTES / 8];
/* Not const: what the compiler sees it would compute. */
char text[BPFMARK_STRING_BYTES] = BPFMARK_STRING;
char number_text[8] = BPFMARK_NUMBER_TEXT;
const char same_text[BPFMARK_STRING_BYTES] = BPFMARK_STRING;
const char format[] = "%u:%u";

#define HELPER(section, context, name, prepare, operation, good)          \
  TIMED_PROGRAM("?" section, context, h_##name, prepare, operation, good) \
  TIMED_PROGRAM("?" section, context, f_##name, prepare, BPFMARK_NOTHING, value == 1)

#define TC_HELPER(name, prepare, operation, good) \
  HELPER("tc", struct __sk_buff, name, prepare, operation, good)
#define XDP_HELPER(name, prepare, operation, good) \
  HELPER("xdp", struct xdp_md, name, prepare, operation, good)
#define TP_HELPER(name, prepare, operation, good) \
  HELPER("raw_tp/sys_enter", void, name, prepare, operation, good)

/* --- who and where */

TC_HELPER(cpu_id, , value = bpf_get_smp_processor_id(), value < 65536)
TC_HELPER(numa_node, , value = bpf_get_numa_node_id(), value < 65536)
TC_HELPER(jiffies, , value = bpf_jiffies64(), value != 0)
TC_HELPER(prandom, , value = bpf_get_prandom_u32(), value <= 0xffffffff)
TP_HELPER(pid_tgid, , value = bpf_get_current_pid_tgid(), value != 0)
TP_HELPER(uid_gid, , value = bpf_get_current_uid_gid(), value != ~0ull)
TP_HELPER(cgroup_id, , value = bpf_get_current_cgroup_id(), value != 0)
/* The upper bits of every kernel address are set. */
TP_HELPER(task, , value = bpf_get_current_task() >> 48, value == 0xffff)
/* Older kernels leave what is behind the end of the name. */
TP_HELPER(comm, __u64 comm[2] = {0}, value = bpf_get_current_comm(comm, sizeof(comm)) ? 0 : comm[0],
          value != 0)

/* --- memory */

TP_HELPER(read_kern_str, char read[BPFMARK_STRING_BYTES],
          value = bpf_probe_read_kernel_str(read, sizeof(read), text),
          value == BPFMARK_STRING_BYTES)

TP_HELPER(read_user, __u64 word,
          value = bpf_probe_read_user(&word, sizeof(word), (void*)user_address) ? 0 : word,
          value != 0)
TP_HELPER(read_user_str, char read[BPFMARK_STRING_BYTES],
          value = bpf_probe_read_user_str(read, sizeof(read), (void*)user_string),
          value == BPFMARK_STRING_BYTES)
HELPER("syscall", void, copy_user, __u64 word,
       value = bpf_copy_from_user(&word, sizeof(word), (void*)user_address) ? 0 : word, value != 0)

/* --- text and numbers */

TC_HELPER(strncmp, , value = bpf_strncmp(text, sizeof(text), same_text), value == 0)
TC_HELPER(strtoul, unsigned long number,
          value = bpf_strtoul(number_text, sizeof(number_text), 0, &number) < 0 ? 0 : number,
          value == BPFMARK_NUMBER)
TC_HELPER(snprintf, char printed[24]; __u64 args[2]; args[0] = 42;
          args[1] = BPFMARK_NUMBER,
          value = bpf_snprintf(printed, sizeof(printed), format, args, sizeof(args)),
          value == sizeof(BPFMARK_PRINTED))
TC_HELPER(csum_diff, , value = bpf_csum_diff(0, 0, (__be32*)csum_data, sizeof(csum_data), 0),
          value <= 0xffffffff)

/* --- walks */

/* Not on the stack, where the verifier would follow its every value. */
__u64 seen;

static long count_one(__u32 pass, void* none) {
  seen++;
  return 0;
}

TC_HELPER(loop, , seen = 0; bpf_loop(BPFMARK_WALKED, count_one, 0, 0);
          value = seen, value == BPFMARK_WALKED)

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, BPFMARK_WALKED);
  __type(key, __u32);
  __type(value, __u64);
} walked SEC(".maps");

static long count_entry(void* map, __u32* key, __u64* entry, void* none) {
  seen++;
  return 0;
}

TC_HELPER(for_each, , seen = 0; bpf_for_each_map_elem(&walked, count_entry, 0, 0);
          value = seen, value == BPFMARK_WALKED)

struct task_struct {
  int tgid;
} __attribute__((preserve_access_index));
struct vm_area_struct {
  unsigned long vm_start;
} __attribute__((preserve_access_index));

static long count_vma(struct task_struct* task, struct vm_area_struct* vma, void* none) {
  seen++;
  return 0;
}

TP_HELPER(find_vma, struct task_struct* task = (void*)bpf_get_current_task_btf(), seen = 0;
          bpf_find_vma(task, user_address, count_vma, 0, 0); value = seen, value == 1)

struct {
  __uint(type, BPF_MAP_TYPE_STACK_TRACE);
  __uint(max_entries, 64);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, 127 * sizeof(__u64));
} stacks SEC(".maps");

TP_HELPER(stackid, , value = bpf_get_stackid(ctx, &stacks, BPF_F_REUSE_STACKID), (__s64)value >= 0)
TP_HELPER(stack, __u64 frames[8], value = bpf_get_stack(ctx, frames, sizeof(frames), 0),
          (__s64)value > 0)

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u32));
} events SEC(".maps");

TP_HELPER(perf_output, __u64 record[8] = {},
          value = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, sizeof(record)),
          value == 0)

/* --- locks and timers */

struct guarded {
  struct bpf_spin_lock lock;
  __u32 count;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct guarded);
} guarded SEC(".maps");

#define FIRST_OF(type, entry, map)                \
  __u32 zero = 0;                                 \
  type* entry = bpf_map_lookup_elem(&map, &zero); \
  if (!entry) return 1

TC_HELPER(spin_lock, FIRST_OF(struct guarded, g, guarded), bpf_spin_lock(&g->lock);
          bpf_spin_unlock(&g->lock); BPFMARK_NOTHING, value == 1)

struct timed {
  struct bpf_timer timer;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct timed);
} timers SEC(".maps");

static int never_called(void* map, __u32* key, struct timed* t) { return 0; }

/* An hour ahead; cancelling says that it was started, and takes the callback away as well. A second
 * initialisation is refused and does nothing. */
#define AN_HOUR_NS (3600ull * 1000 * 1000 * 1000)
TC_HELPER(timer, FIRST_OF(struct timed, t, timers);
          bpf_timer_init(&t->timer, &timers, 1), bpf_timer_set_callback(&t->timer, never_called);
          value = bpf_timer_start(&t->timer, AN_HOUR_NS, 0);
          if (value == 0) value = bpf_timer_cancel(&t->timer), value == 1)

/* --- packets, TC */

#define ETH_BYTES 14
#define IP_CHECK_OFFSET (ETH_BYTES + 10)
#define UDP_CHECK_OFFSET (ETH_BYTES + 20 + 6)
#define VLAN_PROTOCOL __builtin_bswap16(0x8100)

TC_HELPER(vlan_pair, , value = bpf_skb_vlan_push(ctx, VLAN_PROTOCOL, 7) | bpf_skb_vlan_pop(ctx),
          value == 0)
TC_HELPER(l3_csum_pair, ,
          value = bpf_l3_csum_replace(ctx, IP_CHECK_OFFSET, 1, 2, 2) |
                  bpf_l3_csum_replace(ctx, IP_CHECK_OFFSET, 2, 1, 2),
          value == 0)
TC_HELPER(l4_csum_pair, ,
          value = bpf_l4_csum_replace(ctx, UDP_CHECK_OFFSET, 1, 2, 2) |
                  bpf_l4_csum_replace(ctx, UDP_CHECK_OFFSET, 2, 1, 2),
          value == 0)
TC_HELPER(csum_level, ,
          value = bpf_csum_level(ctx, BPF_CSUM_LEVEL_INC) | bpf_csum_level(ctx, BPF_CSUM_LEVEL_DEC),
          value == 0)
/* Of a packet that carries the checksum of all bytes; a number and its complement are nothing. */
TC_HELPER(csum_update, , value = bpf_csum_update(ctx, 5) | bpf_csum_update(ctx, ~5u),
          value <= 0xffffffff)
TC_HELPER(check_mtu, __u32 mtu = 0, value = bpf_check_mtu(ctx, BPFMARK_REDIRECT_INDEX, &mtu, 0, 0),
          value == 0)
TC_HELPER(skb_tail_pair, __u32 bytes = ctx->len,
          value = bpf_skb_change_tail(ctx, bytes + 16, 0) | bpf_skb_change_tail(ctx, bytes, 0),
          value == 0 && ctx->len == bytes)
TC_HELPER(skb_room_pair, __u32 bytes = ctx->len,
          value = bpf_skb_adjust_room(ctx, 16, BPF_ADJ_ROOM_MAC, 0) |
                  bpf_skb_adjust_room(ctx, -16, BPF_ADJ_ROOM_MAC, 0),
          value == 0 && ctx->len == bytes)
TC_HELPER(skb_pull_data, , value = bpf_skb_pull_data(ctx, 0), value == 0)
TC_HELPER(skb_hash_pair, , bpf_set_hash_invalid(ctx); value = bpf_get_hash_recalc(ctx), value != 0)
TC_HELPER(socket_cookie, , value = bpf_get_socket_cookie(ctx), value != 0)
/* Only notes where to: the verdict of the program lets the packet go on. */
TC_HELPER(redirect_tc, , value = bpf_redirect(BPFMARK_REDIRECT_INDEX, 0), value == 7)
/* Looked up by the loopback address, which is never forwarded: a whole look-up. */
TC_HELPER(fib_lookup, struct bpf_fib_lookup route, __builtin_memset(&route, 0, sizeof(route));
          route.family = 2; route.ipv4_dst = __builtin_bswap32(0x7f000001);
          route.ipv4_src = __builtin_bswap32(0x7f000001); route.ifindex = BPFMARK_REDIRECT_INDEX;
          value = bpf_fib_lookup(ctx, &route, sizeof(route), 0),
          value == BPF_FIB_LKUP_RET_NOT_FWDED)

/* A socket that user space has bound to the loopback address, to a port in network order. */
__u16 udp_port;
#define LOOPBACK_ADDRESS __builtin_bswap32(0x7f000001)
#define OWN_SOCKET                                        \
  struct bpf_sock_tuple tuple = {};                       \
  tuple.ipv4.saddr = tuple.ipv4.daddr = LOOPBACK_ADDRESS; \
  tuple.ipv4.sport = tuple.ipv4.dport = udp_port
#define PORT_OF(lookup)             \
  struct bpf_sock* socket = lookup; \
  value = 0;                        \
  if (socket) {                     \
    value = socket->src_port;       \
    bpf_sk_release(socket);         \
  }
TC_HELPER(sk_lookup, OWN_SOCKET,
          PORT_OF(bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0)),
          value != 0)

/* --- packets, XDP */

XDP_HELPER(xdp_head_pair, , value = bpf_xdp_adjust_head(ctx, -16) | bpf_xdp_adjust_head(ctx, 16),
           value == 0)
XDP_HELPER(xdp_tail_pair, , value = bpf_xdp_adjust_tail(ctx, 16) | bpf_xdp_adjust_tail(ctx, -16),
           value == 0)
XDP_HELPER(xdp_meta_pair, , value = bpf_xdp_adjust_meta(ctx, -16) | bpf_xdp_adjust_meta(ctx, 16),
           value == 0)
XDP_HELPER(xdp_buff_len, , value = bpf_xdp_get_buff_len(ctx), value == 64)
XDP_HELPER(redirect_xdp, , value = bpf_redirect(BPFMARK_REDIRECT_INDEX, 0), value == XDP_REDIRECT)
