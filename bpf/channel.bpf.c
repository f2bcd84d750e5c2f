// SPDX-License-Identifier: BSD-2-Clause
// Records in a row, through each channel from a program to user space; and the same records put
// together and sent nowhere, which is the floor. Every channel is loaded alone.
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

#include "bpf/lib/socket_map.bpf.h"
#include "bpf/shared/channel.h"

#define CACHE_LINE __attribute__((aligned(64)))
#define ARENA __attribute__((address_space(1)))

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A multiple of 8. */
const volatile __u32 payload_bytes = 8;
/* Of a record in the ring buffer. With wake_bytes, a wake-up is demanded once so much waits to be
 * read, and with the last record of a run. */
const volatile __u64 submit_flags;
const volatile __u64 wake_bytes;

/* What records are made of, from the third word on. */
__u64 source[BPFMARK_CHANNEL_MAX_WORDS];

CACHE_LINE struct bpfmark_channel_producer producers[BPFMARK_CHANNEL_PRODUCERS];
CACHE_LINE struct bpfmark_channel_ends ends;
/* Where a record is put together that is not written in its place: by producer. */
CACHE_LINE __u64 scratch[BPFMARK_CHANNEL_PRODUCERS][(BPFMARK_CHANNEL_MAX_WORDS + 7) / 8 * 8];
/* Address, in user space, of the first slot in the arena. */
__u64 arena_slots;

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} ring SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
  __type(key, __u32);
  __type(value, __u32);
} perf_array SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, BPFMARK_CHANNEL_SLOTS);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, 2 * sizeof(__u64));
} slots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARENA);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
} arena SEC(".maps");

AF_XDP_SOCKET(user_sockets);

/* State of one run; lives on the program's stack. */
struct sending {
  void* ctx;
  __u64 sequence; /* of this record */
  __u64 left;     /* records after this one */
  __u64 lost;
  __u64 number;
  __u64 time_ns;
  __u32 producer;
};

/* A macro, for memory comes in two kinds of pointers. */
#define FILL(record, state)                        \
  ({                                               \
    const __u64 words = payload_bytes / 8;         \
    (record)[0] = (state)->number;                 \
    if (words > 1) (record)[1] = (state)->time_ns; \
    for (__u64 word = 2; word < words; word++) {   \
      barrier_var(word);                           \
      (record)[word] = source[word];               \
    }                                              \
  })

static __always_inline __u64* own_scratch(const struct sending* state) {
  return scratch[state->producer % BPFMARK_CHANNEL_PRODUCERS];
}

static __always_inline bool into_nothing(struct sending* state) {
  __u64* const record = own_scratch(state);
  FILL(record, state);
  return true;
}

static __always_inline __u64 flags_of_submit(const struct sending* state) {
  if (wake_bytes == 0) return submit_flags;
  if (state->left == 0 || bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_bytes) {
    return BPF_RB_FORCE_WAKEUP;
  }
  return BPF_RB_NO_WAKEUP;
}

static __always_inline bool into_ringbuf(struct sending* state) {
  __u64* const record = bpf_ringbuf_reserve(&ring, payload_bytes, 0);
  if (!record) return false;
  FILL(record, state);
  bpf_ringbuf_submit(record, flags_of_submit(state));
  return true;
}

static __always_inline bool into_perfbuf(struct sending* state) {
  __u64* const record = own_scratch(state);
  FILL(record, state);
  return bpf_perf_event_output(state->ctx, &perf_array, BPF_F_CURRENT_CPU, record, payload_bytes) ==
         0;
}

/* The next place in the ring of slots, if the slot is free. Who loses the race for it too often
 * gives up. */
static __always_inline bool claim(__u64* place) {
  for (int try = 0; try < 16; try++) {
    const __u64 head = *(volatile __u64*)&ends.head;
    /* Signed, for others may have got further since the head was read. */
    if ((__s64)(head - *(volatile __u64*)&ends.tail) >= BPFMARK_CHANNEL_SLOTS) return false;
    if (__sync_val_compare_and_swap(&ends.head, head, head + 1) == head) {
      *place = head;
      return true;
    }
  }
  return false;
}

