// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/map_op_cases.h"

#include <fmt/format.h>

namespace bpfmark {
namespace {

constexpr Operation kLookup{"lookup", "lookup", "floor_key"};
constexpr Operation kUpdate{"update", "update", "floor_value"};
constexpr Operation kInsertDelete{"insert_delete", "insert_delete", "floor_value"};
constexpr Operation kTrieLookup{"lookup", "trie_lookup", "floor_key"};
constexpr Operation kTrieUpdate{"update", "trie_update", "floor_value"};
constexpr Operation kTrieInsertDelete{"insert_delete", "trie_insdel", "floor_value"};
constexpr Operation kInnerLookup{"lookup", "inner_lookup", "floor_key"};
constexpr Operation kSocketLookup{"lookup", "socket_lookup", "floor_key"};
constexpr Operation kRedirect{"redirect", "redirect", "floor_redirect", "xdp"};
constexpr Operation kBloomPush{"push", "bloom_push", "floor_key"};
constexpr Operation kBloomPeek{"peek", "bloom_peek", "floor_key"};
constexpr Operation kPushPop{"push_pop", "push_pop", "floor_value"};
constexpr Operation kOutput{"output", "ring_output", "floor_value"};
constexpr Operation kReserveSubmit{"reserve_submit", "ring_reserve", "floor_value"};
constexpr Operation kDrain{"drain", "drain", "floor_key"};

constexpr std::uint32_t kMebi = 1u << 20;

class CaseList {
 public:
  void add(OpCase c) { cases_.push_back(c); }

  // One thing changed at a time.
  template <class Value>
  void vary(const OpCase& base, Value OpCase::* what, std::initializer_list<Value> values) {
    for (const Value& value : values) {
      OpCase c = base;
      c.*what = value;
      c.suite = Suite::kFull;
      if (c.entries == kMebi) c.about_ns *= 4;
      add(c);
    }
  }

  std::vector<OpCase> take() && { return std::move(cases_); }

