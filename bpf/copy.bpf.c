// SPDX-License-Identifier: BSD-2-Clause
// Copying a block of `bytes` bytes. Before every copy the last word of the destination is cleared,
// and after it added up, in the floor as well: no copy can be left out or cut short unseen. User
// space compares all bytes after a batch.
#include "bpf/lib/batch.bpf.h"

#include "bpf/shared/copy.h"

extern int bpf_dynptr_copy(struct bpf_dynptr* to, __u32 to_offset, struct bpf_dynptr* from,
                           __u32 from_offset, __u32 size) __ksym __weak;
extern void* bpf_dynptr_slice(const struct bpf_dynptr* from, __u32 offset, void* buffer,
                              __u32 buffer__szk) __ksym __weak;

const volatile __u32 bytes = 8;

__u64 from[BPFMARK_COPY_MAX_BYTES / 8];
__u64 to[BPFMARK_COPY_MAX_BYTES / 8];

/* What is found at the end of the destination; the place is known to the verifier. */
#define LAST(block) (*(volatile __u64*)&(block)[bytes / 8 - 1])
#define FROM_DYNPTR         \
  struct bpf_dynptr source; \
  bpf_dynptr_from_mem(from, bytes, 0, &source)

#define COPY(section, context, name, prepare, copy) \
  TIMED_PROGRAM("?" section, context, copy_##name, prepare, LAST(to) = 0; copy; value = LAST(to), 1)
#define TC_COPY(name, prepare, copy) COPY("tc", struct __sk_buff, name, prepare, copy)

#define NO_COPY asm volatile("" ::: "memory")
TC_COPY(floor, , NO_COPY)
TC_COPY(floor_dynptr, FROM_DYNPTR, NO_COPY)
COPY("xdp.frags", struct xdp_md, floor_xdp, , NO_COPY)

/* Word moves, as the compiler makes them of a memcpy() of constant size (up to 1 KiB). Large blocks
 * are moved in a function: 8 such copies in a row would not fit into the cache for instructions. */
static __noinline __u64 move_4096(void) {
#pragma unroll
  for (int part = 0; part < 4; part++) {
    __builtin_memcpy(&to[part * 128], &from[part * 128], 1024);
    NO_COPY;
  }
  return 0;
}
static __noinline __u64 move_1000(void) {
  __builtin_memcpy(to, from, 1000);
  return 0;
}

TC_COPY(words_8, , __builtin_memcpy(to, from, 8); NO_COPY)
TC_COPY(words_64, , __builtin_memcpy(to, from, 64); NO_COPY)
TC_COPY(words_1000, , move_1000())
TC_COPY(words_4096, , move_4096())

TC_COPY(probe_read, , bpf_probe_read_kernel(to, bytes, from))
TC_COPY(dynptr_read, FROM_DYNPTR, bpf_dynptr_read(to, bytes, &source, 0, 0))
TC_COPY(dynptr_write, struct bpf_dynptr target;
        bpf_dynptr_from_mem(to, bytes, 0, &target), bpf_dynptr_write(&target, 0, from, bytes, 0))
TC_COPY(dynptr_copy, FROM_DYNPTR; struct bpf_dynptr target;
        bpf_dynptr_from_mem(to, bytes, 0, &target), bpf_dynptr_copy(&target, 0, &source, 0, bytes))

/* Copies nothing: the way to the bytes where they lie. */
TIMED_PROGRAM("?tc", struct __sk_buff, copy_slice, FROM_DYNPTR, LAST(to) = 0;
              __u64* found = bpf_dynptr_slice(&source, 0, 0, bytes);
              value = found ? *(volatile __u64*)&found[bytes / 8 - 1] : 0, 1)

/* From a packet, whose first bytes are the block. A test-run takes less than a page of linear data:
 * a longer packet is grown (TC), or has its end in a fragment (XDP). */
static __always_inline int with_packet(struct __sk_buff* ctx, loop_body body) {
  if (ctx->len < bytes) {
    if (bpf_skb_change_tail(ctx, bytes, 0)) return 0;
    bpf_skb_store_bytes(ctx, 0, from, bytes, 0);
  }
  return run_timed_loop_on(ctx, body);
}

TIMED_BODY(struct __sk_buff, copy_skb_load, , LAST(to) = 0; bpf_skb_load_bytes(ctx, 0, to, bytes);
           value = LAST(to), 1)
SEC("?tc")
int copy_skb_load(struct __sk_buff* ctx) { return with_packet(ctx, copy_skb_load_body); }

COPY("xdp.frags", struct xdp_md, xdp_load, , bpf_xdp_load_bytes(ctx, 0, to, bytes))
