// SPDX-License-Identifier: BSD-2-Clause
// What measure() says about bodies whose cost varies. Their times are drawn, not spent, so that the
// tests say the same on every machine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "harness/guards.h"
#include "harness/paired.h"
#include "harness/statistics.h"
#include "tests/harness/fake_load.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

constexpr Plan kPlan = {.ops_per_batch = 100, .rounds = 12, .loads = 12};

// Operations of `mean_ns` on average, batches of uniformly random length between 0 and twice that.
std::function<double(Arm, std::uint64_t)> random_length(double subject_ns, double floor_ns,
                                                        unsigned seed) {
  auto generator = std::make_shared<std::mt19937_64>(seed);
  return [=](Arm arm, std::uint64_t ops) {
    const double mean_ns = arm == Arm::kSubject ? subject_ns : floor_ns;
    return std::uniform_real_distribution<>(0, 2 * mean_ns)(*generator) * static_cast<double>(ops);
  };
}

TEST(Noise, EqualArmsWithoutNoiseAreNotResolved) {
  const auto m = measure(
      kPlan,
      loader_of(claiming([](Arm, std::uint64_t ops) { return 100 * static_cast<double>(ops); })),
      {});
  ASSERT_THAT(m, IsOk());
  EXPECT_EQ(m->net_ns, 0);
  EXPECT_NE(m->verdict, Verdict::kResolved);
}

TEST(Noise, SmallestSteadyDifferenceIsResolved) {
  const auto m = measure(kPlan, loader_of(claiming([](Arm arm, std::uint64_t ops) {
                           return (arm == Arm::kSubject ? 100.01 : 100) * static_cast<double>(ops);
                         })),
                         {});
  ASSERT_THAT(m, IsOk());
  EXPECT_NEAR(m->net_ns, 0.01, 1e-9);
  EXPECT_NE(m->verdict, Verdict::kNotResolved);
}

// Of several draws the middle one: a single interval from order statistics may be narrow by chance.
TEST(Noise, BodyOfRandomLengthHasAWideInterval) {
  std::vector<double> half_widths;
  for (unsigned seed = 0; seed < 9; ++seed) {
    const auto m = measure(kPlan, loader_of(claiming(random_length(1000, 100, seed))), {});
    ASSERT_THAT(m, IsOk());
    ASSERT_TRUE(m->net_interval.has_value());
    half_widths.push_back((m->net_interval->hi - m->net_interval->lo) / 2 / m->net_ns);
  }
  EXPECT_GT(median(half_widths), 0.05);
}

TEST(Noise, DifferenceInsideTheNoiseIsNotResolved) {
  const auto m = measure(kPlan, loader_of(claiming(random_length(1000, 990, 2))), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_NE(m->verdict, Verdict::kResolved);
}

// An interval that is called 95 % may miss the truth about once in twenty times, and one that never
// does is too wide. With two arms that are equal in truth, whatever is resolved is a false alarm.
TEST(Noise, EqualNoisyArmsAreCalledDifferentInNoMoreThanAFewPercentOfTrials) {
  constexpr int kTrials = 400;
  int false_alarms = 0;
  for (unsigned trial = 0; trial < kTrials; ++trial) {
    const auto m = measure(kPlan, loader_of(claiming(random_length(1000, 1000, 100 + trial))), {});
    ASSERT_THAT(m, IsOk());
    false_alarms += m->net_interval->lo > 0 || m->net_interval->hi < 0;
  }
  EXPECT_THAT(false_alarms, AllOf(Ge(kTrials / 100), Le(kTrials / 10)));
}

TEST(Noise, LoadsThatDifferMakeTheIntervalWideHoweverSteadyEachIs) {
  double of_this_load = 0;
  const Loader load = [&]() -> Result<std::unique_ptr<PairedLoad>> {
    of_this_load += 10;  // 10, 20 ... 120 ns
    return std::make_unique<FakeLoad>(claiming([net = of_this_load](Arm arm, std::uint64_t ops) {
      return (arm == Arm::kSubject ? 100 + net : 100) * static_cast<double>(ops);
    }));
  };
  const auto m = measure(kPlan, load, {});
  ASSERT_THAT(m, IsOk());
  EXPECT_NEAR(m->net_ns, 65, 1e-6);
  ASSERT_TRUE(m->net_interval.has_value());
  EXPECT_LT(m->net_interval->lo, 45);
  EXPECT_GT(m->net_interval->hi, 85);
}

TEST(Noise, OneLoadHasNoInterval) {
  const Plan plan = {.ops_per_batch = 100, .rounds = 12, .loads = 1};
  const auto m = measure(plan, loader_of(claiming(random_length(1000, 100, 3))), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_FALSE(m->net_interval.has_value());
}

// --- guards

FakeWork sleeping() {
  return claiming([](Arm arm, std::uint64_t ops) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    return (arm == Arm::kSubject ? 20.0 : 10.0) * static_cast<double>(ops);
  });
}

TEST(Disturbance, ThreadThatIsSwitchedOutInEveryBatchIsReported) {
  const Plan plan = {.ops_per_batch = 10, .rounds = 4, .loads = 2};
  const auto m = measure(plan, loader_of(sleeping()), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_EQ(m->disturbed_batches, m->batches);
  EXPECT_EQ(m->verdict, Verdict::kDisturbed);
  EXPECT_NEAR(m->net_ns, 10, 1e-9);  // the number is still there
}

TEST(Disturbance, SwitchIsNoneWhereTheOperationWaits) {
  ASSERT_THAT(pin_to_cpu(allowed_cpus().back()), IsOk());
  const Plan plan = {.ops_per_batch = 10, .rounds = 4, .loads = 2, .waits = true};
  const auto m = measure(plan, loader_of(sleeping()), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_EQ(m->disturbed_batches, 0);
}

// Every fifth round of batches sleeps and claims to have cost a thousand times as much.
TEST(Disturbance, DisturbedRoundsAreCountedAndLeftOutOfTheNumber) {
  const Plan plan = {.ops_per_batch = 10, .rounds = 20, .loads = 2};
  int batches = 0;
  FakeWork work = claiming([&batches](Arm arm, std::uint64_t ops) {
    const double per_op = arm == Arm::kSubject ? 20 : 10;
    const bool disturbed = batches++ % 20 < 4;
    if (disturbed) std::this_thread::sleep_for(std::chrono::microseconds(100));
    return (disturbed && arm == Arm::kSubject ? 1000 * per_op : per_op) * static_cast<double>(ops);
  });
  const auto m = measure(plan, loader_of(std::move(work)), {});
  ASSERT_THAT(m, IsOk());
  EXPECT_GE(m->disturbed_batches, 2u * 4u);
  EXPECT_LT(m->disturbed_batches, m->batches);
  EXPECT_NEAR(m->net_ns, 10, 1e-9);
  EXPECT_NEAR(m->raw_ns, 20, 1e-9);
}

TEST(Disturbance, BusyThreadThatIsLeftAloneIsNot) {
  const Plan plan = {.ops_per_batch = 10, .rounds = 8, .loads = 2};
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto m =
        measure(plan, loader_of(spinning([](Arm, std::uint64_t) { return 2000.0; })), {});
    ASSERT_THAT(m, IsOk());
    if (m->disturbed_batches == 0) return;
  }
  FAIL() << "five measurements of a millisecond, and each was disturbed";
}

}  // namespace
}  // namespace bpfmark
