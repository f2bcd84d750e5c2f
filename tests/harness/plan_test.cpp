// SPDX-License-Identifier: BSD-2-Clause
// That measure() does exactly the work its plan and the user's options say, and how it ends early.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "harness/interrupt.h"
#include "harness/paired.h"
#include "tests/harness/fake_load.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr std::size_t kBatchesPerRound = 4;
constexpr std::size_t kWarmUpRounds = 2;
constexpr double kSaidPerOpNs = 50;

// Everything that was asked of the loads.
struct Journal {
  struct Call {
    Arm arm;
    std::uint64_t ops;
    std::uint64_t start_ns;
  };
  std::vector<std::vector<Call>> loads;  // calls, per load
  std::vector<Arm> prepared;             // over all loads
  int finished = 0;
  int destroyed = 0;

  std::size_t rounds_of(std::size_t load) const { return loads[load].size() / kBatchesPerRound; }
  std::uint64_t subject_ops_after_warm_up() const {
    std::uint64_t ops = 0;
    for (const auto& calls : loads) {
      for (std::size_t i = kWarmUpRounds * kBatchesPerRound; i < calls.size(); ++i) {
        if (calls[i].arm == Arm::kSubject) ops += calls[i].ops;
      }
    }
    return ops;
  }
};

class RecordingLoad : public PairedLoad {
 public:
  explicit RecordingLoad(Journal& journal) : journal_(journal) { journal_.loads.emplace_back(); }
  ~RecordingLoad() override { ++journal_.destroyed; }

  Result<void> prepare(Arm arm) override {
    journal_.prepared.push_back(arm);
    return {};
  }
  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    journal_.loads.back().push_back({arm, ops, now_ns()});
    const double elapsed_ns =
        (arm == Arm::kSubject ? 2 : 1) * kSaidPerOpNs * static_cast<double>(ops);
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }
  Result<void> finish(Findings& findings) override {
    ++journal_.finished;
    findings.counters["finished"] = journal_.finished;
    return {};
  }
  std::vector<ProgramIdentity> programs() const override { return {{.role = "subject"}}; }

 private:
  Journal& journal_;
};

Loader recording(Journal& journal) {
  return [&journal]() -> Result<std::unique_ptr<PairedLoad>> {
    return std::make_unique<RecordingLoad>(journal);
  };
}

constexpr Plan kPlan = {.ops_per_batch = 64, .rounds = 8, .loads = 3};

TEST(PlannedWork, IsDoneExactly) {
  Journal journal;
  const auto m = measure(kPlan, recording(journal), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_THAT(journal.loads, SizeIs(3));
  EXPECT_THAT(journal.loads, Each(SizeIs((kWarmUpRounds + 8) * kBatchesPerRound)));
  EXPECT_EQ(journal.finished, 3);
  EXPECT_EQ(journal.destroyed, 3);
  EXPECT_EQ(m->ops, journal.subject_ops_after_warm_up());
  EXPECT_THAT(m->loads, SizeIs(3));
  EXPECT_THAT(m->programs, SizeIs(1));  // the programs of every load are the same
  EXPECT_THAT(m->findings.counters, ElementsAre(Pair("finished", 3)));
  EXPECT_THAT(m->samples, IsEmpty());
}

TEST(PlannedWork, RoundIsSubjectFloorFloorSubjectAndEveryFourthIsDouble) {
  Journal journal;
  ASSERT_THAT(measure(kPlan, recording(journal), {}), IsOk());
  const auto& calls = journal.loads.front();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::size_t place = i % kBatchesPerRound, round = i / kBatchesPerRound;
    EXPECT_EQ(calls[i].arm, place == 0 || place == 3 ? Arm::kSubject : Arm::kFloor) << i;
    const bool timed = round >= kWarmUpRounds;
    const bool twice = timed && (round - kWarmUpRounds + 1) % kDoubleRoundEvery == 0;
    EXPECT_EQ(calls[i].ops, twice ? 128u : 64u) << i;
  }
}

TEST(PlannedWork, EveryBatchIsPrepared) {
  Journal journal;
  ASSERT_THAT(measure(kPlan, recording(journal), {}), IsOk());
  std::vector<Arm> run;
  for (const auto& calls : journal.loads) {
    for (const Journal::Call& call : calls) run.push_back(call.arm);
  }
  EXPECT_EQ(journal.prepared, run);
}

TEST(PlannedWork, SwitchesWhilePreparingDisturbNothing) {
  class SleepingLoad : public FakeLoad {
   public:
    SleepingLoad() : FakeLoad(claiming([](Arm, std::uint64_t) { return 1000.0; })) {}
    Result<void> prepare(Arm) override {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      return {};
    }
  };
  const auto m = measure({.ops_per_batch = 1, .rounds = 8, .loads = 1},
                         [] { return std::make_unique<SleepingLoad>(); }, {.keep_samples = true});
  ASSERT_THAT(m, IsOk());
  EXPECT_LT(m->disturbed_batches, m->batches) << "a batch that claims its time takes none";
}

