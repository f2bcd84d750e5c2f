// SPDX-License-Identifier: BSD-2-Clause
// Measures:         the life of a map: create, grow entry by entry, let go; and what it is charged.
// Timed region:     map_create: the system call. map_grow: one key of those that are set, by
//                   batches of the system call, in a map that has none yet. map_free: close() of
//                   the only descriptor.
// Floor:            two readings of the clock; of map_grow: the same keys set once more.
// Does not measure: what the kernel frees after close() has returned, which for most types is all
//                   of the memory; the cost of an entry that a program sets (map_op does).
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/lifecycle_step.h"
#include "benchmarks/map_load.h"
#include "fixtures/map.h"
#include "fixtures/unique_fd.h"
#include "harness/clock.h"

namespace bpfmark {
namespace {

constexpr std::uint32_t kSmall = 1024;
constexpr std::uint32_t kLarge = 16384;
constexpr std::uint32_t kGrown = 1024;
// For twice as many, and twice that, for an LRU map evicts before it is full.
constexpr std::uint32_t kRoom = 4 * kGrown;

struct Kind {
  const char* name;  // with its capability
  bpf_map_type type;
  std::uint32_t key_bytes;
  std::uint32_t value_bytes;
  std::uint32_t flags;
  bool grows;  // has keys that can be set one after the other, and are not there from the start
  Suite suite = Suite::kFull;
};

constexpr Kind kKinds[] = {
    {"array", BPF_MAP_TYPE_ARRAY, 4, 8, 0, false},
    {"bloom_filter", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 0, false},
    {"hash", BPF_MAP_TYPE_HASH, 4, 8, 0, true, Suite::kDefault},
    {"hash", BPF_MAP_TYPE_HASH, 4, 8, BPF_F_NO_PREALLOC, true},
    {"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, 8, 8, BPF_F_NO_PREALLOC, true},
    {"lru_hash", BPF_MAP_TYPE_LRU_HASH, 4, 8, 0, true},
    {"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 0, false},
    {"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 0, true},
    {"queue", BPF_MAP_TYPE_QUEUE, 0, 8, 0, false},
    {"ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, 0, false},
    {"stack", BPF_MAP_TYPE_STACK, 0, 8, 0, false},
};

// One registered map. Of a ring buffer `entries` are the bytes.
struct Shape {
  const Kind* kind;
  std::uint32_t entries;
};

Result<UniqueFd> create(const Shape& shape) {
  const Kind& kind = *shape.kind;
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = kind.flags);
  const int outcome = bpf_map_create(kind.type, "bpfmark_life", kind.key_bytes, kind.value_bytes,
                                     shape.entries, &options);
  if (outcome < 0) return system_error(-outcome, fmt::format("create a map of type {}", kind.name));
  return UniqueFd(outcome);
}

Result<bpf_map_info> info_of(int map_fd) {
  bpf_map_info info{};
  __u32 length = sizeof(info);
  if (const int err = bpf_map_get_info_by_fd(map_fd, &info, &length); err != 0) {
    return system_error(-err, "read map information");
  }
  return info;
}

Result<void> add_charge(int map_fd, const Shape& shape, Findings& findings) {
  const Result<std::uint64_t> bytes = charged_bytes(map_fd);
  if (!bytes) return std::unexpected(bytes.error());
  if (*bytes == 0) return {};  // a kernel before 6.4 does not know of a ring buffer
  // Whatever holds its entries from the start has at least room for them.
  const bool allocates_late = (shape.kind->flags & BPF_F_NO_PREALLOC) != 0;
  const std::uint64_t room = shape.kind->type == BPF_MAP_TYPE_RINGBUF ? shape.entries
                             : shape.kind->type == BPF_MAP_TYPE_BLOOM_FILTER
                                 ? shape.entries / 8
                                 : std::uint64_t{shape.entries} * shape.kind->value_bytes;
  if (!allocates_late && *bytes < room) {
    return wrong_result(fmt::format("{} bytes are charged for a map that needs {}", *bytes, room));
  }
  findings.counters["map_bytes"] = static_cast<double>(*bytes);
  return {};
}

// --- create and free

class CreateStep : public LifecycleStep {
 public:
  explicit CreateStep(const Shape& shape) : shape_(shape) {}

  Result<void> perform() override {
    Result<UniqueFd> made = create(shape_);
    if (!made) return std::unexpected(made.error());
    map_ = std::move(*made);
    return {};
  }

  // The map is what was asked for.
  Result<void> after() override {
    const Result<bpf_map_info> info = info_of(map_.get());
    if (!info) return std::unexpected(info.error());
    const Kind& kind = *shape_.kind;
    if (info->type != kind.type || info->max_entries != shape_.entries ||
        info->key_size != kind.key_bytes || info->value_size != kind.value_bytes) {
      return wrong_result(fmt::format("the map has type {} and {} entries instead of {} and {}",
                                      info->type, info->max_entries, static_cast<int>(kind.type),
                                      shape_.entries));
    }
    map_ = UniqueFd();
    return {};
  }

  Result<void> report(Findings& findings) override {
    const Result<UniqueFd> map = create(shape_);
    if (!map) return std::unexpected(map.error());
    return add_charge(map->get(), shape_, findings);
  }

 protected:
  Shape shape_;
  UniqueFd map_;
};

class FreeStep : public CreateStep {
 public:
  using CreateStep::CreateStep;

  Result<void> before() override {
    if (Result<void> made = CreateStep::perform(); !made) return made;
    const Result<bpf_map_info> info = info_of(map_.get());
    if (!info) return std::unexpected(info.error());
    id_ = info->id;
    return {};
  }

  Result<void> perform() override {
    map_ = UniqueFd();
    return {};
  }

  // Its number is free again: that was the last reference.
  Result<void> after() override { return check_gone(bpf_map_get_fd_by_id(id_), "map"); }

 private:
  std::uint32_t id_ = 0;
};

template <class Step>
StepMaker make_step(const Shape& shape) {
  return
      [shape]() -> Result<std::unique_ptr<LifecycleStep>> { return std::make_unique<Step>(shape); };
}

// --- grow

// Each batch has a map of its own.
class GrowLoad : public PairedLoad {
 public:
  GrowLoad(const Kind& kind, std::uint32_t entries) : shape_{&kind, entries} {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    map_ = UniqueFd();
    Result<UniqueFd> made = create(shape_);
    if (!made) return std::unexpected(made.error());
    map_ = std::move(*made);
    const auto keys = static_cast<std::uint32_t>(ops);
    if (arm == Arm::kFloor) {
      if (Result<void> filled = fill(keys); !filled) return std::unexpected(filled.error());
    }
    const std::uint64_t start_ns = now_ns();
    const Result<void> filled = fill(keys);
    const auto elapsed_ns = static_cast<double>(now_ns() - start_ns);
    if (!filled) return std::unexpected(filled.error());
    if (Result<void> right = check(keys); !right) return std::unexpected(right.error());
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  // Of a map with kGrown entries.
  Result<void> finish(Findings& findings) override {
    if (Result<Batch> grown = run(Arm::kSubject, kGrown); !grown) {
      return std::unexpected(grown.error());
    }
    return add_charge(map_.get(), shape_, findings);
  }

 private:
  bool has_prefix() const { return shape_.kind->type == BPF_MAP_TYPE_LPM_TRIE; }

  Result<void> fill(std::uint32_t keys) const {
    if (!has_prefix()) {
      const bool per_cpu = shape_.kind->type == BPF_MAP_TYPE_PERCPU_HASH;
      return fill_map(map_.get(), {.entries = keys, .per_cpu = per_cpu}, word_of);
    }
    return fill_map(map_.get(), keys, {.key = shape_.kind->key_bytes, .value = 8},
                    [](std::uint32_t number, std::byte* key, std::byte* value) {
                      const std::uint32_t prefixed[] = {32, number};
                      std::memcpy(key, prefixed, sizeof(prefixed));
                      const std::uint64_t word = word_of(number);
                      std::memcpy(value, &word, sizeof(word));
                    });
  }

  // Exactly so many keys, as many of them different.
  Result<void> check(std::uint32_t keys) const {
    std::vector<std::byte> key(shape_.kind->key_bytes);
    std::uint32_t found = 0;
    const void* previous = nullptr;
    while (bpf_map_get_next_key(map_.get(), previous, key.data()) == 0) {
      previous = key.data();
      ++found;
    }
    if (found == keys) return {};
    return wrong_result(fmt::format("the map has {} keys instead of {}", found, keys));
  }

  Shape shape_;
  UniqueFd map_;
};

std::string shape_name(const Kind& kind, std::uint32_t entries) {
  const bool late = kind.type == BPF_MAP_TYPE_HASH && kind.flags == BPF_F_NO_PREALLOC;
  return fmt::format("type:{}/entries:{}{}", kind.name, entries, late ? "/alloc:no_prealloc" : "");
}

void register_create_and_free(Registry& registry, const Kind& kind) {
  // A ring buffer has pages, not entries.
  const std::uint32_t scale = kind.type == BPF_MAP_TYPE_RINGBUF ? 64 : 1;
  for (const std::uint32_t entries : {scale * kSmall, scale * kLarge}) {
    for (const bool creates : {true, false}) {
      const Shape shape{&kind, entries};
      registry.add(
          {.name = fmt::format("lifecycle/op:{}/{}", creates ? "map_create" : "map_free",
                               shape_name(kind, entries)),
           .question = fmt::format("What does it take to {} a map of type {}?",
                                   creates ? "create" : "let go of", kind.name),
           .floor = kClockFloor,
           .needs = {fmt::format("map_{}", kind.name)},
           .suite = creates && entries == scale * kLarge ? kind.suite : Suite::kFull,
           .plan = {.ops_per_batch = entries == scale * kLarge ? 1u : 8u, .rounds = 8, .loads = 12},
           .load =
               step_loader(creates ? make_step<CreateStep>(shape) : make_step<FreeStep>(shape))});
    }
  }
}

void register_grow(Registry& registry, const Kind& kind) {
  registry.add({.name = fmt::format("lifecycle/op:map_grow/{}", shape_name(kind, kRoom)),
                .question = fmt::format("What does it take an entry of a map of type {} to be new?",
                                        kind.name),
                .floor = "the same keys, set once more",
                .needs = {fmt::format("map_{}", kind.name)},
                .suite = kind.suite,
                .plan = {.ops_per_batch = kGrown, .rounds = 8, .loads = 12},
                .load = [&kind]() -> Result<std::unique_ptr<PairedLoad>> {
                  return std::make_unique<GrowLoad>(kind, kRoom);
                }});
}

}  // namespace

void register_lifecycle_map(Registry& registry) {
  for (const Kind& kind : kKinds) {
    register_create_and_free(registry, kind);
    if (kind.grows) register_grow(registry, kind);
  }
}

}  // namespace bpfmark
