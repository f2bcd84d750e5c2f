// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/map_load.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "fixtures/free_memory.h"

namespace bpfmark {
namespace {

// About, beside key and value: the head of an entry and its share of the buckets; in a trie also a
// node where ways part.
std::uint64_t node_bytes(bpf_map_type type) {
  switch (type) {
    case BPF_MAP_TYPE_ARENA:
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_BLOOM_FILTER:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
    case BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE_USER_RINGBUF:
      return 0;
    case BPF_MAP_TYPE_LPM_TRIE:
      return 128;
    default:
      return 64;
  }
}

std::uint64_t table_bytes(const TableSize& size) {
  const auto copies =
      static_cast<std::uint64_t>(size.per_cpu ? std::max(libbpf_num_possible_cpus(), 1) : 1);
  return size.entries * (size.key_bytes + copies * size.value_bytes + node_bytes(size.type));
}

constexpr std::uint64_t mebibytes(std::uint64_t bytes) { return (bytes >> 20) + 1; }

}  // namespace

Error map_load_error(Error error, const TableSize& size) {
  if (error.errnum != ENOMEM) return error;
  return Error{ErrorKind::kAbsent, ENOMEM, "memory: " + error.what,
               fmt::format("needs about {} MiB for the table", mebibytes(table_bytes(size))),
               "memory"};
}

Result<void> check_memory(const TableSize& size) {
  constexpr std::uint64_t kSmallBytes = 16 << 20;
  // Of user space, for a key of the stream: itself, what it finds, and sums over both arms.
  constexpr std::uint64_t kStreamBytes = 64;
  const std::uint64_t needed = table_bytes(size) + size.entries * kStreamBytes;
  if (needed < kSmallBytes) return {};
  const std::uint64_t left = free_memory_bytes();
  if (needed <= left) return {};
  return std::unexpected(Error{
      ErrorKind::kAbsent, ENOMEM,
      fmt::format("memory: {} MiB are left to this process", left >> 20),
      fmt::format("needs about {} MiB for the table and its keys", mebibytes(needed)), "memory"});
}

KeyedLoad::KeyedLoad(std::shared_ptr<void> owner, KeyedArm subject, KeyedArm floor,
                     std::vector<ProgramIdentity> programs)
    : owner_(std::move(owner)),
      subject_(std::move(subject)),
      floor_(std::move(floor)),
      programs_(std::move(programs)) {}

Result<Batch> KeyedLoad::run(Arm arm, std::uint64_t ops) {
  Walk& walk = arm == Arm::kSubject ? subject_ : floor_;
  const std::uint64_t first = walk.cursor;
  if (walk.arm.before) {
    if (Result<void> ready = walk.arm.before(first, ops); !ready) {
      return std::unexpected(ready.error());
    }
  }
  const Result<Batch> done = walk.arm.batch.run(ops, first);
  if (!done) return done;
  walk.cursor += ops;
  const ExpectedCounts expected = {.hits = walk.arm.hits ? ops : 0,
                                   .sum = walk.arm.hits ? walk.sums.sum(first, ops) : 0};
  if (Result<void> right = check_counts(walk.arm.batch.result(), expected); !right) {
    return std::unexpected(right.error());
  }
  if (walk.arm.check) {
    if (Result<void> right = walk.arm.check(first, ops); !right) {
      return std::unexpected(right.error());
    }
  }
  return done;
}

}  // namespace bpfmark
