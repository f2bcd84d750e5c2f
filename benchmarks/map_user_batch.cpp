// SPDX-License-Identifier: BSD-2-Clause
// Measures:         an element of a map that is looked up, updated or deleted together with others,
// by
//                   one system call for many of them.
// Timed region:     a batch of elements between two readings of the clock of user space.
// Floor:            as many calls as the subject needs, each with a command that the kernel does
// not
//                   know.
// Does not measure: what user space does with the elements. A hash hands out whole buckets, so that
// a
//                   call brings somewhat fewer than it has room for.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "benchmarks/families.h"
#include "benchmarks/map_user.h"
#include "benchmarks/twin.h"
#include "fixtures/map.h"

namespace bpfmark {
namespace {

struct BatchKind {
  const char* op;
  const char* what;
  bpf_cmd command;
};

constexpr BatchKind kLookup{"lookup_batch", "looking up", BPF_MAP_LOOKUP_BATCH};
constexpr BatchKind kUpdate{"update_batch", "updating", BPF_MAP_UPDATE_BATCH};
constexpr BatchKind kDelete{"delete_batch", "deleting", BPF_MAP_DELETE_BATCH};

struct BatchCase {
  const BatchKind* kind;
  const char* type;
  std::uint32_t elements;  // of one call
  unsigned about_ns;       // of an element
  Suite suite = Suite::kFull;
};

constexpr BatchCase kCases[] = {
    {&kLookup, "array", 16, 80},     {&kLookup, "array", 256, 60},
    {&kLookup, "hash", 16, 80},      {&kLookup, "hash", 256, 50, Suite::kDefault},
    {&kLookup, "lru_hash", 256, 50}, {&kLookup, "percpu_hash", 256, 100},
    {&kUpdate, "array", 16, 100},    {&kUpdate, "array", 256, 80},
    {&kUpdate, "hash", 16, 120},     {&kUpdate, "hash", 256, 100},
    {&kDelete, "hash", 16, 100},     {&kDelete, "hash", 256, 80},
};

constexpr std::uint32_t kEntries = 1024;
constexpr std::uint32_t kValueBytes = 8;

// A map, and room for the keys and values of all its elements.
class Batches {
 public:
  Batches(UserMap map, const BatchCase& c)
      : map_(std::move(map)),
        case_(c),
        keys_(kEntries),
        words_(kEntries * map_.copies() * map_.copy_words()) {
    std::memset(&attributes_, 0, sizeof(attributes_));
    attributes_.batch.map_fd = static_cast<std::uint32_t>(map_.fd());
  }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  const UserMap& map() const { return map_; }

  // --- subjects: `ops` elements, and that number if all went well

  Result<std::uint64_t> walk(std::uint64_t ops) {
    std::uint64_t elements = 0;
    while (elements < ops) {
      const Result<std::uint32_t> handed_out = walk_once();
      if (!handed_out) return std::unexpected(handed_out.error());
      elements += *handed_out;
    }
    return elements;
  }

  Result<std::uint64_t> store_or_delete(std::uint64_t first, std::uint64_t ops) {
    for (std::uint64_t done = 0; done < ops; done += case_.elements) {
      aim_at(static_cast<std::uint32_t>((first + done) % kEntries));
      if (bpf_call(case_.kind->command, attributes_, kBytes) != 0) {
        return system_error(errno, fmt::format("{} at element {}", case_.kind->op, done));
      }
      if (attributes_.batch.count != case_.elements) {
        return wrong_result(fmt::format("a call did {} elements instead of {}",
                                        attributes_.batch.count, case_.elements));
      }
    }
    return ops;
  }

  // --- the floor

  Result<std::uint64_t> be_refused(std::uint64_t calls, std::uint64_t ops) {
    std::uint64_t refused = 0;
    aim_at(0);
    for (std::uint64_t i = 0; i < calls; ++i) {
      refused += bpf_call(kUnknownCommand, attributes_, kBytes) == -1 ? 1 : 0;
    }
    if (refused == calls && errno == EINVAL) return ops;
    return wrong_result(
        fmt::format("{} of {} calls were refused; errno {}", refused, calls, errno));
  }

  // Calls of the last walk, the one that comes to the end included.
  std::uint64_t calls_of_walk() const { return calls_of_walk_; }

  // --- proofs, outside of the clock

  // The last walk brought every element once, with its own value.
  Result<void> check_walk() const {
    std::vector<bool> seen(kEntries);
    const std::size_t stride = map_.copies() * map_.copy_words();
    for (std::uint32_t i = 0; i < kEntries; ++i) {
      const std::uint32_t key = keys_[i];
      if (key >= kEntries || seen[key]) {
        return wrong_result(fmt::format("element {} of the map is key {} once more", i, key));
      }
      seen[key] = true;
      for (std::size_t word = i * stride; word < (i + 1) * stride; word += map_.copy_words()) {
        if (words_[word] != word_of(key)) {
          return wrong_result(fmt::format("the value of key {} is not its own", key));
        }
      }
    }
    return {};
  }

  // What the next update stores must differ from what is there.
  void choose_values() {
    ++generation_;
    std::iota(keys_.begin(), keys_.end(), 0);
    for (std::uint32_t key = 0; key < kEntries; ++key) words_[key] = generation_ << 32 | key;
  }