 private:
  std::vector<OpCase> cases_;
};

void add_updates(CaseList& list) {
  const OpCase array = {.op = kUpdate, .type = "array", .key_bytes = 4, .about_ns = 10};
  list.add(array);
  list.vary(array, &OpCase::keys, {KeyPattern::kSame});
  list.vary(array, &OpCase::entries, {1u, 65536u, kMebi});
  list.vary(array, &OpCase::value_bytes, {64u, 256u});
  list.add({.op = kUpdate, .type = "percpu_array", .key_bytes = 4, .about_ns = 10});
  const OpCase hash = {
      .op = kUpdate, .type = "hash", .fill_pct = 100, .about_ns = 60, .suite = Suite::kDefault};
  list.add(hash);
  list.vary(hash, &OpCase::keys, {KeyPattern::kSame, KeyPattern::kSequential, KeyPattern::kZipf});
  list.vary(hash, &OpCase::entries, {1u, 65536u, kMebi});
  list.vary(hash, &OpCase::key_bytes, {4u, 16u, 64u});
  list.vary(hash, &OpCase::value_bytes, {64u, 256u});
  list.vary(hash, &OpCase::fill_pct, {10u, 50u, 90u});
  list.vary(hash, &OpCase::no_prealloc, {true});
  OpCase per_cpu = hash;
  per_cpu.type = "percpu_hash";
  per_cpu.suite = Suite::kFull;
  list.add(per_cpu);
  list.vary(per_cpu, &OpCase::no_prealloc, {true});
  for (const bool percpu_lists : {false, true}) {
    OpCase lru = {.op = kUpdate,
                  .type = "lru_hash",
                  .fill_pct = 50,
                  .percpu_lists = percpu_lists,
                  .about_ns = 150,
                  .suite = percpu_lists ? Suite::kFull : Suite::kDefault};
    list.add(lru);
    list.vary(lru, &OpCase::fill_pct, {100u, 200u});
  }
  const OpCase lru_per_cpu = {
      .op = kUpdate, .type = "lru_percpu_hash", .fill_pct = 50, .about_ns = 150};
  list.add(lru_per_cpu);
  list.vary(lru_per_cpu, &OpCase::fill_pct, {200u});
}

void add_inserts(CaseList& list) {
  const OpCase hash = {.op = kInsertDelete,
                       .type = "hash",
                       .fill_pct = 50,
                       .about_ns = 100,
                       .suite = Suite::kDefault};
  list.add(hash);
  list.vary(hash, &OpCase::keys, {KeyPattern::kSame, KeyPattern::kSequential, KeyPattern::kZipf});
  list.vary(hash, &OpCase::entries, {65536u, kMebi});
  list.vary(hash, &OpCase::key_bytes, {4u, 16u, 64u});
  list.vary(hash, &OpCase::fill_pct, {10u, 90u});
  list.vary(hash, &OpCase::no_prealloc, {true});
  for (const char* const type : {"percpu_hash", "lru_hash", "lru_percpu_hash"}) {
    OpCase other = hash;
    other.type = type;
    other.about_ns = 200;
    other.suite = Suite::kFull;
    list.add(other);
  }
}

// With keys of 4 bytes they are in map_lookup.
void add_lookups(CaseList& list) {
  const OpCase hash = {.op = kLookup, .type = "hash", .fill_pct = 100, .about_ns = 30};
  list.add(hash);
  list.vary(hash, &OpCase::key_bytes, {16u, 64u});
  list.vary(hash, &OpCase::fill_pct, {10u, 50u});
  list.vary(hash, &OpCase::no_prealloc, {true});
  for (const char* const type : {"devmap", "devmap_hash"}) {
    list.add({.op = kLookup, .type = type, .key_bytes = 4, .about_ns = 15});
  }
  for (const char* const type : {"array_of_maps", "hash_of_maps"}) {
    const bool shown = type == std::string_view("hash_of_maps");
    const OpCase maps = {.op = kInnerLookup,
                         .type = type,
                         .key_bytes = 4,
                         .value_bytes = 4,
                         .about_ns = 30,
                         .suite = shown ? Suite::kDefault : Suite::kFull};
    list.add(maps);
    list.vary(maps, &OpCase::entries, {1u, 65536u});
  }
  for (const char* const type : {"sockmap", "sockhash"}) {
    list.add({.op = kSocketLookup, .type = type, .key_bytes = 4, .about_ns = 30});
  }
  for (const char* const type : {"devmap", "devmap_hash"}) {
    list.add({.op = kRedirect, .type = type, .key_bytes = 4, .about_ns = 15});
  }
  // Each entry has a thread of the kernel.
  list.add({.op = kRedirect,
            .type = "cpumap",
            .keys = KeyPattern::kSame,
            .entries = 1,
            .key_bytes = 4,
            .about_ns = 15});
}

void add_tries(CaseList& list) {
  const OpCase lookup = {
      .op = kTrieLookup, .type = "lpm_trie", .about_ns = 100, .suite = Suite::kDefault};
  list.add(lookup);
  list.vary(lookup, &OpCase::entries, {1u, 65536u, kMebi});
  OpCase deep = lookup;
  deep.entries = 32;
  deep.keys = KeyPattern::kSame;
  list.vary(deep, &OpCase::depth, {1u, 8u, 16u, 32u});
  list.add({.op = kTrieUpdate, .type = "lpm_trie", .about_ns = 300});
  list.add({.op = kTrieInsertDelete, .type = "lpm_trie", .fill_pct = 50, .about_ns = 500});
}

// The value is the key.
void add_keyless(CaseList& list) {
  for (const Operation& op : {kBloomPush, kBloomPeek}) {
    const OpCase bloom = {.op = op,
                          .type = "bloom_filter",
                          .key_bytes = 0,
                          .about_ns = 60,
                          .suite = op.name == kBloomPush.name ? Suite::kDefault : Suite::kFull};
    list.add(bloom);
    list.vary(bloom, &OpCase::entries, {65536u, kMebi});
    list.vary(bloom, &OpCase::value_bytes, {64u});
  }
  for (const char* const type : {"queue", "stack"}) {
    const bool shown = type == std::string_view("queue");
    const OpCase pair = {.op = kPushPop,
                         .type = type,
                         .key_bytes = 0,
                         .about_ns = 60,
                         .suite = shown ? Suite::kDefault : Suite::kFull};
    list.add(pair);
    list.vary(pair, &OpCase::value_bytes, {64u});
  }
  for (const Operation& op : {kReserveSubmit, kOutput}) {
    const OpCase ring = {.op = op,
                         .type = "ringbuf",
                         .entries = 1u << 20,
                         .key_bytes = 0,
                         .about_ns = 60,
                         .suite = op.name == kReserveSubmit.name ? Suite::kDefault : Suite::kFull};
    list.add(ring);
    list.vary(ring, &OpCase::value_bytes, {64u, 256u});
  }
  const OpCase drain = {.op = kDrain,
                        .type = "user_ringbuf",
                        .entries = 1u << 18,
                        .key_bytes = 0,
                        .about_ns = 60,
                        .suite = Suite::kDefault};
  list.add(drain);
  list.vary(drain, &OpCase::value_bytes, {64u});
}

}  // namespace

std::string name_of(const OpCase& c) {
  std::string name =
      fmt::format("map_op/op:{}/type:{}/keys:{}/entries:{}/key:{}/value:{}", c.op.name, c.type,
                  key_pattern_name(c.keys), c.entries, c.key_bytes, c.value_bytes);
  if (c.fill_pct != 0) name += fmt::format("/fill:{}", c.fill_pct);
  if (c.percpu_lists) name += "/list:percpu";
  if (c.no_prealloc) name += "/alloc:no_prealloc";
  if (c.depth != 0) name += fmt::format("/depth:{}", c.depth);
  return name;
}

std::vector<OpCase> op_cases() {
  CaseList list;
  add_updates(list);
  add_inserts(list);
  add_lookups(list);
  add_tries(list);
  add_keyless(list);
  return std::move(list).take();
}

}  // namespace bpfmark
