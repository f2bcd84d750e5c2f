// SPDX-License-Identifier: BSD-2-Clause
// estimate() on rounds made by hand: what must come out is known exactly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "harness/paired.h"

namespace bpfmark {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAreArray;
using ::testing::Eq;
using ::testing::Field;
using ::testing::Optional;

constexpr std::uint64_t kOps = 100;
constexpr Plan kTwin = {.ops_per_batch = kOps, .rounds = 4, .loads = 1, .pairing = Pairing::kTwin};
constexpr Plan kSlope = {
    .ops_per_batch = kOps, .rounds = 4, .loads = 1, .pairing = Pairing::kSlope};

// Batches of a subject and a floor that always take the same time.
Round steady(double subject_ns, double floor_ns, unsigned scale = 1) {
  return {.scale = scale,
          .subject_ns = {subject_ns, subject_ns},
          .floor_ns = {floor_ns, floor_ns},
          .subject_user_ns = {subject_ns, subject_ns},
          .floor_user_ns = {floor_ns, floor_ns}};
}

Round disturbed(Round round) {
  round.disturbed = true;
  return round;
}

// A batch costs `fixed` once and `per_op` for each operation.
struct Arms {
  double subject_fixed_ns, subject_per_op_ns, floor_fixed_ns, floor_per_op_ns;
};

Round round_of(const Plan& plan, const Arms& arms, unsigned scale) {
  const double floor_ops = static_cast<double>(plan.ops_per_batch) * scale;
  const double subject_ops = plan.pairing == Pairing::kSlope ? 2 * floor_ops : floor_ops;
  return steady(arms.subject_fixed_ns + arms.subject_per_op_ns * subject_ops,
                arms.floor_fixed_ns + arms.floor_per_op_ns * floor_ops, scale);
}

LoadSample load_of(std::vector<Round> rounds) { return {.rounds = std::move(rounds)}; }

// One load per net cost, each of three equal rounds over a floor of 3 ns.
std::vector<LoadSample> loads_with_nets(const std::vector<double>& nets_ns) {
  std::vector<LoadSample> loads;
  for (const double net_ns : nets_ns) {
    loads.push_back(load_of(std::vector<Round>(3, steady((3 + net_ns) * kOps, 3 * kOps))));
  }
  return loads;
}

TEST(Estimate, OfNothingIsNothing) {
  EXPECT_FALSE(estimate(kTwin, {}).has_value());
  EXPECT_FALSE(estimate(kTwin, {load_of({})}).has_value());
}

TEST(Estimate, OfDoubleRoundsAloneIsNothing) {
  EXPECT_FALSE(estimate(kTwin, {load_of({steady(2000, 600, 2)})}).has_value());
}

TEST(Estimate, OfTimesThatAreNotFiniteIsNothing) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_FALSE(estimate(kTwin, {load_of({steady(bad, 300)})}).has_value());
  }
}

