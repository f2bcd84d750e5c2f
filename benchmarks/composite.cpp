// SPDX-License-Identifier: BSD-2-Clause
// Measures:         two or three operations of other families, one after the other in one body.
// Timed region:     a batch inside a TC program, on the stream of keys of map_lookup.
// Floor:            the same loop, key on the stack, without the operations.
// Does not measure: anything new. The cost of its parts, measured by themselves, predicts what a
//                   composite must cost; `bench ledger` holds the two against each other.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/composite.h"
#include "bpf/shared/map_lookup.h"
#include "composite.skel.h"
#include "fixtures/map.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using CompositeMaps = decltype(composite_bpf::maps);

struct Part {
  const char* name;
  bpfmark_part number;
  const char* measured_by;  // the case that measures it alone
  unsigned about_ns;
  bpf_map* CompositeMaps::* filled = nullptr;  // the map that it looks up
  bool per_cpu = false;
  bool finds = true;
};

constexpr Part kParts[] = {
    {"ktime", BPFMARK_PART_KTIME, "clock/read:ktime", 30},
    {"prandom", BPFMARK_PART_PRANDOM, "helper/name:get_prandom_u32", 8},
    {"array", BPFMARK_PART_ARRAY,
     "map_lookup/type:array/access:hit/keys:uniform/entries:1024/value:8", 1,
     &CompositeMaps::array},
    {"percpu_array", BPFMARK_PART_PERCPU_ARRAY,
     "map_lookup/type:percpu_array/access:hit/keys:uniform/entries:1024/value:8", 2,
     &CompositeMaps::percpu_array, true},
    {"hash", BPFMARK_PART_HASH, "map_lookup/type:hash/access:hit/keys:uniform/entries:1024/value:8",
     30, &CompositeMaps::hash},
    {"hash_miss", BPFMARK_PART_HASH_MISS,
     "map_lookup/type:hash/access:miss/keys:uniform/entries:1024/value:8", 25, &CompositeMaps::hash,
     false, false},
    {"lru_hash", BPFMARK_PART_LRU_HASH,
     "map_lookup/type:lru_hash/access:hit/keys:uniform/entries:1024/value:8", 30,
     &CompositeMaps::lru_hash},
    {"percpu_hash", BPFMARK_PART_PERCPU_HASH,
     "map_lookup/type:percpu_hash/access:hit/keys:uniform/entries:1024/value:8", 30,
     &CompositeMaps::percpu_hash, true},
    {"array_update", BPFMARK_PART_ARRAY_UPDATE,
     "map_op/op:update/type:array/keys:uniform/entries:1024/key:4/value:8", 10},
    {"spin_lock", BPFMARK_PART_SPIN_LOCK, "helper/name:spin_lock_pair", 15},
    {"strncmp", BPFMARK_PART_STRNCMP, "helper/name:strncmp", 15},
    {"csum_diff", BPFMARK_PART_CSUM_DIFF, "helper/name:csum_diff", 10},
};

using Composite = std::vector<const Part*>;

// Every pair; and one triple that starts with each part.
std::vector<Composite> composites() {
  std::vector<Composite> list;
  constexpr std::size_t kCount = std::size(kParts);
  for (std::size_t first = 0; first < kCount; ++first) {
    for (std::size_t second = first + 1; second < kCount; ++second) {
      list.push_back({&kParts[first], &kParts[second]});
    }
  }
  for (std::size_t first = 0; first < kCount; ++first) {
    list.push_back({&kParts[first], &kParts[(first + 1) % kCount], &kParts[(first + 5) % kCount]});
  }
  return list;
}

// Sums to which the parts of one operation must add up, along the stream.
std::vector<std::uint64_t> found_by(const Composite& composite,
                                    const std::vector<std::uint32_t>& keys) {
  const auto finding = std::ranges::count_if(
      composite, [](const Part* part) { return part->filled != nullptr && part->finds; });
  std::vector<std::uint64_t> found(keys.size());
  std::ranges::transform(keys, found.begin(), [&](std::uint32_t key) {
    return static_cast<std::uint64_t>(finding) * word_of(key);
  });
  return found;
}

