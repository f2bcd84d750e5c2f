// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/map_load.h"

#include <fmt/format.h>

#include <cerrno>

namespace bpfmark {

Error map_load_error(Error error, std::uint64_t entries, std::uint64_t entry_bytes) {
  if (error.errnum != ENOMEM) return error;
  constexpr std::uint64_t kOverheadBytes = 64;
  return Error{ErrorKind::kAbsent, ENOMEM, "memory: " + error.what,
               fmt::format("needs about {} MiB for the table",
                           (entries * (entry_bytes + kOverheadBytes) >> 20) + 1),
               "memory"};
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