TEST(Estimate, TwinSubtractsTheFloorPerOperation) {
  const auto m = estimate(kTwin, {load_of({steady(1000, 300)})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->raw_ns, 10);
  EXPECT_DOUBLE_EQ(m->floor_ns, 3);
  EXPECT_DOUBLE_EQ(m->net_ns, 7);
}

TEST(Estimate, OverheadIsNetOverFloorOfEachLoadWhereThePlanAsksForIt) {
  const auto loads = loads_with_nets({0.3, 0.6, 0.9, 1.2, 1.5, 3});
  EXPECT_FALSE(estimate(kTwin, loads)->overhead.has_value());
  Plan plan = kTwin;
  plan.overhead = true;
  const auto m = estimate(plan, loads);
  ASSERT_TRUE(m && m->overhead && m->overhead->percent_interval && m->overhead->raw_interval);
  EXPECT_NEAR(m->overhead->percent, 35, 1e-9) << "the median of 10, 20, 30, 40, 50 and 100";
  EXPECT_NEAR(m->overhead->percent_interval->lo, 10, 1e-9);
  EXPECT_NEAR(m->overhead->percent_interval->hi, 100, 1e-9);
  EXPECT_NEAR(m->overhead->raw_interval->lo, 3.3, 1e-9);
  EXPECT_NEAR(m->overhead->raw_interval->hi, 6, 1e-9);
  EXPECT_FALSE(estimate(plan, loads_with_nets({1}))->overhead->percent_interval.has_value());
}

TEST(Estimate, SlopeDropsWhatIsPaidOncePerBatch) {
  const Arms arms = {500, 5, 500, 5};
  const auto m = estimate(kSlope, {load_of({round_of(kSlope, arms, 1)})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 5);
  EXPECT_DOUBLE_EQ(m->raw_ns, 7.5);
  EXPECT_DOUBLE_EQ(m->floor_ns, 2.5) << "raw is floor and net for a slope, too";
}

TEST(Estimate, LinearDriftCancels) {
  for (const Plan& plan : {kTwin, kSlope}) {
    for (const double step : {-40.0, 25.0, 1000.0}) {
      const Round still = round_of(plan, {500, 10, 500, 3}, 1);
      Round drifting = still;
      drifting.floor_ns[0] += step;
      drifting.floor_ns[1] += 2 * step;
      drifting.subject_ns[1] += 3 * step;
      const auto without = estimate(plan, {load_of({still})});
      const auto with = estimate(plan, {load_of({drifting})});
      ASSERT_TRUE(without && with);
      EXPECT_DOUBLE_EQ(with->net_ns, without->net_ns);
    }
  }
}

TEST(Estimate, DriftThatIsNotLinearShows) {
  Round round = steady(1000, 300);
  round.subject_ns[1] += 9 * 50;
  round.floor_ns[0] += 1 * 50;
  round.floor_ns[1] += 4 * 50;
  const auto m = estimate(kTwin, {load_of({round})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 8);
}

TEST(Estimate, NetIsTheMedianRoundOfALoad) {
  const auto m =
      estimate(kTwin, {load_of({steady(1000, 300), steady(1100, 300), steady(90000, 300)})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 8);
}

// The nets of the loads, in order.
auto nets_are(const std::vector<double>& nets_ns) {
  std::vector<::testing::Matcher<LoadEstimate>> matchers;
  for (const double net_ns : nets_ns) {
    matchers.push_back(Field("net_ns", &LoadEstimate::net_ns, DoubleNear(net_ns, 1e-12)));
  }
  return ElementsAreArray(matchers);
}

TEST(Estimate, IsTheMedianOverLoadsAndKeepsEachOfThem) {
  const auto m = estimate(kTwin, loads_with_nets({4, 6, 11}));
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 6);
  EXPECT_DOUBLE_EQ(m->raw_ns, 9);
  EXPECT_DOUBLE_EQ(m->floor_ns, 3);
  EXPECT_THAT(m->loads, nets_are({4, 6, 11}));
}

TEST(Estimate, LeavesDisturbedRoundsOut) {
  const Round clean = steady(1000, 300);
  const Round spoilt = disturbed(steady(90000, 300));
  std::vector<LoadSample> loads(6, load_of({clean, spoilt, clean, clean}));
  loads[2] = load_of({spoilt, clean});
  const auto m = estimate(kTwin, loads);
  ASSERT_TRUE(m);
  EXPECT_THAT(m->loads, nets_are({7, 7, 7, 7, 7, 7}));
  EXPECT_DOUBLE_EQ(m->net_ns, 7);
  EXPECT_EQ(m->verdict, Verdict::kResolved);
}

TEST(Estimate, HalfDisturbedIsNotMoreThanHalf) {
  const std::vector<LoadSample> loads(6,
                                      load_of({steady(1000, 300), disturbed(steady(90000, 300))}));
  const auto m = estimate(kTwin, loads);
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 7);
  EXPECT_EQ(m->verdict, Verdict::kResolved);
}

TEST(Estimate, MoreThanHalfDisturbedUsesAllRoundsAndSaysSo) {
  const Round clean = steady(1000, 300);
  const Round spoilt = disturbed(steady(2000, 300));
  const auto m = estimate(kTwin, std::vector<LoadSample>(6, load_of({clean, spoilt, spoilt})));
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 17) << "the median of all three rounds";
  EXPECT_EQ(m->verdict, Verdict::kDisturbed);
}

TEST(Estimate, ALoadThatWasDisturbedThroughoutCountsWithAllItsRounds) {
  const Round clean = steady(1000, 300);
  const Round spoilt = disturbed(steady(1300, 300));
  const auto m = estimate(kTwin, {load_of({clean, clean, clean}), load_of({clean, clean, clean}),
                                  load_of({spoilt, spoilt})});
  ASSERT_TRUE(m) << "a disturbed machine is no wrong result";
  EXPECT_THAT(m->loads, nets_are({7, 7, 10}));
  EXPECT_NE(m->verdict, Verdict::kDisturbed);
}

TEST(Estimate, ALoadUsesItsDisturbedRoundsIfTheyAreMoreThanHalf) {
  const Round clean = steady(1000, 300);
  const Round spoilt = disturbed(steady(1300, 300));
  const auto m = estimate(kTwin, {load_of({clean, spoilt, spoilt}), load_of({clean, clean, clean}),
                                  load_of({clean, clean, spoilt})});
  ASSERT_TRUE(m);
  EXPECT_THAT(m->loads, nets_are({10, 7, 7}));
}

TEST(Estimate, FewerThanSixLoadsGiveNoIntervalAndAreNeverResolved) {
  for (std::size_t loads = 1; loads < 6; ++loads) {
    const auto m = estimate(kTwin, loads_with_nets(std::vector<double>(loads, 1000)));
    ASSERT_TRUE(m);
    EXPECT_FALSE(m->net_interval.has_value()) << loads;
    EXPECT_EQ(m->verdict, Verdict::kNotResolved) << loads;
  }
}

TEST(Estimate, IntervalOfTwelveLoadsIsTheirThirdAndTenth) {
  const auto m = estimate(kTwin, loads_with_nets({12, 1, 11, 2, 10, 3, 9, 4, 8, 5, 7, 6}));
  ASSERT_TRUE(m && m->net_interval);
  EXPECT_DOUBLE_EQ(m->net_interval->lo, 3);
  EXPECT_DOUBLE_EQ(m->net_interval->hi, 10);
  EXPECT_DOUBLE_EQ(m->net_ns, 6.5);
}

struct VerdictCase {
  const char* fact;
  std::vector<double> nets_ns;
  Verdict verdict;
};

TEST(Estimate, IsResolvedOnlyIfTheIntervalExcludesZero) {
  const VerdictCase cases[] = {
      {"all alike", {5, 5.1, 4.9, 5, 5, 5}, Verdict::kResolved},
      {"all alike and negative", {-2, -2.1, -1.9, -2, -2, -2}, Verdict::kResolved},
      {"around zero", {-1, 1, 0.5, -0.5, 2, -2}, Verdict::kNotResolved},
      {"one of six on the other side", {1, 2, 3, 4, 5, -0.1}, Verdict::kNotResolved},
      {"one of twelve on the other side",
       {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -9},
       Verdict::kResolved},
      {"exactly zero", {0, 0, 0, 0, 0, 0}, Verdict::kNotResolved},
  };
  for (const VerdictCase& c : cases) {
    SCOPED_TRACE(c.fact);
    const auto m = estimate(kTwin, loads_with_nets(c.nets_ns));
    ASSERT_TRUE(m);
    EXPECT_EQ(m->verdict, c.verdict);
  }
}

TEST(Estimate, NAgainst2NFindsTheCostPerOperationBehindAFixedDifference) {
  const Arms arms = {5000, 10, 200, 3};
  const auto m = estimate(kTwin, {load_of({round_of(kTwin, arms, 1), round_of(kTwin, arms, 1),
                                           round_of(kTwin, arms, 1), round_of(kTwin, arms, 2)})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 7 + 48) << "the plain net holds the fixed difference";
  ASSERT_TRUE(m->net_2n_ns);
  EXPECT_DOUBLE_EQ(*m->net_2n_ns, 7);
}

TEST(Estimate, NAgainst2NOfASlopeIsTheSlopeAtTwiceTheLength) {
  const Arms arms = {500, 5, 500, 5};
  const auto m =
      estimate(kSlope, {load_of({round_of(kSlope, arms, 1), round_of(kSlope, arms, 2)})});
  ASSERT_TRUE(m && m->net_2n_ns);
  EXPECT_DOUBLE_EQ(*m->net_2n_ns, 5);
}

TEST(Estimate, WithoutDoubleRoundsHasNoNAgainst2N) {
  const auto m = estimate(kTwin, {load_of({steady(1000, 300)})});
  ASSERT_TRUE(m);
  EXPECT_FALSE(m->net_2n_ns.has_value());
}

TEST(Estimate, DoubleRoundsDoNotEnterTheNet) {
  const auto m = estimate(kTwin, {load_of({steady(1000, 300), steady(80000, 300, 2)})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->net_ns, 7);
}

TEST(Estimate, UserClockGivesItsOwnNet) {
  Round round = steady(1000, 300);
  for (double& ns : round.subject_user_ns) ns += 250;
  for (double& ns : round.floor_user_ns) ns += 50;
  const auto m = estimate(kTwin, {load_of({round})});
  ASSERT_TRUE(m);
  EXPECT_THAT(m->net_user_ns, Optional(DoubleNear(9, 1e-12)));
  EXPECT_DOUBLE_EQ(m->net_ns, 7);
}

TEST(Estimate, MinimumIsTheCheapestBatchOfTheSubjectPerOperationWhereverItIs) {
  for (const std::size_t load : {0u, 1u}) {
    for (const std::size_t round : {0u, 1u}) {
      for (const std::size_t slot : {0u, 1u}) {
        std::vector<LoadSample> loads(2, load_of({steady(1000, 1), steady(2000, 1, 2)}));
        Round& cheap = loads[load].rounds[round];
        cheap.subject_ns[slot] = 850 * cheap.scale;
        const auto m = estimate(kTwin, loads);
        ASSERT_TRUE(m);
        EXPECT_DOUBLE_EQ(m->min_ns, 8.5) << load << round << slot;
      }
    }
  }
}

TEST(Estimate, MinimumOfASlopeCountsTheSubjectsOperations) {
  const auto m = estimate(kSlope, {load_of({steady(1500, 1000)})});
  ASSERT_TRUE(m);
  EXPECT_DOUBLE_EQ(m->min_ns, 7.5);
}

TEST(Estimate, BatchTimeIsThatOfAWholeBatchOfTheSubject) {
  const auto twin = estimate(kTwin, {load_of({steady(1000, 300), steady(2000, 600, 2)})});
  const auto slope = estimate(kSlope, {load_of({steady(1500, 1000)})});
  ASSERT_TRUE(twin && slope);
  EXPECT_DOUBLE_EQ(twin->batch_ns, 1000);
  EXPECT_DOUBLE_EQ(slope->batch_ns, 1500);
}

TEST(Estimate, CountsTheOperationsOfTheSubject) {
  const std::vector<LoadSample> loads(
      2, load_of({steady(1000, 300), steady(1000, 300), steady(2000, 600, 2)}));
  const auto twin = estimate(kTwin, loads);
  const auto slope = estimate(kSlope, loads);
  ASSERT_TRUE(twin && slope);
  EXPECT_EQ(twin->ops, 2u * (2 * kOps + 2 * kOps + 4 * kOps));
  EXPECT_EQ(slope->ops, 2 * twin->ops);
}

TEST(Estimate, CountsBatchesAndAmongThemTheDisturbed) {
  const Round clean = steady(1000, 300);
  const auto m = estimate(kTwin, {load_of({clean, clean, disturbed(clean), clean})});
  ASSERT_TRUE(m);
  EXPECT_EQ(m->batches, 16u) << "four rounds of two arms, twice each";
  EXPECT_EQ(m->disturbed_batches, 4u);
  const auto all = estimate(kTwin, {load_of({disturbed(clean), disturbed(clean)})});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->disturbed_batches, all->batches);
}

TEST(Estimate, AddsUpStolenTimeAndAveragesTheReference) {
  std::vector<LoadSample> loads(2, load_of({steady(1000, 300)}));
  loads[0].steal_ns = 10;
  loads[1].steal_ns = 5;
  loads[1].throttled_ns = 7;
  loads[0].reference_step_ns = 1;
  loads[1].reference_step_ns = 2;
  const auto m = estimate(kTwin, loads);
  ASSERT_TRUE(m);
  EXPECT_THAT(m->steal_ns, Eq(15));
  EXPECT_THAT(m->throttled_ns, Eq(7));
  EXPECT_THAT(m->reference_step_ns, Eq(1.5));
  EXPECT_THAT(m->loads.back().reference_step_ns, Eq(2));
}

}  // namespace
}  // namespace bpfmark
