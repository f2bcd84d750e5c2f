// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/echo_load.h"

namespace bpfmark {
namespace {

// Fewer are not judged before the end of a load: of a short batch one would be too many.
constexpr std::uint64_t kLossesToJudge = 3;

Batch batch_of(double elapsed_ns) {
  return {.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
}

// As if all had been answered: an answer that did not come has no time.
Batch batch_of(std::uint64_t sum_ns, std::uint64_t answered, std::uint64_t ops) {
  return batch_of(static_cast<double>(sum_ns) / static_cast<double>(answered) *
                  static_cast<double>(ops));
}

}  // namespace

// --- closed loop

Result<std::unique_ptr<PairedLoad>> ClosedLoopLoad::create(
    const EchoPath::Settings& path, const ClosedLoopClient::Options& client) {
  Result<EchoPath> made = EchoPath::create(path);
  if (!made) return std::unexpected(made.error());
  Result<ClosedLoopClient> ready = ClosedLoopClient::create(made->client_fd(), client);
  if (!ready) return std::unexpected(ready.error());
  return std::unique_ptr<PairedLoad>(new ClosedLoopLoad(std::move(*made), std::move(*ready)));
}

Result<Batch> ClosedLoopLoad::run(Arm arm, std::uint64_t ops) {
  return arm == Arm::kSubject ? exchange(ops) : exchange_nothing(ops);
}

Result<Batch> ClosedLoopLoad::exchange(std::uint64_t ops) {
  const Result<EchoPath::Counts> before = path_.counts(client_.counts());
  if (!before) return std::unexpected(before.error());
  std::uint64_t sum_ns = 0;
  for (std::uint64_t i = 0; i < ops; ++i) {
    const Result<std::optional<std::uint64_t>> round_trip_ns = client_.exchange();
    if (!round_trip_ns) return path_.client_error(client_.counts(), round_trip_ns.error());
    if (!*round_trip_ns) {
      const EchoCounts& counts = client_.counts();
      if (counts.lost() >= kLossesToJudge && EchoPath::too_many_lost(counts)) {
        return path_.no_answer(counts);
      }
      continue;
    }
    sum_ns += **round_trip_ns;
    round_trips_.record(**round_trip_ns);
  }
  if (Result<void> right = path_.check(*before, client_.counts()); !right) {
    return std::unexpected(right.error());
  }
  const std::uint64_t answered = client_.counts().answered - before->client.answered;
  if (answered == 0) return path_.no_answer(client_.counts());
  return batch_of(sum_ns, answered, ops);
}

Result<Batch> ClosedLoopLoad::exchange_nothing(std::uint64_t ops) {
  std::uint64_t sum_ns = 0;
  for (std::uint64_t i = 0; i < ops; ++i) {
    const Result<std::uint64_t> took_ns = client_.exchange_nothing();
    if (!took_ns) return std::unexpected(took_ns.error());
    sum_ns += *took_ns;
  }
  return batch_of(static_cast<double>(sum_ns));
}

Result<void> ClosedLoopLoad::finish(Findings& findings) {
  findings.histogram("round_trip").merge(round_trips_);
  return path_.finish(client_.counts(), findings);
}

// --- open loop

Result<std::unique_ptr<PairedLoad>> OpenLoopLoad::create(const EchoPath::Settings& path,
                                                         const OpenLoopClient::Options& client) {
  Result<EchoPath> made = EchoPath::create(path);
  if (!made) return std::unexpected(made.error());
  Result<OpenLoopClient> ready = OpenLoopClient::create(made->client_fd(), client);
  if (!ready) return std::unexpected(ready.error());
  return std::unique_ptr<PairedLoad>(new OpenLoopLoad(std::move(*made), std::move(*ready)));
}

Result<Batch> OpenLoopLoad::run(Arm arm, std::uint64_t ops) {
  if (arm == Arm::kFloor) {
    const Result<std::uint64_t> sum_ns = client_.run_nothing(ops);
    if (!sum_ns) return std::unexpected(sum_ns.error());
    return batch_of(static_cast<double>(*sum_ns));
  }
  const Result<EchoPath::Counts> before = path_.counts(client_.counts());
  if (!before) return std::unexpected(before.error());
  const Result<std::uint64_t> sum_ns = client_.run(ops, latencies_);
  if (!sum_ns) return path_.client_error(client_.counts(), sum_ns.error());
  if (Result<void> right = path_.check(*before, client_.counts()); !right) {
    return std::unexpected(right.error());
  }
  const std::uint64_t answered = client_.counts().answered - before->client.answered;
  if (answered == 0) return path_.no_answer(client_.counts());
  return batch_of(*sum_ns, answered, ops);
}

Result<void> OpenLoopLoad::finish(Findings& findings) {
  findings.histogram("latency").merge(latencies_);
  return path_.finish(client_.counts(), findings);
}

}  // namespace bpfmark
