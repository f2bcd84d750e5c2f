// SPDX-License-Identifier: BSD-2-Clause
// Measures:         an arena from inside a program: reading and writing a word by a plain pointer;
//                   taking pages from the kernel and giving them back.
// Timed region:     one batch inside a TC (pages: syscall) program, bpf_ktime_get_ns() around it.
// Floor:            the same loop with index and value at hand, without the access or the pages.
// Does not measure: the first touch of a page by user space; the same words from user space
//                   (map_user).
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "benchmarks/twin.h"
#include "bpf/shared/map_lookup.h"
#include "harness/program_type.h"
#include "map_arena.skel.h"

namespace bpfmark {
namespace {

using ArenaSkeleton = Skeleton<map_arena_bpf>;

struct ArenaCase {
  const char* op;
  const char* program;
  const char* floor;
  const char* section;
  std::uint32_t entries;  // words that are accessed; 0: none
  std::uint32_t pages;    // that one operation takes and gives back; 0: none
  unsigned about_ns;
  Suite suite = Suite::kFull;
};

constexpr ArenaCase kCases[] = {
    {"read", "arena_read", "floor_read", "tc", 1024, 0, 2, Suite::kDefault},
    {"read", "arena_read", "floor_read", "tc", 65536, 0, 4},
    {"read", "arena_read", "floor_read", "tc", 1u << 20, 0, 10},
    {"write", "arena_write", "floor_write", "tc", 1024, 0, 2},
    {"write", "arena_write", "floor_write", "tc", 65536, 0, 4},
    {"write", "arena_write", "floor_write", "tc", 1u << 20, 0, 10},
    {"alloc_free", "arena_alloc", "floor_alloc", "syscall", 0, 1, 12000, Suite::kDefault},
    {"alloc_free", "arena_alloc", "floor_alloc", "syscall", 0, 16, 100000},
};

// Room for some operations: pages that were not given back would soon be missed.
constexpr std::uint32_t kOperationsThatFit = 4;

std::string name_of(const ArenaCase& c) {
  return c.pages != 0 ? fmt::format("map_op/op:{}/type:arena/pages:{}", c.op, c.pages)
                      : fmt::format("map_op/op:{}/type:arena/keys:uniform/entries:{}/key:4/value:8",
                                    c.op, c.entries);
}

std::uint32_t size_in_pages(const ArenaCase& c) {
  if (c.pages != 0) return c.pages * kOperationsThatFit;
  const auto page_words = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE)) / 8;
  return (c.entries + page_words - 1) / page_words;
}

// The word at the last index is the place at which it was stored.
BatchCheck last_word_stays(const std::uint64_t* words, const std::vector<std::uint32_t>& indices) {
  return [words, indices](std::uint64_t first, std::uint64_t ops) -> Result<void> {
    const std::uint64_t place = first + ops - 1;
    const std::uint64_t found = words[indices[place % indices.size()]];
    if (found == place) return {};
    return wrong_result(
        fmt::format("the arena holds {} instead of {} at the last index", found, place));
  };
}

Result<std::unique_ptr<PairedLoad>> load_arena(const ArenaCase& c) {
  const TableSize size = {.type = BPF_MAP_TYPE_ARENA,
                          .entries = c.entries,
                          .key_bytes = 0,
                          .value_bytes = sizeof(__u64)};
  if (Result<void> fits = check_memory(size); !fits) return std::unexpected(fits.error());
  Result<ArenaSkeleton> opened = open_programs<map_arena_bpf>({c.program, c.floor});
  if (!opened) return std::unexpected(opened.error());
  const auto owned = std::make_shared<ArenaSkeleton>(std::move(*opened));
  ArenaSkeleton& skeleton = *owned;
  bpf_map__set_max_entries(skeleton->maps.arena, size_in_pages(c));
  skeleton->rodata->page_count = std::max(c.pages, 1u);
  const std::uint32_t length =
      c.entries == 0 ? BPFMARK_UNROLL : std::clamp(c.entries, 1u << 14, BPFMARK_MAX_KEYS);
  if (Result<void> sized = set_stream_length(skeleton, length); !sized) {
    return std::unexpected(sized.error());
  }
  if (Result<void> loaded = skeleton.load(); !loaded) {
    return std::unexpected(map_load_error(loaded.error(), size));
  }
  // The mapping is libbpf's, and lives as long as the object.
  std::size_t bytes = 0;
  auto* const words =
      static_cast<std::uint64_t*>(bpf_map__initial_value(skeleton->maps.arena, &bytes));
  if (words == nullptr) return system_error(EFAULT, "find where the arena is mapped");
  skeleton->bss->arena_start = reinterpret_cast<std::uintptr_t>(words);
  for (std::uint32_t i = 0; i < c.entries; ++i) words[i] = word_of(i);

  const std::vector<std::uint32_t> indices =
      c.entries == 0 ? std::vector<std::uint32_t>(length)
                     : draw_keys(KeyPattern::kUniform, c.entries, length);
  std::ranges::copy(indices, skeleton->bss_keys->keys);
  const bool reads = std::string_view(c.op) == "read";
  std::vector<std::uint64_t> plain(indices.begin(), indices.end());
  std::vector<std::uint64_t> found = plain;
  if (reads) std::ranges::transform(indices, found.begin(), word_of);
  const bool writes = std::string_view(c.op) == "write";
  BatchCheck check = writes ? last_word_stays(words, indices) : BatchCheck();
  const TestRunInput input = find_program_type(c.section)->input();
  const auto arm = [&](const char* program, std::vector<std::uint64_t> sums, BatchCheck proof) {
    return KeyedArm{.batch = {program_fd(skeleton, program), input, skeleton->bss->request,
                              skeleton->bss->result},
                    .found = std::move(sums),
                    .check = std::move(proof)};
  };
  return std::make_unique<KeyedLoad>(
      owned, arm(c.program, std::move(found), std::move(check)), arm(c.floor, std::move(plain), {}),
      identify_pair(program_fd(skeleton, c.program), program_fd(skeleton, c.floor)));
}

}  // namespace

void register_map_arena(Registry& registry) {
  for (const ArenaCase& c : kCases) {
    Plan plan = plan_for(c.about_ns);
    if (c.pages != 0) plan.rounds = 10;
    registry.add(
        {.name = name_of(c),
         .question =
             c.pages != 0
                 ? fmt::format("What does it cost to take {} pages of an arena and give them back?",
                               c.pages)
                 : fmt::format("What does it cost to {} one of {} words of an arena?", c.op,
                               c.entries),
         .floor = "the same loop without the operation",
         .needs = {fmt::format("test_run_{}", c.section), "loop_bpf_loop", "map_arena", "jit"},
         .suite = c.suite,
         .plan = plan,
         .load = [&c] { return load_arena(c); }});
  }
}

}  // namespace bpfmark
