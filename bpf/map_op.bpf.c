// SPDX-License-Identifier: BSD-2-Clause
// One operation of one map from a stream of keys. User space sets type, sizes and flags of `table`
// before the load, so a program serves every type that knows its operation.
#include "bpf/shared/map_op.h"
#include "bpf/lib/keys.bpf.h"

/* Of bpf_map_update_elem(): an update must find its key, or may evict another. */
const volatile __u64 update_flags = BPF_EXIST;
/* Of the keys of a trie. */
const volatile __u32 prefix_bits = 32;
/* Of a record in a ring buffer. */
const volatile __u32 record_bytes = 8;

/* What is stored; as large as the largest value. */
__u64 next[BPFMARK_MAX_VALUE_BYTES / 8];

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __uint(key_size, sizeof(__u32));
  __uint(value_size, sizeof(__u64));
} table SEC(".maps");

/* A trie takes the key from `prefix_bits` on, all others from `word` on. */
struct key {
  __u32 prefix_bits;
  __u32 word;
  __u32 rest[BPFMARK_MAX_KEY_BYTES / 4 - 1];
};

#define PREPARE_KEY                              \
  struct key key = {.prefix_bits = prefix_bits}; \
  const __u64 flags __attribute__((unused)) = update_flags

#define TC_PROGRAM(name, operation) \
  KEYED_PROGRAM("?tc", struct __sk_buff, name, PREPARE_KEY, key.word = word; operation)

/* --- floors: by what an operation must prepare */

#define STORE_KEY      \
  BPFMARK_STORED(key); \
  sum += word;         \
  hits++

#define STORE_KEY_AND_VALUE \
  next[0] = place;          \
  BPFMARK_STORED(next[0]);  \
  STORE_KEY

TC_PROGRAM(floor_key, STORE_KEY)
TC_PROGRAM(floor_value, STORE_KEY_AND_VALUE)
KEYED_PROGRAM("?xdp", struct xdp_md, floor_redirect, , sum += word; hits++)

/* --- maps with keys */

#define LOOK_UP(key_pointer)                                       \
  const __u64* value = bpf_map_lookup_elem(&table, (key_pointer)); \
  if (value) {                                                     \
    hits++;                                                        \
    sum += *value;                                                 \
  }

#define UPDATE(key_pointer)                                                \
  next[0] = place;                                                         \
  hits += bpf_map_update_elem(&table, (key_pointer), next, flags) ? 0 : 1; \
  sum += word

#define INSERT_DELETE(key_pointer)                                        \
  next[0] = place;                                                        \
  if (bpf_map_update_elem(&table, (key_pointer), next, BPF_NOEXIST) == 0) \
    hits += bpf_map_delete_elem(&table, (key_pointer)) ? 0 : 1;           \
  sum += word

TC_PROGRAM(lookup, LOOK_UP(&key.word))
TC_PROGRAM(update, UPDATE(&key.word))
TC_PROGRAM(insert_delete, INSERT_DELETE(&key.word))
TC_PROGRAM(trie_lookup, LOOK_UP(&key))
TC_PROGRAM(trie_update, UPDATE(&key))
TC_PROGRAM(trie_insdel, INSERT_DELETE(&key))

TC_PROGRAM(
    inner_lookup, const __u32 first = 0; void* inner = bpf_map_lookup_elem(&table, &key.word);
    if (inner) {
      const __u64* value = bpf_map_lookup_elem(inner, &first);
      if (value) {
        hits++;
        sum += *value;
      }
    })

TC_PROGRAM(
    socket_lookup, struct bpf_sock* sk = bpf_map_lookup_elem(&table, &key.word); if (sk) {
      hits++;
      sum += sk->src_port;
      bpf_sk_release(sk);
    })

/* The map's own lookup; the packet would be handed over after the program. */
KEYED_PROGRAM("?xdp", struct xdp_md, redirect, ,
              hits += bpf_redirect_map(&table, word, 0) == XDP_REDIRECT;
              sum += word)

/* --- maps without keys */

TC_PROGRAM(bloom_push, hits += bpf_map_push_elem(&table, &key.word, BPF_ANY) ? 0 : 1; sum += word)
TC_PROGRAM(bloom_peek, hits += bpf_map_peek_elem(&table, &key.word) ? 0 : 1; sum += word)

__u64 popped[BPFMARK_MAX_VALUE_BYTES / 8];

TC_PROGRAM(
    push_pop, next[0] = word; if (bpf_map_push_elem(&table, next, 0) == 0) {
      if (bpf_map_pop_elem(&table, popped) == 0) {
        hits++;
        sum += popped[0];
      }
    })

TC_PROGRAM(ring_output, next[0] = place;
           hits += bpf_ringbuf_output(&table, next, record_bytes, BPF_RB_NO_WAKEUP) ? 0 : 1;
           sum += word)

static long take_record(struct bpf_dynptr* record, void* taken) {
  bpf_dynptr_read(taken, sizeof(__u64), record, 0, 0);
  return 1; /* and no more */
}

/* A hit if one record was taken and it is the right word: the sign of `wrong` is its being anything
 * but 0. By arithmetic, for the verifier of 6.1 would walk both ways of every branch. */
TC_PROGRAM(drain, __u64 taken = 0;
           __u64 wrong = bpf_user_ringbuf_drain(&table, take_record, &taken, BPF_RB_NO_WAKEUP) ^ 1;
           wrong |= taken ^ word; wrong |= -wrong; BPFMARK_OPAQUE(wrong); hits += 1 - (wrong >> 63);
           sum += taken)

TC_PROGRAM(
    ring_reserve, __u64* record = bpf_ringbuf_reserve(&table, record_bytes, 0); if (record) {
      *record = place;
      bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
      hits++;
    } sum += word)
