// SPDX-License-Identifier: BSD-2-Clause
// The shapes that the verifier asks of code: checks of bounds, places for an object that is too
// large for registers, loops inside of an operation.
#include "bpf/lib/batch.bpf.h"
#include "bpf/lib/loops.bpf.h"

#include "bpf/shared/shape.h"

#define SHAPE(name, prepare, operation) \
  TIMED_PROGRAM("?tc", struct __sk_buff, name, prepare, operation, 1)

/* --- bound_check: adding up bytes of an array by indices from a prepared stream. The floors add up
 * the indices. An index of one byte is in bounds by its type. */

__u8 array[BPFMARK_ARRAY_BYTES];
__u8 narrow[BPFMARK_ARRAY_BYTES];
__u16 wide[BPFMARK_ARRAY_BYTES];

#define INDICES(type, stream)                                                            \
  const type* indices = &stream[state->cursor & (BPFMARK_ARRAY_BYTES - BPFMARK_UNROLL)]; \
  BPFMARK_OPAQUE(indices);                                                               \
  state->cursor += BPFMARK_UNROLL
#define INDEX                  \
  __u64 index = indices[step]; \
  BPFMARK_OPAQUE(index)
#define BYTE value = *(volatile __u8*)&array[index]

SHAPE(bound_f_type, INDICES(__u8, narrow), INDEX; value = index)
SHAPE(bound_f_check, INDICES(__u16, wide), INDEX; value = index)
SHAPE(bound_type, INDICES(__u8, narrow), INDEX; BYTE)
SHAPE(bound_compare, INDICES(__u16, wide), INDEX; if (index >= BPFMARK_ARRAY_BYTES) return 1; BYTE)
SHAPE(bound_mask, INDICES(__u16, wide), INDEX; index &= BPFMARK_ARRAY_BYTES - 1; BYTE)

/* --- scratch: finding an object, clearing it or not, writing one byte and reading it back. */

struct object {
  __u64 words[BPFMARK_OBJECT_BYTES / 8];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct object);
} shared_object SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct object);
} own_object SEC(".maps");

__u64 global_words[BPFMARK_OBJECT_BYTES / 8];

#define ON_STACK       \
  struct object place; \
  struct object* object = &place
#define IN_MAP(map)                                         \
  __u32 zero = 0;                                           \
  struct object* object = bpf_map_lookup_elem(&map, &zero); \
  if (!object) return 1
#define AS_GLOBAL struct object* object = (struct object*)global_words
#define CLEARED __builtin_memset(object, 0, sizeof(*object))
/* The compiler must believe that others see the object. */
#define USED                                                        \
  asm volatile("" : : "r"(object) : "memory");                      \
  ((volatile __u8*)object)[BPFMARK_OBJECT_BYTE] = (__u8)(pass | 1); \
  value = ((volatile __u8*)object)[BPFMARK_OBJECT_BYTE] & 1

SHAPE(scratch_floor, , value = (pass | 1) & 1; BPFMARK_OPAQUE(value))
SHAPE(scr_stack, , ON_STACK; USED)
SHAPE(scr_stack_z, , ON_STACK; CLEARED; USED)
SHAPE(scr_array, , IN_MAP(shared_object); USED)
SHAPE(scr_array_z, , IN_MAP(shared_object); CLEARED; USED)
SHAPE(scr_percpu, , IN_MAP(own_object); USED)
SHAPE(scr_percpu_z, , IN_MAP(own_object); CLEARED; USED)
SHAPE(scr_global, , AS_GLOBAL; USED)
SHAPE(scr_global_z, , AS_GLOBAL; CLEARED; USED)

/* --- loop: a whole loop as one operation, its start and end included. Every pass adds one to a
 * global, in the floor the sum is added at once. */

/* Passes of an inner loop; known to the verifier, not to the compiler. */
const volatile __u32 inner = 1;
__u64 counted;

static long count(__u32 pass, void* none) {
  counted++;
  return 0;
}

static __noinline int unrolled_64(void) {
#pragma unroll
  for (int i = 0; i < BPFMARK_INNER_MAX; i++) {
    asm volatile("" ::: "memory");
    counted++;
  }
  return 0;
}

static __noinline int bounded(void) {
#pragma clang loop unroll(disable)
  for (__u32 i = 0; i < BPFMARK_INNER_MAX; i++) {
    if (i >= inner) break;
    asm volatile("" ::: "memory");
    counted++;
  }
  return 0;
}

static __noinline int iterated(void) {
  struct bpf_iter_num it;
  bpf_iter_num_new(&it, 0, (int)inner);
#pragma clang loop unroll(disable)
  while (bpf_iter_num_next(&it)) counted++;
  bpf_iter_num_destroy(&it);
  return 0;
}

static __noinline int may_gone(void) {
  __u64 passes = 0;
  const __u32 limit = inner;
#pragma clang loop unroll(disable)
  while (passes < limit) {
    MAY_GOTO(out);
    passes++;
    asm volatile("" : "+r"(passes));
    counted++;
  }
out:
  return 0;
}

static __noinline int called(void) { return (int)bpf_loop(inner, count, 0, 0); }

static __noinline int counted_at_once(void) {
  counted += inner;
  return 0;
}

#define LOOP(name, function) SHAPE(name, , counted = 0; function(); value = counted)

LOOP(in_floor, counted_at_once)
LOOP(in_unrolled, unrolled_64)
LOOP(in_bounded, bounded)
LOOP(in_iter_num, iterated)
LOOP(in_may_goto, may_gone)
LOOP(in_bpf_loop, called)
