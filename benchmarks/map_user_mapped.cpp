// SPDX-License-Identifier: BSD-2-Clause
// Measures:         reading and writing a word of a map that is mapped into user space: of an
// array,
//                   of an arena.
// Timed region:     a batch of accesses between two readings of the clock of user space.
// Floor:            the same loop with index and value at hand, without the access.
// Does not measure: plain writes, which nobody waits for; faults (every page was touched); a
// program
//                   that works on the same words.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "benchmarks/families.h"
#include "benchmarks/map_user.h"
#include "benchmarks/twin.h"
#include "fixtures/mapping.h"

namespace bpfmark {
namespace {

struct MappedType {
  const char* name;  // in the name of the case
  const char* what;
  const char* capability;
  bpf_map_type type;
};

constexpr MappedType kArray{"array_mmap", "an array", "map_array", BPF_MAP_TYPE_ARRAY};
constexpr MappedType kArena{"arena", "an arena", "map_arena", BPF_MAP_TYPE_ARENA};

struct MappedCase {
  const MappedType* type;
  bool exchanges;
  std::uint32_t entries;
  unsigned about_ns;
  Suite suite = Suite::kFull;
};

constexpr MappedCase kCases[] = {
    {&kArray, false, 1024, 2, Suite::kDefault},
    {&kArray, false, 1u << 20, 20},
    {&kArray, true, 1024, 12},
    {&kArena, false, 1024, 2},
    {&kArena, false, 1u << 20, 20},
    {&kArena, true, 1024, 12},
};

constexpr std::uint32_t kStream = 1u << 14;  // places, a power of two

struct Mapped {
  UniqueFd fd;
  Mapping memory;

  static Result<Mapped> create(const MappedType& type, std::uint32_t entries);

