// SPDX-License-Identifier: BSD-2-Clause
// measure() on bodies whose cost is known because they spin by the clock. The machine may be busy:
// one good measurement out of a few is enough, and no tolerance is below 10 %.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "harness/paired.h"
#include "tests/harness/fake_load.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Field;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::Le;
using ::testing::Matcher;
using ::testing::Optional;

Matcher<double> within_ten_percent_of(double expected) {
  return AllOf(Ge(0.9 * expected), Le(1.1 * expected));
}

// Net by every way there is to it: the floor's difference, N against 2N, the user-space clock.
Matcher<Measurement> every_net_is(double net_ns) {
  const Matcher<double> good = within_ten_percent_of(net_ns);
  return AllOf(Field(&Measurement::net_ns, good), Field(&Measurement::net_2n_ns, Optional(good)),
               Field(&Measurement::net_user_ns, Optional(good)));
}

// Expects that one of a few measurements is as it must be.
void expect_once(const Plan& plan, const Loader& load, const Matcher<Measurement>& matcher) {
  constexpr int kAttempts = 20;
  Result<Measurement> measured = measure(plan, load, {});
  for (int more = kAttempts - 1; more > 0 && measured && !matcher.Matches(*measured); --more) {
    measured = measure(plan, load, {});
  }
  EXPECT_THAT(measured, IsOkAndHolds(matcher));
}

// 800 ns an operation, on top of a loop of 200 ns an operation and 5 us a batch.
constexpr double kNetNs = 800;
constexpr double kFloorNs = 200;
constexpr double kBatchNs = 5000;

double twin_ns(Arm arm, std::uint64_t ops) {
  const double per_op = kFloorNs + (arm == Arm::kSubject ? kNetNs : 0);
  return kBatchNs + per_op * static_cast<double>(ops);
}

constexpr Plan kTwinPlan = {.ops_per_batch = 100, .rounds = 8, .loads = 8};
constexpr double kFloorOfAnOpNs = kFloorNs + kBatchNs / 100;

TEST(KnownCost, TwinsGiveTheDifferenceBetweenSubjectAndFloor) {
  expect_once(kTwinPlan, loader_of(spinning(twin_ns)),
              AllOf(every_net_is(kNetNs),
                    Field(&Measurement::floor_ns, within_ten_percent_of(kFloorOfAnOpNs)),
                    Field(&Measurement::raw_ns, within_ten_percent_of(kFloorOfAnOpNs + kNetNs)),
                    Field(&Measurement::min_ns, within_ten_percent_of(kFloorOfAnOpNs + kNetNs)),
                    Field(&Measurement::net_interval, Optional(Field(&Interval::lo, Gt(0))))));
}

TEST(KnownCost, SlopeIsFreeOfWhatDoesNotGrowWithTheOperations) {
  // A call of 50 us around 100 operations of 400 ns: more than half of a batch is not the subject.
  const auto call_ns = [](Arm, std::uint64_t ops) {
    return 50'000 + 400 * static_cast<double>(ops);
  };
  const Plan plan = {.ops_per_batch = 100, .rounds = 8, .loads = 8, .pairing = Pairing::kSlope};
  expect_once(plan, loader_of(spinning(call_ns)),
              AllOf(every_net_is(400),
                    Field(&Measurement::raw_ns, within_ten_percent_of(400 + 50'000 / 200.0))));
}

TEST(KnownCost, SetUpAndFinishAreNotInTheNumber) {
  using std::chrono::milliseconds;
  const Loader slow_loader = []() -> Result<std::unique_ptr<PairedLoad>> {
    std::this_thread::sleep_for(milliseconds(10));
    FakeWork work = spinning(twin_ns);
    work.finish = [](auto&) -> Result<void> {
      std::this_thread::sleep_for(milliseconds(10));
      return {};
    };
    return std::make_unique<FakeLoad>(std::move(work));
  };
  expect_once(kTwinPlan, slow_loader,
              AllOf(every_net_is(kNetNs),
                    Field(&Measurement::raw_ns, within_ten_percent_of(kFloorOfAnOpNs + kNetNs))));
}

// The reason for subject, floor, floor, subject: over a round, a steady drift cancels.
TEST(KnownCost, DriftOverARoundCancels) {
  int batches = 0;
  const auto drifting_ns = [&batches](Arm arm, std::uint64_t ops) {
    return twin_ns(arm, ops) + 1000.0 * batches++;
  };
  // Only said, for the drift must be exact. Loads of three rounds: none of twice the operations.
  const Plan plan = {.ops_per_batch = 100, .rounds = 3, .loads = 2};
  const auto m = measure(plan, loader_of(claiming(drifting_ns)), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_NEAR(m->net_ns, kNetNs, 1e-6);
}

// --- planted: a body whose cost an operation is not a constant

TEST(KnownCost, CostThatGrowsWithTheBatchShowsInTheCheckAtTwiceTheOperations) {
  const auto quadratic_ns = [](Arm arm, std::uint64_t ops) {
    const auto n = static_cast<double>(ops);
    return arm == Arm::kSubject ? 10 * n + n * n : 10 * n;
  };
  const Plan plan = {.ops_per_batch = 100, .rounds = 8, .loads = 2};
  const auto m = measure(plan, loader_of(claiming(quadratic_ns)), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_NEAR(m->net_ns, 100, 1e-6);
  ASSERT_TRUE(m->net_2n_ns.has_value());
  EXPECT_NEAR(*m->net_2n_ns, 300, 1e-6);
}

}  // namespace
}  // namespace bpfmark
