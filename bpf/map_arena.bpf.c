// SPDX-License-Identifier: BSD-2-Clause
// Memory that programs share with user space, by plain pointers, and its pages, which a program
// takes and gives back.
#include "bpf/lib/keys.bpf.h"

#define IN_ARENA __attribute__((address_space(1)))

/* User space sets the number of pages. Where the arena is mapped, the kernel chooses. */
struct {
  __uint(type, BPF_MAP_TYPE_ARENA);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
} arena SEC(".maps");

extern void IN_ARENA* bpf_arena_alloc_pages(void* map, void IN_ARENA* address, __u32 count,
                                            int node, __u64 flags) __ksym __weak;
extern void bpf_arena_free_pages(void* map, void IN_ARENA* address, __u32 count) __ksym __weak;

/* The address at which user space sees the arena, where an array of words starts. */
__u64 arena_start;
/* That one operation takes and gives back. */
const volatile __u32 page_count = 1;

/* A program may follow pointers into an arena only if it names the arena. */
#define WORDS                \
  void* map = &arena;        \
  BPFMARK_OPAQUE(map);       \
  __u64 start = arena_start; \
  BPFMARK_OPAQUE(start);     \
  __u64 IN_ARENA* const words __attribute__((unused)) = (__u64 IN_ARENA*)start

#define KEY_AND_VALUE   \
  __u64 next = place;   \
  BPFMARK_OPAQUE(next); \
  __u32 key = word;     \
  BPFMARK_OPAQUE(key);  \
  hits++

#define TC_PROGRAM(name, operation) KEYED_PROGRAM("?tc", struct __sk_buff, name, WORDS, operation)

TC_PROGRAM(arena_read, __u32 key = word; BPFMARK_OPAQUE(key); hits++; sum += words[key])
TC_PROGRAM(floor_read, __u32 key = word; BPFMARK_OPAQUE(key); hits++; sum += key)
TC_PROGRAM(arena_write, KEY_AND_VALUE; words[key] = next; sum += word)
TC_PROGRAM(floor_write, KEY_AND_VALUE; sum += word)

#define ANY_NODE (-1)

KEYED_PROGRAM(
    "?syscall", void, arena_alloc, ,
    void IN_ARENA* page = bpf_arena_alloc_pages(&arena, 0, page_count, ANY_NODE, 0);
    if (page) {
      bpf_arena_free_pages(&arena, page, page_count);
      hits++;
    } sum += word)
KEYED_PROGRAM("?syscall", void, floor_alloc, , hits++; sum += word)
