// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one operation on a map by the system call bpf(2), made by user space (Table 4
// of
//                   doi 10.1145/3749216 has the lookups with one entry and 64 bytes).
// Timed region:     a batch of calls between two readings of the clock of user space.
// Floor:            the same calls with a command that the kernel does not know: it copies the
//                   attributes and refuses. What is left is the operation with the look-up of the
//                   descriptor and the copies of key and value.
// Does not measure: libbpf around the call; another CPU on the same map.
#include "benchmarks/map_user.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"

namespace bpfmark {
namespace {

// What a batch leaves behind, and what has to be undone before the next.
enum class Leaves { kNothing, kValues, kNewKeys, kGaps };

struct CallKind {
  const char* op;
  const char* what;
  bpf_cmd command;
  Leaves leaves;
};

constexpr CallKind kLookup{"lookup", "looking up an entry", BPF_MAP_LOOKUP_ELEM, Leaves::kNothing};
constexpr CallKind kUpdate{"update", "updating an entry", BPF_MAP_UPDATE_ELEM, Leaves::kValues};
constexpr CallKind kInsert{"insert", "inserting an entry", BPF_MAP_UPDATE_ELEM, Leaves::kNewKeys};
constexpr CallKind kDelete{"delete", "deleting an entry", BPF_MAP_DELETE_ELEM, Leaves::kGaps};
constexpr CallKind kLookupDelete{"lookup_delete", "looking up and deleting an entry at once",
                                 BPF_MAP_LOOKUP_AND_DELETE_ELEM, Leaves::kGaps};
constexpr CallKind kNextKey{"next_key", "asking for the key after a key", BPF_MAP_GET_NEXT_KEY,
                            Leaves::kNothing};

struct CallCase {
  const CallKind* kind;
  const char* type;
  KeyPattern keys;
  std::uint32_t entries;
  std::uint32_t value_bytes;
  Suite suite = Suite::kFull;
};

constexpr unsigned kAbout_ns = 900;  // of a call, which dwarfs what it does
constexpr std::uint32_t kMebi = 1u << 20;
constexpr KeyPattern kSame = KeyPattern::kSame;
constexpr KeyPattern kUniform = KeyPattern::kUniform;
constexpr KeyPattern kInOrder = KeyPattern::kSequential;
constexpr Suite kShown = Suite::kDefault;

// None deletes from an LRU map: what is put back into a full one may evict another key.
constexpr CallCase kCases[] = {
    {&kLookup, "array", kSame, 1, 64},
    {&kLookup, "hash", kSame, 1, 64, kShown},
    {&kLookup, "lru_hash", kSame, 1, 64},
    {&kLookup, "percpu_array", kSame, 1, 64, kShown},
    {&kLookup, "percpu_hash", kSame, 1, 64},
    {&kLookup, "lru_percpu_hash", kSame, 1, 64},
    {&kLookup, "array", kUniform, 1024, 8},
    {&kLookup, "array", kUniform, 1024, 256},
    {&kLookup, "hash", kUniform, 1024, 8},
    {&kLookup, "hash", kUniform, 1024, 256},
    {&kLookup, "hash", kUniform, 65536, 8},
    {&kLookup, "hash", kUniform, kMebi, 8},
    {&kLookup, "lru_hash", kUniform, 1024, 8},
    {&kLookup, "percpu_array", kUniform, 1024, 8},
    {&kLookup, "percpu_hash", kUniform, 1024, 8},
    {&kLookup, "lru_percpu_hash", kUniform, 1024, 8},
    {&kUpdate, "array", kUniform, 1024, 8},
    {&kUpdate, "hash", kUniform, 1024, 8, kShown},
    {&kUpdate, "hash", kUniform, 1024, 256},
    {&kUpdate, "lru_hash", kUniform, 1024, 8},
    {&kUpdate, "percpu_array", kUniform, 1024, 8},
    {&kUpdate, "percpu_hash", kUniform, 1024, 8},
    {&kUpdate, "lru_percpu_hash", kUniform, 1024, 8},
    {&kInsert, "hash", kInOrder, 1024, 8},
    {&kInsert, "lru_hash", kInOrder, 1024, 8},
    {&kInsert, "percpu_hash", kInOrder, 1024, 8},
    {&kDelete, "hash", kInOrder, 1024, 8},
    {&kDelete, "percpu_hash", kInOrder, 1024, 8},
    {&kLookupDelete, "hash", kInOrder, 1024, 8},
    {&kNextKey, "array", kInOrder, 1024, 8},
    {&kNextKey, "hash", kInOrder, 1024, 8},
};

// A map, a stream of keys, and the memory that calls read and write.
class Calls {
 public:
  Calls(UserMap map, std::vector<std::uint32_t> keys, const CallKind& kind, std::uint64_t flags)
      : map_(std::move(map)), keys_(std::move(keys)), kind_(kind), value_(map_.value(0)) {
    std::memset(&attributes_, 0, sizeof(attributes_));
    attributes_.map_fd = static_cast<std::uint32_t>(map_.fd());
    attributes_.key = reinterpret_cast<std::uintptr_t>(&key_);
    // The kernel wants 0 behind the last member that a command knows. The next key comes to the
    // place of a value.
    if (kind.command != BPF_MAP_DELETE_ELEM) {
      attributes_.value = reinterpret_cast<std::uintptr_t>(value_.data());
    }
    attributes_.flags = flags;
  }
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  const UserMap& map() const { return map_; }
  const std::vector<std::uint32_t>& keys() const { return keys_; }