Result<std::unique_ptr<PairedLoad>> load_composite(const Composite& composite) {
  auto opened = Skeleton<composite_bpf>::open();
  if (!opened) return std::unexpected(opened.error());
  const auto owner = std::make_shared<Skeleton<composite_bpf>>(std::move(*opened));
  Skeleton<composite_bpf>& skeleton = *owner;
  for (std::size_t i = 0; i < composite.size(); ++i) {
    skeleton->rodata->parts[i] = composite[i]->number;
  }
  // As map_lookup, which measures most of the parts.
  constexpr std::uint32_t kStreamLength = 1u << 16;
  if (Result<void> sized = set_stream_length(skeleton, kStreamLength); !sized) {
    return std::unexpected(sized.error());
  }
  if (Result<void> loaded = skeleton.load(); !loaded) return std::unexpected(loaded.error());
  for (const Part* part : composite) {
    if (part->filled == nullptr) continue;
    const MapShape shape = {.entries = BPFMARK_COMPOSITE_ENTRIES, .per_cpu = part->per_cpu};
    const int fd = bpf_map__fd(skeleton->maps.*part->filled);
    if (Result<void> filled = fill_map(fd, shape, word_of); !filled) {
      return std::unexpected(filled.error());
    }
  }
  for (std::uint64_t i = 0; i < BPFMARK_COMPOSITE_CSUM_WORDS; ++i) {
    skeleton->bss->csum_data[i] = i + 1;
  }
  const std::vector<std::uint32_t> keys =
      draw_keys(KeyPattern::kUniform, BPFMARK_COMPOSITE_ENTRIES, kStreamLength);
  std::ranges::copy(keys, skeleton->bss_keys->keys);
  const int subject_fd = bpf_program__fd(skeleton->progs.composite);
  const int floor_fd = bpf_program__fd(skeleton->progs.composite_floor);
  const auto arm = [&](int fd, std::vector<std::uint64_t> found) {
    return KeyedArm{.batch = {fd, find_program_type("tc")->input(), skeleton->bss->request,
                              skeleton->bss->result},
                    .found = std::move(found),
                    .check = {}};
  };
  auto load = std::make_unique<KeyedLoad>(
      owner, arm(subject_fd, found_by(composite, keys)),
      arm(floor_fd, std::vector<std::uint64_t>(keys.begin(), keys.end())),
      identify_pair(subject_fd, floor_fd));
  return load;
}

void register_one(Registry& registry, const Composite& composite) {
  constexpr const char* kPlaces[] = {"first", "second", "third"};
  std::string name = "composite";
  std::vector<std::string> words, measured_by;
  unsigned about_ns = 0;
  for (std::size_t i = 0; i < composite.size(); ++i) {
    name += fmt::format("/{}:{}", kPlaces[i], composite[i]->name);
    words.emplace_back(composite[i]->name);
    measured_by.emplace_back(composite[i]->measured_by);
    about_ns += composite[i]->about_ns;
  }
  registry.add({.name = name,
                .question = fmt::format("What do {} cost in one program?", fmt::join(words, ", ")),
                .floor = "the same loop, key on the stack, without them",
                .needs = {"test_run_tc", "loop_bpf_loop", "map_array", "map_percpu_array",
                          "map_hash", "map_lru_hash", "map_percpu_hash", "jit"},
                .suite = Suite::kFull,
                .plan = plan_for(about_ns),
                .load = [composite] { return load_composite(composite); },
                .parts = std::move(measured_by)});
}

}  // namespace

void register_composite(Registry& registry) {
  for (const Composite& composite : composites()) register_one(registry, composite);
}

}  // namespace bpfmark