TEST(PlannedWork, SubjectOfASlopeDoesTwiceTheOperations) {
  Journal journal;
  Plan plan = kPlan;
  plan.pairing = Pairing::kSlope;
  const auto m = measure(plan, recording(journal), {});
  ASSERT_THAT(m, IsOk());
  const auto& calls = journal.loads.front();
  EXPECT_EQ(calls[0].ops, 128u);
  EXPECT_EQ(calls[1].ops, 64u);
  EXPECT_EQ(m->ops, journal.subject_ops_after_warm_up());
}

TEST(Options, DryRunIsOneLoadAndTheFewestRoundsThatGiveEveryEstimate) {
  Journal journal;
  const auto m = measure(kPlan, recording(journal), {.min_time_s = 10, .dry_run = true});
  ASSERT_THAT(m, IsOk());
  EXPECT_THAT(journal.loads, SizeIs(1));
  EXPECT_EQ(journal.rounds_of(0), kWarmUpRounds + kDoubleRoundEvery);
  EXPECT_TRUE(m->net_2n_ns.has_value());
}

TEST(Options, MinimumOfOperationsIsReachedAndNotFarExceeded) {
  Journal journal;
  const auto m = measure(kPlan, recording(journal), {.min_ops = 10'000});
  ASSERT_THAT(m, IsOk());
  EXPECT_GE(m->ops, 10'000u);
  EXPECT_LT(m->ops, 15'000u);
  EXPECT_THAT(journal.loads, SizeIs(3));
}

TEST(Options, MinimumOfTimeIsReachedAndNotFarExceeded) {
  Journal journal;
  const auto m = measure(kPlan, recording(journal), {.min_time_s = 0.003, .keep_samples = true});
  ASSERT_THAT(m, IsOk());
  double timed_ns = 0;
  for (const LoadSample& sample : m->samples) {
    for (const Round& r : sample.rounds) {
      timed_ns += r.subject_ns[0] + r.subject_ns[1] + r.floor_ns[0] + r.floor_ns[1];
    }
  }
  EXPECT_GE(timed_ns, 0.003e9);
  EXPECT_LT(timed_ns, 0.0035e9);
}

TEST(Options, TimeShorterThanPlannedChangesNothing) {
  Journal journal;
  ASSERT_THAT(measure(kPlan, recording(journal), {.min_time_s = 1e-9}), IsOk());
  EXPECT_EQ(journal.rounds_of(0), kWarmUpRounds + 8u);
}

TEST(Options, WarmUpLastsAsLongAsAskedInEachLoadAndIsNotTimed) {
  Journal journal;
  constexpr double kWarmUpNs = 2e6;
  const auto m = measure(kPlan, recording(journal), {.min_warm_up_s = kWarmUpNs * 1e-9});
  ASSERT_THAT(m, IsOk());
  for (const auto& calls : journal.loads) {
    const std::size_t first_timed = calls.size() - 8 * kBatchesPerRound;
    EXPECT_GE(static_cast<double>(calls[first_timed].start_ns - calls[0].start_ns), kWarmUpNs);
  }
  EXPECT_EQ(m->ops, 3u * (6 * 2 * 64 + 2 * 2 * 128));
}

TEST(Options, KeptSamplesHoldEveryTimedRound) {
  Journal journal;
  const auto m = measure(kPlan, recording(journal), {.keep_samples = true});
  ASSERT_THAT(m, IsOk());
  ASSERT_THAT(m->samples, SizeIs(3));
  for (const LoadSample& sample : m->samples) {
    ASSERT_THAT(sample.rounds, SizeIs(8));
    EXPECT_EQ(sample.rounds[0].subject_ns[0], 2 * kSaidPerOpNs * 64);
    EXPECT_EQ(sample.rounds[0].floor_ns[1], kSaidPerOpNs * 64);
    EXPECT_EQ(sample.rounds[3].scale, 2u);
    EXPECT_EQ(sample.rounds[3].subject_ns[1], 2 * kSaidPerOpNs * 128);
  }
}

// --- how it ends early

TEST(EarlyEnd, ErrorOfTheLoaderIsHandedOnAndNothingRuns) {
  int loads = 0;
  const Loader refused = [&]() -> Result<std::unique_ptr<PairedLoad>> {
    ++loads;
    return std::unexpected(Error{ErrorKind::kAbsent, ENOMEM, "no memory", "buy some", "memory"});
  };
  const auto m = measure(kPlan, refused, {});
  ASSERT_THAT(m, ErrorIs(ErrorKind::kAbsent, "no memory"));
  EXPECT_EQ(m.error().remedy, "buy some");
  EXPECT_EQ(m.error().capability, "memory");
  EXPECT_EQ(loads, 1);
}

TEST(EarlyEnd, ErrorOfABatchEndsTheCaseAtOnceWhereverItIs) {
  // In the warm-up, in a subject's and in a floor's batch, and in the last batch of the last load.
  for (const int failing : {0, 9, 10, 3 * 40 - 1}) {
    SCOPED_TRACE(failing);
    int batches = 0;
    FakeWork work{.run = [&](Arm, std::uint64_t) -> Result<Batch> {
                    if (batches++ == failing) return wrong_result("planted");
                    return Batch{.elapsed_ns = 5, .user_elapsed_ns = 5};
                  },
                  .finish = {}};
    EXPECT_THAT(measure(kPlan, loader_of(std::move(work)), {}),
                ErrorIs(ErrorKind::kWrongResult, "planted"));
    EXPECT_EQ(batches, failing + 1);
  }
}

TEST(EarlyEnd, ErrorOfTheFinishEndsTheCaseAfterItsFirstLoad) {
  int finished = 0;
  FakeWork work = claiming([](Arm, std::uint64_t) { return 5.0; });
  work.finish = [&](auto&) -> Result<void> {
    ++finished;
    return wrong_result("planted");
  };
  EXPECT_THAT(measure(kPlan, loader_of(std::move(work)), {}),
              ErrorIs(ErrorKind::kWrongResult, "planted"));
  EXPECT_EQ(finished, 1);
}

TEST(EarlyEnd, FailedLoadIsDestroyed) {
  Journal journal;
  class Failing : public RecordingLoad {
   public:
    using RecordingLoad::RecordingLoad;
    Result<Batch> run(Arm, std::uint64_t) override { return wrong_result("planted"); }
  };
  const Loader load = [&]() -> Result<std::unique_ptr<PairedLoad>> {
    return std::make_unique<Failing>(journal);
  };
  EXPECT_THAT(measure(kPlan, load, {}), ErrorIs(ErrorKind::kWrongResult, "planted"));
  EXPECT_EQ(journal.destroyed, 1);
}

TEST(EarlyEnd, TimeThatIsNoNumberIsAWrongResult) {
  FakeWork work = claiming([](Arm, std::uint64_t) { return std::nan(""); });
  EXPECT_THAT(measure(kPlan, loader_of(std::move(work)), {}),
              ErrorIs(ErrorKind::kWrongResult, "no finite time was measured"));
}

// Ends the process: 42 if the stop was asked for in batch 20 and that was the last one.
[[noreturn]] void measure_until_stopped() {
  catch_stop_signals();
  int batches = 0;
  FakeWork work{.run = [&](Arm, std::uint64_t) -> Result<Batch> {
                  if (++batches == 20) raise(SIGINT);
                  return Batch{.elapsed_ns = 5, .user_elapsed_ns = 5};
                },
                .finish = {}};
  const auto m = measure(kPlan, loader_of(std::move(work)), {});
  const bool stopped = !m && m.error().kind == ErrorKind::kInterrupted;
  std::_Exit(stopped && batches == 20 ? 42 : 1);
}

TEST(EarlyEnd, StopSignalEndsTheCaseAfterTheBatchInFlight) {
  // In a process of its own, because a stop cannot be taken back.
  EXPECT_EXIT(measure_until_stopped(), ::testing::ExitedWithCode(42), "");
}

// The body says that it took no time at all: what is around the rounds counts, and all of it.
TEST(Measure, WallTimeIsThatOfWholeLoadsFromLoadingToUnloading) {
  constexpr double kEachNs = 2e6;
  class SlowLoad : public FakeLoad {
   public:
    SlowLoad() : FakeLoad(claiming([](Arm, std::uint64_t) { return 1.0; })) { spin_for(kEachNs); }
    ~SlowLoad() override { spin_for(kEachNs); }
    Result<void> finish(Findings& /*findings*/) override {
      spin_for(kEachNs);
      return {};
    }
  };
  constexpr int kLoads = 3;
  const std::uint64_t start_ns = now_ns();
  const Result<Measurement> m = measure({.ops_per_batch = 1, .rounds = 4, .loads = kLoads},
                                        [] { return std::make_unique<SlowLoad>(); }, {});
  const double all_s = static_cast<double>(now_ns() - start_ns) * 1e-9;
  ASSERT_THAT(m, IsOk());
  EXPECT_GE(m->wall_s, kLoads * 3 * kEachNs * 1e-9);
  EXPECT_LE(m->wall_s, all_s);
}

}  // namespace
}  // namespace bpfmark
