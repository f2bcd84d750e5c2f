// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one operation of a map from inside a program, beyond the lookup that map_lookup
//                   measures: update, insert and delete, lookups with longer keys and in maps that
//                   hold something else than values, push and pop, records of a ring buffer.
// Timed region:     one batch inside a TC (redirect: XDP) program, bpf_ktime_get_ns() around it.
// Floor:            the same loop with the same key, and value where one is stored, prepared.
// Does not measure: another CPU on the same map (map_contention); waking a reader.
// Name:             what is done, to what, which keys are asked for, how many entries the map has
//                   room for, sizes; then only where the type knows it: how many of the entries are
//                   there in per cent (fill), which list of free entries (list), when memory is
//                   allocated (alloc), how many prefixes lie over each other (depth).
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "benchmarks/map_op_cases.h"
#include "benchmarks/twin.h"
#include "bpf/shared/map_lookup.h"
#include "bpf/shared/map_op.h"
#include "fixtures/loopback_socket.h"
#include "fixtures/map.h"
#include "fixtures/net_ns.h"
#include "harness/map_type.h"
#include "harness/other_map_type.h"
#include "harness/program_type.h"
#include "map_op.skel.h"

namespace bpfmark {
namespace {

using OpSkeleton = Skeleton<map_op_bpf>;

// --- what stands in a key or a value

// A trie reads bits from the first byte on, so that numbers one after the other would lie in a
// narrow branch; multiplication by an odd number spreads them one to one.
std::uint32_t trie_word(std::uint32_t number) { return number * 0x9E3779B1u; }

constexpr std::uint32_t kInnerMaps = 8;

// --- filling, by type

Result<void> set_each(int fd, std::uint32_t entries, const void* value) {
  for (std::uint32_t key = 0; key < entries; ++key) {
    if (const int err = bpf_map_update_elem(fd, &key, value, BPF_ANY); err != 0) {
      return system_error(-err, fmt::format("fill map at key {}", key));
    }
  }
  return {};
}

Result<void> fill_table(int fd, const OpCase& c, bool per_cpu) {
  return fill_map(fd,
                  {.entries = c.population(),
                   .value_bytes = c.value_bytes,
                   .per_cpu = per_cpu,
                   .key_bytes = c.key_bytes},
                  word_of);
}

Result<void> fill_trie(int fd, const OpCase& c) {
  constexpr std::uint32_t kWholeKey = 32;
  const EntryWriter write = [&](std::uint32_t number, std::byte* key, std::byte* value) {
    const std::uint32_t prefix_bits = c.depth != 0 ? number + 1 : kWholeKey;
    const std::uint32_t word = c.depth != 0 ? 0 : trie_word(number);
    const std::uint64_t stored = word_of(number);
    std::memcpy(key, &prefix_bits, sizeof(prefix_bits));
    std::memcpy(key + sizeof(prefix_bits), &word, sizeof(word));
    std::memcpy(value, &stored, sizeof(stored));
  };
  return fill_map(fd, c.depth != 0 ? c.depth : c.population(), {.key = c.key_bytes, .value = 8},
                  write);
}

// A few maps in all places: what is looked up is the way to them.
Result<void> fill_outer(int fd, const OpCase& c) {
  std::vector<UniqueFd> inner;
  for (std::uint32_t number = 0; number < kInnerMaps; ++number) {
    UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, 8, 1, nullptr));
    if (!map) return system_error(errno, "create a map to put into another");
    const std::uint32_t first = 0;
    const std::uint64_t word = word_of(number);
    if (const int err = bpf_map_update_elem(map.get(), &first, &word, BPF_ANY); err != 0) {
      return system_error(-err, "fill a map to put into another");
    }
    inner.push_back(std::move(map));
  }
  return fill_map_of_maps(fd, c.entries, inner);
}

