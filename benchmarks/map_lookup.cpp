// SPDX-License-Identifier: BSD-2-Clause
// Measures:         bpf_map_lookup_elem() with a 4-byte key from a prepared stream, the test for
// null,
//                   and the read of the value's first 8 bytes where there is one.
// Timed region:     one batch inside a TC program, bpf_ktime_get_ns() around the loop.
// Floor:            the same loop, key on the stack, without the lookup and the read.
// Does not measure: program entry; the latency of one lookup alone (independent lookups overlap in
//                   the pipeline, as they do in a program that works on packets).
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/map_lookup.h"
#include "fixtures/map.h"
#include "fixtures/skeleton.h"
#include "harness/key_stream.h"
#include "harness/map_type.h"
#include "harness/planted.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"
#include "map_lookup.skel.h"

namespace bpfmark {
namespace {

struct LookupCase {
  const MapType* type = nullptr;
  bool hit = true;
  KeyPattern pattern = KeyPattern::kUniform;
  std::uint32_t entries = 0;
  std::uint32_t value_bytes = 0;
};

// An LRU table hands out free entries to CPUs in lots and evicts before it is full: room for twice
// as many keeps all that are asked for.
std::uint32_t capacity(const LookupCase& c) {
  const bool lru =
      c.type->type == BPF_MAP_TYPE_LRU_HASH || c.type->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
  return lru ? 2 * c.entries : c.entries;
}

// Long enough that the stream does not become a pattern that the branch predictor learns, and that
// every entry of the largest table is likely to be met.
std::uint32_t stream_length(const LookupCase& c) {
  return std::clamp(c.entries, 1u << 16, BPFMARK_MAX_KEYS);
}

Result<std::unique_ptr<PairedLoad>> load_lookup(const LookupCase& c) {
  const TableSize size = {.type = c.type->type,
                          .entries = capacity(c),
                          .key_bytes = sizeof(std::uint32_t),
                          .value_bytes = c.value_bytes,
                          .per_cpu = c.type->per_cpu};
  if (Result<void> fits = check_memory(size); !fits) return std::unexpected(fits.error());
  auto opened = Skeleton<map_lookup_bpf>::open();
  if (!opened) return std::unexpected(opened.error());
  const auto owner = std::make_shared<Skeleton<map_lookup_bpf>>(std::move(*opened));
  Skeleton<map_lookup_bpf>& skeleton = *owner;
  skeleton.select({skeleton->progs.map_lookup, skeleton->progs.map_floor});
  bpf_map* const table = skeleton->maps.table;
  bpf_map__set_type(table, c.type->type);
  bpf_map__set_max_entries(table, capacity(c));
  bpf_map__set_value_size(table, c.value_bytes);
  const std::uint32_t length = stream_length(c);
  if (Result<void> sized = set_stream_length(skeleton, length); !sized) {
    return std::unexpected(sized.error());
  }
  plant(*skeleton->rodata, BPFMARK_UNROLL);
  if (Result<void> loaded = skeleton.load(); !loaded) {
    return std::unexpected(map_load_error(loaded.error(), size));
  }
  const MapShape shape = {
      .entries = c.entries, .value_bytes = c.value_bytes, .per_cpu = c.type->per_cpu};
  if (Result<void> filled = fill_map(bpf_map__fd(table), shape, word_of); !filled) {
    return std::unexpected(map_load_error(filled.error(), size));
  }

  std::vector<std::uint32_t> keys = draw_keys(c.pattern, c.entries, length);
  if (!c.hit) std::ranges::for_each(keys, [&](std::uint32_t& key) { key += c.entries; });
  std::ranges::copy(keys, skeleton->bss_keys->keys);
  std::vector<std::uint64_t> words(keys.size());
  std::ranges::transform(keys, words.begin(), word_of);
  const auto arm = [&](const bpf_program* program, std::vector<std::uint64_t> found, bool hits) {
    return KeyedArm{.batch = {bpf_program__fd(program), find_program_type("tc")->input(),
                              skeleton->bss->request, skeleton->bss->result},
                    .found = std::move(found),
                    .hits = hits,
                    .check = {}};
  };
  auto load = std::make_unique<KeyedLoad>(
      owner, arm(skeleton->progs.map_lookup, std::move(words), c.hit),
      arm(skeleton->progs.map_floor, std::vector<std::uint64_t>(keys.begin(), keys.end()), true),
      identify_pair(bpf_program__fd(skeleton->progs.map_lookup),
                    bpf_program__fd(skeleton->progs.map_floor)));
  // Once round the stream: every entry that will be asked for has been touched before timing.
  for (const Arm touched : {Arm::kSubject, Arm::kFloor}) {
    if (Result<Batch> warm = load->run(touched, length); !warm) {
      return std::unexpected(warm.error());
    }
  }
  return load;
}

// About 50 to 100 us a batch on a machine of 2025: long against the clock's own cost, short against
// the 4 ms between timer ticks.
std::uint64_t ops_per_batch(const LookupCase& c) {
  const bool array =
      c.type->type == BPF_MAP_TYPE_ARRAY || c.type->type == BPF_MAP_TYPE_PERCPU_ARRAY;
  if (array) return c.entries < (1u << 20) ? 32768 : 16384;
  return c.entries < (1u << 16) ? 8192 : 4096;
}

void register_lookup(Registry& registry, const LookupCase& c, Suite suite) {
  registry.add(
      {.name = fmt::format("map_lookup/type:{}/access:{}/keys:{}/entries:{}/value:{}", c.type->name,
                           c.hit ? "hit" : "miss", key_pattern_name(c.pattern), c.entries,
                           c.value_bytes),
       .question = fmt::format("What does a lookup that {} cost in a {} of {} entries of {} bytes?",
                               c.hit ? "finds its key" : "finds nothing", c.type->name, c.entries,
                               c.value_bytes),
       .floor = "the same loop without the lookup",
       .needs = {"test_run_tc", "loop_bpf_loop", fmt::format("map_{}", c.type->name), "jit"},
       .suite = suite,
       .plan = {.ops_per_batch = ops_per_batch(c),
                .rounds = 60,
                .loads = c.entries < (1u << 20) ? 12 : 6},
       .load = [c] { return load_lookup(c); }});
}

// A choice that shows every type, and on the hash one step in every dimension.
bool in_default_suite(const LookupCase& c) {
  const bool plain = c.pattern == KeyPattern::kUniform && c.value_bytes == 8;
  if (c.entries == 1024 && plain && c.hit) return true;
  if (c.type->type != BPF_MAP_TYPE_HASH) return false;
  if (c.entries == 65536) return plain && c.hit;
  if (c.entries != 1024) return false;
  if (!c.hit) return plain;
  return c.value_bytes == 8 ? c.pattern == KeyPattern::kSame
                            : c.value_bytes == 256 && c.pattern == KeyPattern::kUniform;
}

}  // namespace

void register_map_lookup(Registry& registry) {
  for (const MapType& type : map_types()) {
    for (const bool hit : {true, false}) {
      for (const std::uint32_t entries : {1u, 1u << 10, 1u << 16, 1u << 20}) {
        for (const KeyPattern pattern : {KeyPattern::kSame, KeyPattern::kSequential,
                                         KeyPattern::kUniform, KeyPattern::kZipf}) {
          // One entry has one key; a lookup that finds nothing reads no value.
          if (entries == 1 && pattern != KeyPattern::kSame) continue;
          for (const std::uint32_t value_bytes : {8u, 64u, 256u}) {
            if (!hit && value_bytes != 8) continue;
            const LookupCase c = {&type, hit, pattern, entries, value_bytes};
            register_lookup(registry, c, in_default_suite(c) ? Suite::kDefault : Suite::kFull);
          }
        }
      }
    }
  }
}

}  // namespace bpfmark
