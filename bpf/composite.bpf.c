// SPDX-License-Identifier: BSD-2-Clause
// Two or three operations that other families measure one by one, in one body. Which they are is
// set before the load: the verifier knows the values and removes all other branches.
#include "bpf/shared/composite.h"
#include "bpf/lib/keys.bpf.h"

const volatile __u32 parts[BPFMARK_COMPOSITE_PARTS];

#define TABLE(map_type, name, entries) \
  struct {                             \
    __uint(type, map_type);            \
    __uint(max_entries, entries);      \
    __type(key, __u32);                \
    __type(value, __u64);              \
  } name SEC(".maps")

TABLE(BPF_MAP_TYPE_ARRAY, array, BPFMARK_COMPOSITE_ENTRIES);
TABLE(BPF_MAP_TYPE_PERCPU_ARRAY, percpu_array, BPFMARK_COMPOSITE_ENTRIES);
TABLE(BPF_MAP_TYPE_HASH, hash, BPFMARK_COMPOSITE_ENTRIES);
/* Evicts before it is full. */
TABLE(BPF_MAP_TYPE_LRU_HASH, lru_hash, 2 * BPFMARK_COMPOSITE_ENTRIES);
TABLE(BPF_MAP_TYPE_PERCPU_HASH, percpu_hash, BPFMARK_COMPOSITE_ENTRIES);
TABLE(BPF_MAP_TYPE_ARRAY, updated, BPFMARK_COMPOSITE_ENTRIES);

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

__u64 csum_data[BPFMARK_COMPOSITE_CSUM_WORDS];
/* Not const: what the compiler sees it would compute. */
char text[16] = "bpfmark string!";
const char same_text[16] = "bpfmark string!";

/* What the parts of one operation have found so far. */
struct found {
  __u64 right; /* 1 while every part did what it must */
  __u64 sum;
};

static __always_inline void look_up(struct found* found, void* map, const __u32* key) {
  const __u64* value = bpf_map_lookup_elem(map, key);
  if (value) {
    found->sum += *value;
  } else {
    found->right = 0;
  }
}

static __always_inline void do_part(__u32 part, struct found* found, const __u32* key, __u64 place,
                                    struct guarded* g) {
  switch (part) {
    case BPFMARK_PART_KTIME:
      found->right &= bpf_ktime_get_ns() != 0;
      break;
    case BPFMARK_PART_PRANDOM:
      found->right &= bpf_get_prandom_u32() <= 0xffffffff;
      break;
    case BPFMARK_PART_ARRAY:
      look_up(found, &array, key);
      break;
    case BPFMARK_PART_PERCPU_ARRAY:
      look_up(found, &percpu_array, key);
      break;
    case BPFMARK_PART_HASH:
      look_up(found, &hash, key);
      break;
    case BPFMARK_PART_HASH_MISS: {
      const __u32 absent = *key + BPFMARK_COMPOSITE_ENTRIES;
      if (bpf_map_lookup_elem(&hash, &absent)) found->right = 0;
      break;
    }
    case BPFMARK_PART_LRU_HASH:
      look_up(found, &lru_hash, key);
      break;
    case BPFMARK_PART_PERCPU_HASH:
      look_up(found, &percpu_hash, key);
      break;
    case BPFMARK_PART_ARRAY_UPDATE:
      found->right &= bpf_map_update_elem(&updated, key, &place, BPF_EXIST) == 0;
      break;
    case BPFMARK_PART_SPIN_LOCK:
      bpf_spin_lock(&g->lock);
      bpf_spin_unlock(&g->lock);
      break;
    case BPFMARK_PART_STRNCMP:
      found->right &= bpf_strncmp(text, sizeof(text), same_text) == 0;
      break;
    case BPFMARK_PART_CSUM_DIFF:
      found->right &=
          bpf_csum_diff(0, 0, (__be32*)csum_data, sizeof(csum_data), 0) == BPFMARK_COMPOSITE_CSUM;
      break;
  }
}

#define PREPARE                                             \
  __u32 zero = 0;                                           \
  struct guarded* g = bpf_map_lookup_elem(&guarded, &zero); \
  if (!g) return 1

KEYED_PROGRAM("tc", struct __sk_buff, composite, PREPARE, __u32 key = word; BPFMARK_STORED(key);
              struct found found = {.right = 1}; do_part(parts[0], &found, &key, place, g);
              do_part(parts[1], &found, &key, place, g); do_part(parts[2], &found, &key, place, g);
              hits += found.right; sum += found.sum)

KEYED_PROGRAM("tc", struct __sk_buff, composite_floor, PREPARE, __u32 key = word;
              BPFMARK_STORED(key); hits++; sum += word)