Result<void> fill_bloom(int fd, const OpCase& c) {
  std::vector<std::byte> value(c.value_bytes);
  for (std::uint32_t number = 0; number < c.entries; ++number) {
    std::memcpy(value.data(), &number, sizeof(number));
    if (const int err = bpf_map_update_elem(fd, nullptr, value.data(), BPF_ANY); err != 0) {
      return system_error(-err, "fill a bloom filter");
    }
  }
  return {};
}

// --- proofs, outside of the clock

// A map as the system call sees it.
struct TableView {
  int fd = -1;
  bool has_keys = true;
  bool is_trie = false;
  std::size_t key_bytes = 0;
  std::size_t value_bytes = 0;
  std::size_t copies = 1;

  // The first words of the value's copies; none if the key is not there.
  std::vector<std::uint64_t> words(std::uint32_t word) const {
    constexpr std::uint32_t kWholeKey = 32;
    std::vector<std::byte> key(std::max(key_bytes, 2 * sizeof(word)));
    std::memcpy(key.data() + (is_trie ? sizeof(word) : 0), &word, sizeof(word));
    if (is_trie) std::memcpy(key.data(), &kWholeKey, sizeof(kWholeKey));
    std::vector<std::byte> value(value_bytes * copies);
    if (bpf_map_lookup_elem(fd, has_keys ? key.data() : nullptr, value.data()) != 0) return {};
    std::vector<std::uint64_t> found(copies);
    for (std::size_t copy = 0; copy < copies; ++copy) {
      std::memcpy(&found[copy], value.data() + copy * value_bytes, sizeof(found[copy]));
    }
    return found;
  }
};

// The value of the last key is the place at which it was stored, in one of its copies.
BatchCheck last_update_stays(const TableView& table, const std::vector<std::uint32_t>& words) {
  return [table, words](std::uint64_t first, std::uint64_t ops) -> Result<void> {
    const std::uint64_t place = first + ops - 1;
    const auto found = table.words(words[place % words.size()]);
    if (std::ranges::find(found, place) != found.end()) return {};
    return wrong_result(fmt::format("the map holds {} instead of {} under the last key",
                                    found.empty() ? "nothing" : std::to_string(found.front()),
                                    place));
  };
}

BatchCheck last_key_is_gone(const TableView& table, const std::vector<std::uint32_t>& words) {
  return [table, words](std::uint64_t first, std::uint64_t ops) -> Result<void> {
    if (table.words(words[(first + ops - 1) % words.size()]).empty()) return {};
    return wrong_result("the map still holds the last key instead of nothing");
  };
}

BatchCheck nothing_is_left(const TableView& table) {
  return [table](std::uint64_t, std::uint64_t) -> Result<void> {
    if (table.words(0).empty()) return {};
    return wrong_result("the map holds a value instead of nothing");
  };
}

// Takes every record out of a ring buffer: as many as were written, in order.
class RingDrain {
 public:
  static Result<std::shared_ptr<RingDrain>> create(int fd) {
    auto drain = std::make_shared<RingDrain>();
    drain->ring_.reset(ring_buffer__new(fd, take, drain.get(), nullptr));
    if (!drain->ring_) return system_error(errno, "open a ring buffer");
    return drain;
  }

  Result<void> check(std::uint64_t first, std::uint64_t ops) {
    taken_ = 0;
    next_ = first;
    in_order_ = true;
    if (const int n = ring_buffer__consume(ring_.get()); n < 0) {
      return system_error(-n, "read a ring buffer");
    }
    if (taken_ == ops && in_order_) return {};
    return wrong_result(fmt::format("{} records came{} instead of {} in order", taken_,
                                    in_order_ ? "" : ", out of order", ops));
  }

 private:
  struct Free {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
  };

  static int take(void* context, void* record, std::size_t size) {
    auto* const self = static_cast<RingDrain*>(context);
    std::uint64_t place = 0;
    std::memcpy(&place, record, std::min(size, sizeof(place)));
    self->in_order_ = self->in_order_ && place == self->next_++;
    ++self->taken_;
    return 0;
  }