  // Before each call its place in the stream is written where the kernel may write its answer;
  // what stands there afterwards is added up.
  Result<std::uint64_t> make(int command, long expected, std::uint64_t first, std::uint64_t ops) {
    constexpr std::uint32_t kBytes = BPFMARK_ATTR_BYTES(flags);
    std::size_t place = first % keys_.size();
    std::uint64_t as_expected = 0, sum = 0;
    for (std::uint64_t i = 0; i < ops; ++i) {
      key_ = keys_[place];
      value_[0] = place;
      as_expected += bpf_call(command, attributes_, kBytes) == expected ? 1 : 0;
      sum += value_[0];
      if (++place == keys_.size()) place = 0;
    }
    const int error = errno;
    if (as_expected != ops) {
      return wrong_result(fmt::format("{} of {} calls {}; errno {}", as_expected, ops,
                                      expected == 0 ? "succeeded" : "were refused", error));
    }
    if (expected != 0 && error != EINVAL) {
      return wrong_result(
          fmt::format("the calls were refused with errno {} instead of {}", error, EINVAL));
    }
    return sum;
  }

  // Undoes what a batch left, and so proves that it was left.
  Result<void> restore(std::uint64_t first, std::uint64_t ops) {
    const std::uint64_t last = first + ops - 1;
    switch (kind_.leaves) {
      case Leaves::kNothing:
        return kind_.command == BPF_MAP_LOOKUP_ELEM ? check_copies(last) : Result<void>{};
      case Leaves::kValues:
        return check_stored(last);
      case Leaves::kNewKeys:
        return for_each_key(first, ops, "a key that was inserted is not there",
                            [this](auto* key) { return bpf_map_delete_elem(map_.fd(), key); });
      case Leaves::kGaps:
        return for_each_key(first, ops, "a key that was deleted is still there", [this](auto* key) {
          return bpf_map_update_elem(map_.fd(), key, map_.value(word_of(*key)).data(), BPF_NOEXIST);
        });
    }
    return {};
  }

 private:
  // Every CPU's copy of the last value was read.
  Result<void> check_copies(std::uint64_t last) const {
    const std::uint64_t word = word_of(keys_[last % keys_.size()]);
    if (value_ == map_.value(word)) return {};
    return wrong_result("the last value that was read is not the key's own on every CPU");
  }

  Result<void> check_stored(std::uint64_t last) const {
    std::vector<std::uint64_t> stored = map_.value(0);
    const std::uint64_t place = last % keys_.size();
    if (bpf_map_lookup_elem(map_.fd(), &keys_[place], stored.data()) == 0 && stored[0] == place) {
      return {};
    }
    return wrong_result(fmt::format("the map does not hold {} under the last key", place));
  }

  template <class Action>
  Result<void> for_each_key(std::uint64_t first, std::uint64_t ops, const char* complaint,
                            Action action) const {
    for (std::uint64_t i = first; i < first + ops; ++i) {
      const std::uint32_t& key = keys_[i % keys_.size()];
      if (action(&key) != 0) return wrong_result(fmt::format("{}: {}", complaint, key));
    }
    return {};
  }