  std::span<std::uint64_t> words() const {
    return {reinterpret_cast<std::uint64_t*>(memory.data()), memory.size() / sizeof(std::uint64_t)};
  }
};

Result<Mapped> Mapped::create(const MappedType& type, std::uint32_t entries) {
  const TableSize size = {
      .type = type.type, .entries = entries, .key_bytes = 0, .value_bytes = sizeof(std::uint64_t)};
  if (Result<void> fits = check_memory(size); !fits) return std::unexpected(fits.error());
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  const bool arena = type.type == BPF_MAP_TYPE_ARENA;
  const std::size_t bytes = Mapping::whole_pages(entries * sizeof(std::uint64_t));
  const auto room = static_cast<std::uint32_t>(arena ? bytes / Mapping::whole_pages(1) : entries);
  UniqueFd fd(bpf_map_create(type.type, "user_map", arena ? 0 : 4, arena ? 0 : 8, room, &options));
  if (!fd) {
    return std::unexpected(
        map_load_error(system_error(errno, "create a map to be mapped").error(), size));
  }
  Result<Mapping> memory = Mapping::of_descriptor(fd.get(), bytes, PROT_READ | PROT_WRITE);
  if (!memory) return std::unexpected(memory.error());
  return Mapped{std::move(fd), std::move(*memory)};
}

// An index depends on what the operation before it found, though it is the stream's in the end:
// what is measured is how long a word takes. The compiler must not know, and do the same for all
// loops.
template <class Operation>
std::uint64_t walk(const std::vector<std::uint32_t>& indices, std::uint64_t first,
                   std::uint64_t ops, Operation operation) {
  std::uint64_t sum = 0, last = 0, nothing = 0;
  asm volatile("" : "+r"(nothing));
  for (std::uint64_t place = first; place < first + ops; ++place) {
    std::uint64_t value = place & (kStream - 1);
    std::uint64_t index = indices[value] + (last & nothing);
    asm volatile("" : "+r"(index), "+r"(value));
    last = operation(index, value);
    asm volatile("" : "+r"(last));
    sum += last;
  }
  return sum;
}

UserArm reader(const std::shared_ptr<Mapped>& mapped, const std::vector<std::uint32_t>& indices) {
  std::vector<std::uint64_t> found(indices.size());
  std::ranges::transform(indices, found.begin(), word_of);
  return {.loop =
              [mapped, indices](std::uint64_t first, std::uint64_t ops) {
                volatile std::uint64_t* const words = mapped->words().data();
                return walk(indices, first, ops,
                            [words](std::uint64_t index, std::uint64_t) { return words[index]; });
              },
          .found = std::move(found)};
}

// Each place of the stream finds in its word the last place before it that has the same index; the
// first of them the last of all, as if the stream had been walked before.
UserArm exchanger(const std::shared_ptr<Mapped>& mapped, const std::vector<std::uint32_t>& indices,
                  bool array) {
  std::vector<std::uint64_t> last(mapped->words().size()), found(indices.size());
  for (std::size_t place = 0; place < indices.size(); ++place) last[indices[place]] = place;
  std::ranges::copy(last, mapped->words().begin());
  for (std::size_t place = 0; place < indices.size(); ++place) {
    found[place] = std::exchange(last[indices[place]], place);
  }
  return {
      .loop =
          [mapped, indices](std::uint64_t first, std::uint64_t ops) {
            std::uint64_t* const words = mapped->words().data();
            return walk(indices, first, ops, [words](std::uint64_t index, std::uint64_t value) {
              return __atomic_exchange_n(&words[index], value, __ATOMIC_SEQ_CST);
            });
          },
      .found = std::move(found),
      .check = [mapped, indices, array](std::uint64_t first, std::uint64_t ops) -> Result<void> {
        const std::uint64_t place = (first + ops - 1) & (kStream - 1);
        const std::uint32_t index = indices[place];
        std::uint64_t word = mapped->words()[index];
        // What stands in the memory must stand in the map.
        if (array && bpf_map_lookup_elem(mapped->fd.get(), &index, &word) != 0) {
          return system_error(errno, "look up a word");
        }
        if (word == place) return {};
        return wrong_result(
            fmt::format("the map holds {} instead of {} at the last index", word, place));
      }};
}

Result<std::unique_ptr<PairedLoad>> load_mapped(const MappedCase& c) {
  Result<Mapped> created = Mapped::create(*c.type, c.entries);
  if (!created) return std::unexpected(created.error());
  const auto mapped = std::make_shared<Mapped>(std::move(*created));
  const std::span<std::uint64_t> words = mapped->words();
  for (std::uint32_t i = 0; i < c.entries; ++i) words[i] = word_of(i);
  const std::vector<std::uint32_t> indices = draw_keys(KeyPattern::kUniform, c.entries, kStream);
  UserArm floor = {.loop =
                       [indices](std::uint64_t first, std::uint64_t ops) {
                         return walk(indices, first, ops,
                                     [](std::uint64_t index, std::uint64_t) { return index; });
                       },
                   .found = std::vector<std::uint64_t>(indices.begin(), indices.end())};
  return std::make_unique<UserLoad>(
      c.exchanges ? exchanger(mapped, indices, c.type == &kArray) : reader(mapped, indices),
      std::move(floor));
}

}  // namespace

void register_map_user_mapped(Registry& registry) {
  for (const MappedCase& c : kCases) {
    registry.add({.name = map_user_name(c.exchanges ? "exchange" : "read", c.type->name,
                                        KeyPattern::kUniform, c.entries, 8),
                  .question = fmt::format(
                      "How long does it take user space to {} one of {} words of {} "
                      "that is mapped?",
                      c.exchanges ? "exchange (atomically)" : "read", c.entries, c.type->what),
                  .floor = "the same loop without the access",
                  .needs = {c.type->capability},
                  .suite = c.suite,
                  .plan = plan_for(c.about_ns),
                  .load = [&c] { return load_mapped(c); }});
  }
}

}  // namespace bpfmark