  std::unique_ptr<ring_buffer, Free> ring_;
  std::uint64_t taken_ = 0;
  std::uint64_t next_ = 0;
  bool in_order_ = true;
};

// Puts the records of a batch into a user ring buffer, before its clock.
class UserRing {
 public:
  static Result<std::shared_ptr<UserRing>> create(int fd) {
    auto ring = std::make_shared<UserRing>();
    ring->ring_.reset(user_ring_buffer__new(fd, nullptr));
    if (!ring->ring_) return system_error(errno, "open a user ring buffer");
    return ring;
  }

  Result<void> put(std::uint64_t word, std::uint32_t bytes) {
    void* const record = user_ring_buffer__reserve(ring_.get(), bytes);
    if (record == nullptr) return system_error(errno, "reserve a record of a user ring buffer");
    std::memcpy(record, &word, sizeof(word));
    user_ring_buffer__submit(ring_.get(), record);
    return {};
  }

 private:
  struct Free {
    void operator()(user_ring_buffer* ring) const { user_ring_buffer__free(ring); }
  };

  std::unique_ptr<user_ring_buffer, Free> ring_;
};

// --- the type's own number and flags

struct Kind {
  bpf_map_type type;
  bool per_cpu = false;
  bool has_keys = true;
  std::uint32_t flags = 0;
};

Kind kind_of(std::string_view name) {
  const auto* const plain = std::ranges::find(map_types(), name, &MapType::name);
  if (plain != map_types().end()) return {.type = plain->type, .per_cpu = plain->per_cpu};
  const auto* const other = std::ranges::find(other_map_types(), name, &OtherMapType::name);
  return {.type = other->type, .has_keys = other->key_bytes != 0, .flags = other->flags};
}

void shape_table(map_op_bpf& object, const OpCase& c, const Kind& kind) {
  bpf_map* const table = object.maps.table;
  bpf_map__set_type(table, kind.type);
  bpf_map__set_max_entries(table, c.entries);
  bpf_map__set_key_size(table, kind.has_keys ? c.key_bytes : 0);
  bpf_map__set_value_size(table, c.is_ring() ? 0 : c.value_bytes);
  std::uint32_t flags = kind.flags;
  if (c.no_prealloc) flags |= BPF_F_NO_PREALLOC;
  if (c.percpu_lists) flags |= BPF_F_NO_COMMON_LRU;
  bpf_map__set_map_flags(table, flags);
  // An LRU map may have evicted what is updated.
  if (c.is_lru()) object.rodata->update_flags = BPF_ANY;
  object.rodata->record_bytes = c.value_bytes;
}

// What lives as long as the programs.
struct Owned {
  explicit Owned(OpSkeleton opened) : skeleton(std::move(opened)) {}

  OpSkeleton skeleton;
  LoopbackSocket socket;  // for socket maps, which take what is bound
};

// Fills the table; for the value of each key of the stream see found_by().
Result<void> fill(Owned& owned, int fd, const OpCase& c, const Kind& kind) {
  switch (kind.type) {
    case BPF_MAP_TYPE_LPM_TRIE:
      return fill_trie(fd, c);
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE_HASH_OF_MAPS:
      return fill_outer(fd, c);
    case BPF_MAP_TYPE_BLOOM_FILTER:
      return fill_bloom(fd, c);
    case BPF_MAP_TYPE_QUEUE:
    case BPF_MAP_TYPE_STACK:
    case BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE_USER_RINGBUF:
      return {};
    case BPF_MAP_TYPE_DEVMAP:
    case BPF_MAP_TYPE_DEVMAP_HASH: {
      const bpf_devmap_val loopback = {.ifindex = kLoopbackIndex, .bpf_prog = {.fd = -1}};
      return set_each(fd, c.entries, &loopback);
    }
    case BPF_MAP_TYPE_CPUMAP: {
      const bpf_cpumap_val small_queue = {.qsize = 64, .bpf_prog = {.fd = -1}};
      return set_each(fd, c.entries, &small_queue);
    }
    case BPF_MAP_TYPE_SOCKMAP:
    case BPF_MAP_TYPE_SOCKHASH: {
      Result<LoopbackSocket> socket = LoopbackSocket::create();
      if (!socket) return std::unexpected(socket.error());
      owned.socket = std::move(*socket);
      const auto number = static_cast<std::uint64_t>(owned.socket.fd.get());
      return set_each(fd, c.entries, &number);
    }
    default:
      return fill_table(fd, c, kind.per_cpu);
  }
}