  UserMap map_;
  std::vector<std::uint32_t> keys_;
  const CallKind& kind_;
  std::vector<std::uint64_t> value_;
  std::uint64_t key_ = 0;
  bpf_attr attributes_;
};

// An update must find its key, but an LRU map may have evicted it.
std::uint64_t flags_of(const CallCase& c) {
  if (c.kind->leaves == Leaves::kNewKeys) return BPF_NOEXIST;
  const bool finds = !std::string_view(c.type).starts_with("lru");
  return c.kind->leaves == Leaves::kValues && finds ? BPF_EXIST : BPF_ANY;
}

// The keys in the order in which the map hands them out: each of them once.
Result<std::vector<std::uint32_t>> keys_in_order(int fd, std::uint32_t entries) {
  std::vector<std::uint32_t> keys;
  std::vector<bool> seen(entries);
  std::uint32_t key = 0;
  const std::uint32_t* previous = nullptr;
  while (bpf_map_get_next_key(fd, previous, &key) == 0) {
    if (key >= entries || seen[key]) {
      return wrong_result(fmt::format("the map handed out key {} as one of its own", key));
    }
    seen[key] = true;
    keys.push_back(key);
    previous = &keys.back();
  }
  if (keys.size() == entries) return keys;
  return wrong_result(
      fmt::format("the map handed out {} keys instead of {}", keys.size(), entries));
}

Result<std::unique_ptr<PairedLoad>> load_calls(const CallCase& c) {
  const MapType& type = *std::ranges::find(map_types(), std::string_view(c.type), &MapType::name);
  const bool filled = c.kind->leaves != Leaves::kNewKeys;
  Result<UserMap> map = UserMap::create(type, c.entries, c.value_bytes, filled);
  if (!map) return std::unexpected(map.error());
  const bool in_order = c.keys == KeyPattern::kSequential;
  std::vector<std::uint32_t> keys = draw_keys(c.keys, c.entries, in_order ? c.entries : 1u << 14);
  std::vector<std::uint64_t> found(keys.size());
  if (c.kind == &kNextKey) {
    Result<std::vector<std::uint32_t>> order = keys_in_order(map->fd(), c.entries);
    if (!order) return std::unexpected(order.error());
    // There is none after the last.
    keys.assign(order->begin(), order->end() - 1);
    found.assign(order->begin() + 1, order->end());
  } else if (c.kind == &kLookup || c.kind == &kLookupDelete) {
    std::ranges::transform(keys, found.begin(), word_of);
  } else {
    std::iota(found.begin(), found.end(), 0);
  }
  std::vector<std::uint64_t> untouched(keys.size());
  std::iota(untouched.begin(), untouched.end(), 0);
  const auto calls =
      std::make_shared<Calls>(std::move(*map), std::move(keys), *c.kind, flags_of(c));
  return std::make_unique<UserLoad>(
      UserArm{.loop = [calls, command = c.kind->command](
                          std::uint64_t first,
                          std::uint64_t ops) { return calls->make(command, 0, first, ops); },
              .found = std::move(found),
              .check = [calls](std::uint64_t first,
                               std::uint64_t ops) { return calls->restore(first, ops); }},
      UserArm{.loop =
                  [calls](std::uint64_t first, std::uint64_t ops) {
                    return calls->make(kUnknownCommand, -1, first, ops);
                  },
              .found = std::move(untouched)},
      type.per_cpu ? calls->map().copies() : 0);
}

}  // namespace

void register_map_user(Registry& registry) {
  for (const CallCase& c : kCases) {
    Plan plan = plan_for(kAbout_ns);
    // A doubled batch must not come to a key twice.
    if (c.keys == kInOrder) {
      plan.ops_per_batch = std::min<std::uint64_t>(plan.ops_per_batch, c.entries / 2);
    }
    if (c.entries == kMebi) plan.loads = 6;
    registry.add({.name = map_user_name(c.kind->op, c.type, c.keys, c.entries, c.value_bytes),
                  .question = fmt::format("What does {} cost user space, in a {} of {} entries?",
                                          c.kind->what, c.type, c.entries),
                  .floor = "the same call with a command that the kernel does not know",
                  .needs = {fmt::format("map_{}", c.type)},
                  .suite = c.suite,
                  .plan = plan,
                  .load = [&c] { return load_calls(c); }});
  }
}

}  // namespace bpfmark
