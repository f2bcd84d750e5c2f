// SPDX-License-Identifier: BSD-2-Clause
#include "harness/paired.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <thread>

#include "harness/clock.h"
#include "harness/guards.h"
#include "harness/interrupt.h"

namespace bpfmark {
namespace {

constexpr int kWarmUpRounds = 2;
constexpr int kDryRunRounds = kDoubleRoundEvery;

Result<Round> run_round(const Plan& plan, PairedLoad& load, unsigned scale) {
  Round round{.scale = scale};
  const auto run_batch = [&](Arm arm, int slot) -> Result<void> {
    if (stop_signal() != 0) {
      return interrupted();
    }
    if (Result<void> ready = load.prepare(arm); !ready) return ready;
    const SchedulerCounts before = SchedulerCounts::read();
    const Result<Batch> batch = load.run(arm, plan.ops_of(arm, scale));
    if (!batch) return std::unexpected(batch.error());
    const SchedulerCounts after = SchedulerCounts::read();
    round.disturbed |= plan.waits ? before.cpu != after.cpu : !before.same_as(after);
    const bool subject = arm == Arm::kSubject;
    (subject ? round.subject_ns : round.floor_ns)[slot] = batch->elapsed_ns;
    (subject ? round.subject_user_ns : round.floor_user_ns)[slot] = batch->user_elapsed_ns;
    return {};
  };
  // Subject, floor, floor, subject: a drift that is linear over the round cancels in the
  // difference.
  for (const auto& [arm, slot] : {std::pair{Arm::kSubject, 0}, std::pair{Arm::kFloor, 0},
                                  std::pair{Arm::kFloor, 1}, std::pair{Arm::kSubject, 1}}) {
    if (Result<void> done = run_batch(arm, slot); !done) return std::unexpected(done.error());
  }
  return round;
}

double total_ns(const Round& round) {
  return round.subject_ns[0] + round.subject_ns[1] + round.floor_ns[0] + round.floor_ns[1];
}

// Rounds and elapsed time that a load must reach, from the plan and the user's wishes.
struct Target {
  int rounds = 0;
  double elapsed_ns = 0;
};

Target target_of(const Plan& plan, const MeasureOptions& options) {
  const int loads = loads_of(plan, options);
  if (options.dry_run) return {.rounds = kDryRunRounds};
  Target target{.rounds = plan.rounds};
  if (options.min_ops > 0) {
    const std::uint64_t per_round = 2 * plan.ops_of(Arm::kSubject, 1);
    const std::uint64_t per_load = (options.min_ops + static_cast<std::uint64_t>(loads) - 1) /
                                   static_cast<std::uint64_t>(loads);
    const std::uint64_t rounds = (per_load + per_round - 1) / per_round;
    target.rounds = static_cast<int>(
        std::clamp<std::uint64_t>(rounds, kDryRunRounds, std::numeric_limits<int>::max()));
  }
  target.elapsed_ns = options.min_time_s * 1e9 / loads;
  return target;
}

Result<void> warm_up(const Plan& plan, PairedLoad& load, double min_warm_up_s) {
  const std::uint64_t start = now_ns();
  for (int i = 0; i < kWarmUpRounds || static_cast<double>(now_ns() - start) < min_warm_up_s * 1e9;
       ++i) {
    if (Result<Round> round = run_round(plan, load, 1); !round)
      return std::unexpected(round.error());
  }
  return {};
}

Result<LoadSample> sample_rounds(const Plan& plan, PairedLoad& load, const Target& target) {
  LoadSample sample;
  sample.reference_step_ns = reference_step_ns();
  const StolenTime before = StolenTime::read(sched_getcpu());
  double elapsed_ns = 0;
  for (int i = 1; i <= target.rounds || elapsed_ns < target.elapsed_ns; ++i) {
    Result<Round> round = run_round(plan, load, i % kDoubleRoundEvery == 0 ? 2 : 1);
    if (!round) return std::unexpected(round.error());
    elapsed_ns += total_ns(*round);
    sample.rounds.push_back(*round);
  }
  const StolenTime after = StolenTime::read(sched_getcpu());
  sample.steal_ns = static_cast<double>(after.steal_ns - before.steal_ns);
  sample.throttled_ns = static_cast<double>(after.throttled_ns - before.throttled_ns);
  return sample;
}

Result<void> run_load(const Plan& plan, const Loader& load, const MeasureOptions& options,
                      Collected& collected) {
  // A thread that shares its table of descriptors pays for it in every system call that takes one,
  // and a program with one thread does not.
  if (::unshare(CLONE_FILES) != 0) return system_error(errno, "unshare the descriptor table");
  Result<std::unique_ptr<PairedLoad>> paired = load();
  if (!paired) return std::unexpected(paired.error());
  if (Result<void> warm = warm_up(plan, **paired, options.min_warm_up_s); !warm) return warm;
  (*paired)->start();
  Result<LoadSample> sample = sample_rounds(plan, **paired, target_of(plan, options));
  if (!sample) return std::unexpected(sample.error());
  if (Result<void> done = (*paired)->finish(collected.findings); !done) return done;
  if (!options.keep_trial_samples) {
    for (Trial& trial : collected.findings.trials) trial.samples_ns = {};
  }
  if (collected.programs.empty()) collected.programs = (*paired)->programs();
  collected.samples.push_back(std::move(*sample));
  return {};
}

}  // namespace

int loads_of(const Plan& plan, const MeasureOptions& options) {
  return options.dry_run ? 1 : options.loads.value_or(plan.loads);
}

Result<void> measure_load(const Plan& plan, const Loader& load, const MeasureOptions& options,
                          Collected& collected) {
  if (options.drop_caches) {
    if (Result<void> dropped = drop_caches(); !dropped) return dropped;
  }
  Result<void> done;
  const std::uint64_t start = now_ns();
  // The stacks of a thread, its own and the kernel's, are as much a matter of chance as the place
  // of a program: a new thread draws them anew.
  std::jthread([&] { done = run_load(plan, load, options, collected); }).join();
  collected.wall_s += static_cast<double>(now_ns() - start) * 1e-9;
  return done;
}

Result<Measurement> conclude(const Plan& plan, const MeasureOptions& options, Collected collected) {
  std::optional<Measurement> measurement = estimate(plan, collected.samples);
  if (!measurement) return wrong_result("no finite time was measured");
  measurement->programs = std::move(collected.programs);
  measurement->findings = std::move(collected.findings);
  measurement->wall_s = collected.wall_s;
  if (options.keep_samples) measurement->samples = std::move(collected.samples);
  return std::move(*measurement);
}

Result<Measurement> measure(const Plan& plan, const Loader& load, const MeasureOptions& options) {
  Collected collected;
  for (int i = 0; i < loads_of(plan, options); ++i) {
    Result<void> done = measure_load(plan, load, options, collected);
    if (!done) return std::unexpected(done.error());
  }
  return conclude(plan, options, std::move(collected));
}

}  // namespace bpfmark
