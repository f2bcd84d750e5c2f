// SPDX-License-Identifier: BSD-2-Clause
#include "harness/twin_load.h"

#include <fmt/format.h>

#include "harness/clock.h"

namespace bpfmark {

ResultCheck every_operation_finds(std::uint64_t value) {
  return [value](const bpfmark_batch_result& result) {
    return check_counts(result, {.hits = result.ops, .sum = result.ops * value});
  };
}

ResultCheck every_operation_hits() {
  return [](const bpfmark_batch_result& result) {
    return check_counts(result, {.hits = result.ops, .sum = result.sum});
  };
}

Result<Batch> TwinLoad::run(Arm arm, std::uint64_t ops) {
  const TwinArm& twin = of(arm);
  const Result<Batch> done = twin.batch.run(ops);
  if (!done) return done;
  if (Result<void> right = twin.check(twin.batch.result()); !right) {
    return std::unexpected(right.error());
  }
  return done;
}

Result<Batch> EntryTwinLoad::run(Arm arm, std::uint64_t ops) {
  const EntryArm& entry = of(arm);
  while (true) {
    std::vector<std::uint64_t> before;
    for (const EntryCounter& counter : entry.counters) before.push_back(*counter.count);
    const Result<TestRunOutcome> outcome = entry.run.run(static_cast<std::uint32_t>(ops));
    if (!outcome) return std::unexpected(outcome.error());
    // A call that a signal broke had made some of its entries, so the counts cannot be exact:
    // again.
    if (outcome->restarts > 0) continue;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const EntryCounter& counter = entry.counters[i];
      const std::uint64_t counted = *counter.count - before[i];
      if (counted != ops * counter.per_entry) {
        return wrong_result(fmt::format("{} {} were counted in {} entries instead of {}", counted,
                                        counter.what, ops, ops * counter.per_entry));
      }
    }
    if (outcome->retval != entry.verdict) {
      return wrong_result(
          fmt::format("the program returned {} instead of {}", outcome->retval, entry.verdict));
    }
    return Batch{.elapsed_ns = outcome->elapsed_ns, .user_elapsed_ns = outcome->elapsed_ns};
  }
}

Result<Batch> HostTwinLoad::run(Arm arm, std::uint64_t ops) {
  const HostArm& host = arm == Arm::kSubject ? subject_ : floor_;
  const std::uint64_t start = now_ns();
  const std::uint64_t sum = host.loop(ops);
  const auto elapsed_ns = static_cast<double>(now_ns() - start);
  if (sum != ops * host.value) {
    return wrong_result(
        fmt::format("the values found add up to {} instead of {}", sum, ops * host.value));
  }
  if (arm == Arm::kSubject && check_) {
    if (Result<void> right = check_(); !right) return std::unexpected(right.error());
  }
  return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
}

Result<void> HostTwinLoad::finish(Findings& findings) {
  for (const auto& [name, value] : counters_) findings.counters[name] = value;
  return {};
}

}  // namespace bpfmark