// What the operation on the key of that number adds to the sum; `word` is the key itself.
std::uint64_t found_by(const Owned& owned, const OpCase& c, const Kind& kind, std::uint32_t number,
                       std::uint32_t word) {
  if (c.op.name != "lookup") return word;
  switch (kind.type) {
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case BPF_MAP_TYPE_HASH_OF_MAPS:
      return word_of(number % kInnerMaps);
    case BPF_MAP_TYPE_DEVMAP:
    case BPF_MAP_TYPE_DEVMAP_HASH:
      return kLoopbackIndex;  // and no program
    case BPF_MAP_TYPE_SOCKMAP:
    case BPF_MAP_TYPE_SOCKHASH:
      return owned.socket.port;
    case BPF_MAP_TYPE_LPM_TRIE:
      return word_of(c.depth != 0 ? c.depth - 1 : number);
    default:
      return word_of(number);
  }
}

Result<BatchCheck> proof_of(const OpCase& c, const TableView& table,
                            const std::vector<std::uint32_t>& words) {
  if (c.op.name == "update") return last_update_stays(table, words);
  if (c.op.name == "insert_delete") return last_key_is_gone(table, words);
  if (c.op.name == "push_pop") return nothing_is_left(table);
  if (c.type == "ringbuf") {
    auto drain = RingDrain::create(table.fd);
    if (!drain) return std::unexpected(drain.error());
    return [drain = *drain](std::uint64_t first, std::uint64_t ops) {
      return drain->check(first, ops);
    };
  }
  return BatchCheck();
}

// What must be done before each batch.
Result<BatchCheck> preparation_of(const OpCase& c, int fd,
                                  const std::vector<std::uint32_t>& words) {
  if (c.type != "user_ringbuf") return BatchCheck();
  auto ring = UserRing::create(fd);
  if (!ring) return std::unexpected(ring.error());
  return [ring = *ring, words, bytes = c.value_bytes](std::uint64_t first,
                                                      std::uint64_t ops) -> Result<void> {
    for (std::uint64_t place = first; place < first + ops; ++place) {
      if (Result<void> put = ring->put(words[place % words.size()], bytes); !put) return put;
    }
    return {};
  };
}

TableSize size_of(const OpCase& c, const Kind& kind) {
  // The room of a ring is in bytes.
  return {.type = kind.type,
          .entries = c.entries,
          .key_bytes = c.key_bytes,
          .value_bytes = c.is_ring() ? 1 : c.value_bytes,
          .per_cpu = kind.per_cpu};
}