  // The last element of each call is what it must be: stored, or gone.
  Result<void> check_last_elements(std::uint64_t first, std::uint64_t ops) const {
    const bool gone = case_.kind == &kDelete;
    for (std::uint64_t end = first + case_.elements; end <= first + ops; end += case_.elements) {
      const auto key = static_cast<std::uint32_t>((end - 1) % kEntries);
      std::vector<std::uint64_t> word = map_.value(0);
      const bool there = bpf_map_lookup_elem(map_.fd(), &key, word.data()) == 0;
      if (there == gone || (there && word[0] != words_[key])) {
        return wrong_result(fmt::format("the map holds {} under key {}",
                                        there ? std::to_string(word[0]) : "nothing", key));
      }
    }
    return {};
  }

  Result<void> fill() const {
    return fill_map(map_.fd(), {.entries = kEntries, .value_bytes = kValueBytes}, word_of);
  }

 private:
  static constexpr std::uint32_t kBytes = BPFMARK_ATTR_BYTES(batch);

  // The next call takes its elements from there on, or brings them there.
  void aim_at(std::uint32_t element) {
    attributes_.batch.keys = reinterpret_cast<std::uintptr_t>(&keys_[element]);
    attributes_.batch.values = case_.kind == &kDelete
                                   ? 0
                                   : reinterpret_cast<std::uintptr_t>(
                                         &words_[element * map_.copies() * map_.copy_words()]);
    attributes_.batch.count = std::min(case_.elements, kEntries - element);
  }

  // Elements that the map handed out, from its start to its end.
  Result<std::uint32_t> walk_once() {
    std::uint64_t place[2] = {};  // in the map, as the kernel notes it
    std::uint32_t elements = 0;
    attributes_.batch.in_batch = 0;
    attributes_.batch.out_batch = reinterpret_cast<std::uintptr_t>(place);
    for (calls_of_walk_ = 1;; ++calls_of_walk_) {
      // An array needs one call more to say that this was all: for an element that must not come.
      aim_at(std::min(elements, kEntries - 1));
      const bool more = bpf_call(BPF_MAP_LOOKUP_BATCH, attributes_, kBytes) == 0;
      if (!more && errno != ENOENT) return system_error(errno, "look up a batch");
      elements += attributes_.batch.count;
      if (!more) return elements;
      attributes_.batch.in_batch = reinterpret_cast<std::uintptr_t>(place);
    }
  }

  UserMap map_;
  const BatchCase& case_;
  std::vector<std::uint32_t> keys_;
  std::vector<std::uint64_t> words_;
  bpf_attr attributes_;
  std::uint64_t generation_ = 0;
  std::uint64_t calls_of_walk_ = 0;
};

UserArm subject_of(const BatchCase& c, const std::shared_ptr<Batches>& batches) {
  if (c.kind == &kLookup) {
    return {.loop = [batches](std::uint64_t, std::uint64_t ops) { return batches->walk(ops); },
            .found = {1},
            .check = [batches](std::uint64_t, std::uint64_t) { return batches->check_walk(); }};
  }
  const bool deletes = c.kind == &kDelete;
  batches->choose_values();
  return {.loop = [batches](std::uint64_t first,
                            std::uint64_t ops) { return batches->store_or_delete(first, ops); },
          .found = {1},
          .check = [batches, deletes](std::uint64_t first, std::uint64_t ops) -> Result<void> {
            if (Result<void> right = batches->check_last_elements(first, ops); !right) return right;
            if (deletes) return batches->fill();
            batches->choose_values();
            return {};
          }};
}

Result<std::unique_ptr<PairedLoad>> load_batches(const BatchCase& c) {
  const MapType& type = *std::ranges::find(map_types(), std::string_view(c.type), &MapType::name);
  Result<UserMap> map = UserMap::create(type, kEntries, kValueBytes, true);
  if (!map) return std::unexpected(map.error());
  const auto batches = std::make_shared<Batches>(std::move(*map), c);
  std::uint64_t elements = c.elements, calls = 1;
  if (c.kind == &kLookup) {
    const Result<std::uint64_t> walked = batches->walk(kEntries);
    if (!walked) return std::unexpected(walked.error());
    elements = kEntries;
    calls = batches->calls_of_walk();
  }
  return std::make_unique<UserLoad>(
      subject_of(c, batches),
      UserArm{.loop =
                  [batches, elements, calls](std::uint64_t, std::uint64_t ops) {
                    return batches->be_refused(ops / elements * calls, ops);
                  },
              .found = {1}},
      type.per_cpu ? batches->map().copies() : 0);
}

}  // namespace

void register_map_user_batch(Registry& registry) {
  for (const BatchCase& c : kCases) {
    Plan plan = plan_for(c.about_ns);
    // Whole walks; and no element is deleted twice in a doubled batch.
    if (c.kind == &kLookup) plan.ops_per_batch = kEntries;
    if (c.kind == &kDelete) plan.ops_per_batch = kEntries / 2;
    registry.add(
        {.name = map_user_name(c.kind->op, c.type, KeyPattern::kSequential, kEntries, kValueBytes) +
                 fmt::format("/batch:{}", c.elements),
         .question = fmt::format("What does {} one of {} elements of a {} cost user space, {} by "
                                 "one call?",
                                 c.kind->what, kEntries, c.type, c.elements),
         .floor = "as many calls with a command that the kernel does not know",
         .needs = {fmt::format("map_{}", c.type)},
         .suite = c.suite,
         .plan = plan,
         .load = [&c] { return load_batches(c); }});
  }
}

}  // namespace bpfmark
