// SPDX-License-Identifier: BSD-2-Clause
// One operation on what another CPU works on as well. c_<name> is the subject and f_<name> its
// floor twin; r_<name> and g_<name> do the same on the other CPU, until user space stops them.
#include "bpf/lib/batch.bpf.h"

#include "bpf/shared/map_contention.h"

/* A floor has the locals of its subject, and no use for them. */
#pragma clang diagnostic ignored "-Wunused-variable"

struct bpfmark_rival rival __attribute__((aligned(BPFMARK_CELL_BYTES)));

static __always_inline int run_rival(struct __sk_buff* ctx, loop_body body) {
  struct loop_state state = {.cursor = rival.first, .ctx = ctx};
  bpf_loop(BPFMARK_RIVAL_PASSES, body, &state, 0);
  rival.ops += state.passes * BPFMARK_UNROLL;
  rival.hits += state.hits;
  return 0;
}

#define ON_BOTH_SIDES(own, other, prepare, operation, good)             \
  TIMED_PROGRAM("?tc", struct __sk_buff, own, prepare, operation, good) \
  static long other##_body(__u32 pass, struct loop_state* state) {      \
    if (*(volatile __u64*)&rival.stop) return 1;                        \
    own##_body(pass, state);                                            \
    *(volatile __u64*)&rival.running = 1;                               \
    return 0;                                                           \
  }                                                                     \
  SEC("?tc") int other(struct __sk_buff* ctx) { return run_rival(ctx, other##_body); }

#define CONTENDED(name, prepare, operation, good)             \
  ON_BOTH_SIDES(c_##name, r_##name, prepare, operation, good) \
  ON_BOTH_SIDES(f_##name, g_##name, prepare, BPFMARK_NOTHING, value == 1)

/* --- a count: kept right by a lock, by the instruction, or by being this CPU's own */

struct bpf_res_spin_lock {
  __u32 val;
};

extern int bpf_res_spin_lock(struct bpf_res_spin_lock* lock) __ksym __weak;
extern void bpf_res_spin_unlock(struct bpf_res_spin_lock* lock) __ksym __weak;

/* User space reads the count of each at the same place. */
#define CELLS(map_name, map_type, lock_member) \
  struct map_name##_cell {                     \
    __u64 count;                               \
    lock_member;                               \
    __u32 unused;                              \
    __u64 apart[BPFMARK_CELL_BYTES / 8 - 2];   \
  };                                           \
  struct {                                     \
    __uint(type, map_type);                    \
    __uint(max_entries, 2);                    \
    __type(key, __u32);                        \
    __type(value, struct map_name##_cell);     \
  } map_name SEC(".maps")

CELLS(locked, BPF_MAP_TYPE_ARRAY, struct bpf_spin_lock lock);
CELLS(resilient, BPF_MAP_TYPE_ARRAY, struct bpf_res_spin_lock lock);
CELLS(bare, BPF_MAP_TYPE_ARRAY, __u32 no_lock);
CELLS(percpu, BPF_MAP_TYPE_PERCPU_ARRAY, __u32 no_lock);

#define KEY const __u32 key = (__u32)state->cursor
#define CELL(map)                                            \
  KEY;                                                       \
  struct map##_cell* cell = bpf_map_lookup_elem(&map, &key); \
  if (!cell) return 1

CONTENDED(spin_lock, CELL(locked), bpf_spin_lock(&cell->lock); cell->count++;
          bpf_spin_unlock(&cell->lock); BPFMARK_NOTHING, value == 1)

#define COUNT_UNDER_LOCK                 \
  value = 0;                             \
  if (!bpf_res_spin_lock(&cell->lock)) { \
    cell->count++;                       \
    bpf_res_spin_unlock(&cell->lock);    \
    value = 1;                           \
  }
CONTENDED(res_spin_lock, CELL(resilient), COUNT_UNDER_LOCK, value == 1)

CONTENDED(atomic, CELL(bare), __sync_fetch_and_add(&cell->count, 1); BPFMARK_NOTHING, value == 1)

CONTENDED(percpu, CELL(percpu), cell->count++; BPFMARK_STORED(cell->count);
          BPFMARK_NOTHING, value == 1)

/* --- entries of a hash, whose buckets have a lock each */

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024);
  __type(key, __u32);
  __type(value, __u64);
} hash SEC(".maps");

#define ENTRY \
  KEY;        \
  const __u64 next = state->cursor

CONTENDED(hash_update, ENTRY, value = bpf_map_update_elem(&hash, &key, &next, BPF_EXIST) == 0,
          value == 1)
CONTENDED(hash_insdel, ENTRY,
          value = bpf_map_update_elem(&hash, &key, &next, BPF_NOEXIST) == 0 &&
                  bpf_map_delete_elem(&hash, &key) == 0,
          value == 1)