Result<std::unique_ptr<PairedLoad>> load_op(const OpCase& c) {
  const Kind kind = kind_of(c.type);
  const TableSize size = size_of(c, kind);
  if (Result<void> fits = check_memory(size); !fits) return std::unexpected(fits.error());
  Result<OpSkeleton> opened = open_programs<map_op_bpf>({c.op.program, c.op.floor});
  if (!opened) return std::unexpected(opened.error());
  const auto owned = std::make_shared<Owned>(std::move(*opened));
  OpSkeleton& skeleton = owned->skeleton;
  shape_table(*skeleton.get(), c, kind);
  const std::uint32_t length = std::clamp(c.entries, 1u << 14, BPFMARK_MAX_KEYS);
  if (Result<void> sized = set_stream_length(skeleton, length); !sized) {
    return std::unexpected(sized.error());
  }
  UniqueFd inner;
  if (kind.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || kind.type == BPF_MAP_TYPE_HASH_OF_MAPS) {
    inner = UniqueFd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "inner", 4, 8, 1, nullptr));
    if (!inner) return system_error(errno, "create a map to put into another");
    bpf_map__set_inner_map_fd(skeleton->maps.table, inner.get());
  }
  const auto too_large = [&size](const Error& error) {
    return std::unexpected(map_load_error(error, size));
  };
  if (Result<void> loaded = skeleton.load(); !loaded) return too_large(loaded.error());
  const int fd = bpf_map__fd(skeleton->maps.table);
  if (Result<void> filled = fill(*owned, fd, c, kind); !filled) return too_large(filled.error());

  const std::vector<std::uint32_t> numbers = draw_keys(c.keys, c.population(), length);
  std::vector<std::uint32_t> words(length);
  std::vector<std::uint64_t> found(length);
  for (std::uint32_t i = 0; i < length; ++i) {
    const std::uint32_t number = numbers[i] + (c.inserts() ? c.population() : 0);
    words[i] = c.depth != 0 ? 0 : kind.type == BPF_MAP_TYPE_LPM_TRIE ? trie_word(number) : number;
    found[i] = found_by(*owned, c, kind, number, words[i]);
  }
  std::ranges::copy(words, skeleton->bss_keys->keys);
  const int cpus = kind.per_cpu ? libbpf_num_possible_cpus() : 1;
  const TableView table = {.fd = fd,
                           .has_keys = kind.has_keys,
                           .is_trie = kind.type == BPF_MAP_TYPE_LPM_TRIE,
                           .key_bytes = c.key_bytes,
                           .value_bytes = c.value_bytes,
                           .copies = static_cast<std::size_t>(cpus)};
  Result<BatchCheck> proof = proof_of(c, table, words);
  if (!proof) return std::unexpected(proof.error());
  Result<BatchCheck> preparation = preparation_of(c, fd, words);
  if (!preparation) return std::unexpected(preparation.error());

  const auto arm = [&](const char* program, std::vector<std::uint64_t> sums, BatchCheck check,
                       BatchCheck before) {
    return KeyedArm{
        .batch = {program_fd(skeleton, program), find_program_type(c.op.section)->input(),
                  skeleton->bss->request, skeleton->bss->result},
        .found = std::move(sums),
        .check = std::move(check),
        .before = std::move(before)};
  };
  return std::make_unique<KeyedLoad>(
      owned, arm(c.op.program, std::move(found), std::move(*proof), std::move(*preparation)),
      arm(c.op.floor, std::vector<std::uint64_t>(words.begin(), words.end()), {}, {}),
      identify_pair(program_fd(skeleton, c.op.program), program_fd(skeleton, c.op.floor)));
}

void register_op(Registry& registry, const OpCase& c) {
  Plan plan = plan_for(c.about_ns);
  // All records of a doubled batch must find room: `entries` is the size of the ring in bytes.
  if (c.is_ring())
    plan.ops_per_batch = std::min<std::uint64_t>(plan.ops_per_batch, 1024);
  else if (c.entries >= 1u << 20)
    plan.loads = 6;
  registry.add({.name = name_of(c),
                .question = fmt::format("What does {} cost in a {} of {} entries?", c.op.name,
                                        c.type, c.entries),
                .floor = "the same loop without the operation",
                .needs = {fmt::format("test_run_{}", c.op.section), "loop_bpf_loop",
                          fmt::format("map_{}", c.type), "jit"},
                .suite = c.suite,
                .plan = plan,
                .load = [c] { return load_op(c); }});
}

}  // namespace

void register_map_op(Registry& registry) {
  for (const OpCase& c : op_cases()) register_op(registry, c);
}

}  // namespace bpfmark