static __always_inline bool into_slot(struct sending* state) {
  __u64 place = 0;
  if (!claim(&place)) return false;
  const __u32 key = place % BPFMARK_CHANNEL_SLOTS;
  __u64* const slot = bpf_map_lookup_elem(&slots, &key);
  if (!slot) return false;
  FILL(slot + 1, state);
  /* Orders the record before its turn. */
  __sync_lock_test_and_set(slot, place + 1);
  return true;
}

static __always_inline bool into_arena(struct sending* state) {
  /* The kernel lets only a program that names an arena use its pointers. */
  asm volatile("" ::"r"(&arena));
  __u64 place = 0;
  if (!claim(&place)) return false;
  ARENA __u64* const slot =
      (ARENA __u64*)(arena_slots + place % BPFMARK_CHANNEL_SLOTS * (8 + payload_bytes));
  FILL(slot + 1, state);
  __sync_lock_test_and_set(slot, place + 1);
  return true;
}

static __always_inline void begin_record(struct sending* state) {
  state->sequence++;
  state->left--;
  state->number = state->sequence * BPFMARK_CHANNEL_PRODUCERS + state->producer;
  state->time_ns = 0;
  if (payload_bytes > 8 && state->sequence % BPFMARK_CHANNEL_TIMED_EVERY == 0) {
    state->time_ns = bpf_ktime_get_ns();
  }
}

typedef long (*send_one)(__u32 index, struct sending* state);

static __always_inline int send_all(struct bpf_raw_tracepoint_args* ctx, send_one send) {
  const __u64 producer = ctx->args[0];
  if (producer >= BPFMARK_CHANNEL_PRODUCERS) return 1;
  struct bpfmark_channel_producer* const own = &producers[producer];
  struct sending state = {
      .ctx = ctx, .sequence = own->sequence, .left = own->ops, .producer = producer};
  const __u64 start = bpf_ktime_get_ns();
  bpf_loop(own->ops, send, &state, 0);
  own->elapsed_ns += bpf_ktime_get_ns() - start;
  own->sequence = state.sequence;
  own->lost += state.lost;
  return 0;
}

/* The program send_WAY, and the body of its loop. */
#define SENDER(way)                                                    \
  static long send_##way##_one(__u32 index, struct sending* state) {   \
    begin_record(state);                                               \
    if (!into_##way(state)) state->lost++;                             \
    return 0;                                                          \
  }                                                                    \
  SEC("?raw_tp") int send_##way(struct bpf_raw_tracepoint_args* ctx) { \
    return send_all(ctx, send_##way##_one);                            \
  }

SENDER(nothing)
SENDER(ringbuf)
SENDER(perfbuf)
SENDER(slot)
SENDER(arena)

/* --- AF_XDP: a program runs once for each frame, and the record is what the frame carries */

/* A queue of a device has one CPU at a time, so there is one producer. */
static __always_inline bool into_frame(struct xdp_md* ctx) {
  __u64* const record = (void*)(unsigned long)ctx->data + BPFMARK_CHANNEL_FRAME_HEADER;
  if ((void*)record + payload_bytes > (void*)(unsigned long)ctx->data_end) return false;
  struct sending state = {.sequence = producers[0].sequence};
  begin_record(&state);
  producers[0].sequence = state.sequence;
  FILL(record, &state);
  return true;
}

/* Whether the socket had room for it, the socket counts. */
SEC("?xdp") int send_frame(struct xdp_md* ctx) {
  if (!into_frame(ctx)) return XDP_DROP;
  return (int)bpf_redirect_map(&user_sockets, 0, XDP_DROP);
}

SEC("?xdp") int send_no_frame(struct xdp_md* ctx) {
  into_frame(ctx);
  return XDP_DROP;
}
