// SPDX-License-Identifier: BSD-2-Clause
#include "harness/trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Samples = std::vector<std::uint64_t>;

Samples first_numbers(std::uint64_t n) {
  Samples samples(n);
  std::iota(samples.begin(), samples.end(), 1);
  return samples;
}

TEST(TruncatedRank, IsTheFloorOfNTimesQCountedFromOne) {
  EXPECT_EQ(truncated_rank_quantile(first_numbers(100), 0.5), 50u);
  EXPECT_EQ(truncated_rank_quantile(first_numbers(100), 0.99), 99u);
  EXPECT_EQ(truncated_rank_quantile(first_numbers(101), 0.5), 50u);    // floor(50.5)
  EXPECT_EQ(truncated_rank_quantile(first_numbers(868), 0.99), 859u);  // floor(859.32)
  EXPECT_EQ(truncated_rank_quantile(first_numbers(7), 0.25), 1u);      // floor(1.75)
}

TEST(TruncatedRank, IsAtLeastTheFirst) {
  EXPECT_EQ(truncated_rank_quantile(Samples{42}, 0.5), 42u);
  EXPECT_EQ(truncated_rank_quantile(Samples{42, 43, 44}, 0.25), 42u);
  EXPECT_EQ(truncated_rank_quantile(Samples{42, 43}, 1.0), 43u);
}

TEST(TruncatedRank, OfNothingIsNothing) {
  EXPECT_EQ(truncated_rank_quantile(Samples{}, 0.5), std::nullopt);
}

// n = 8: Q1 is the 2nd (12), Q3 the 6th (20); IQR 8; kept from 0 to 32, both included.
TEST(IqrFences, KeepWhatLiesOnThem) {
  const Samples sorted = {0, 12, 14, 16, 18, 20, 32, 33};
  EXPECT_THAT(within_iqr_fences(sorted), ElementsAre(0, 12, 14, 16, 18, 20, 32));
}

// Q1 100, Q3 102, IQR 2: from 97 to 105.
TEST(IqrFences, DropOnBothSides) {
  const Samples sorted = {96, 100, 100, 101, 101, 102, 105, 106};
  EXPECT_THAT(within_iqr_fences(sorted), ElementsAre(100, 100, 101, 101, 102, 105));
}

TEST(IqrFences, BelowZeroDropNothing) {
  const Samples sorted = {0, 1, 50, 100};
  EXPECT_THAT(within_iqr_fences(sorted), SizeIs(4));
}

TEST(IqrFences, OfEqualSamplesKeepAll) {
  EXPECT_THAT(within_iqr_fences(Samples{5, 5, 5}), SizeIs(3));
  EXPECT_THAT(within_iqr_fences(Samples{}), IsEmpty());
}

TEST(TrialRows, AreRawAndFiltered) {
  // Sorted: 2 4 4 4 5 5 7 9, the textbook case of a population deviation of 2. Q1 4, Q3 5: kept
  // from 2.5 to 6.5.
  const auto rows = trial_rows(3, "caller", {9, 2, 4, 5, 4, 5, 4, 7});
  ASSERT_THAT(rows, SizeIs(2));
  const Trial& raw = rows[0];
  EXPECT_EQ(raw.trial, 3);
  EXPECT_EQ(raw.clock, "caller");
  EXPECT_EQ(raw.filter, "raw");
  EXPECT_EQ(raw.count, 8u);
  EXPECT_DOUBLE_EQ(raw.avg_ns, 5);
  EXPECT_DOUBLE_EQ(raw.stddev_ns, 2);
  EXPECT_EQ(raw.p50_ns, 4);  // the 4th
  EXPECT_EQ(raw.p99_ns, 7);  // the 7th of 8
  EXPECT_EQ(raw.min_ns, 2);
  EXPECT_EQ(raw.max_ns, 9);
  EXPECT_THAT(raw.samples_ns, ElementsAre(9, 2, 4, 5, 4, 5, 4, 7));
  const Trial& iqr = rows[1];
  EXPECT_EQ(iqr.filter, "iqr");
  EXPECT_EQ(iqr.count, 5u);  // 4 4 4 5 5
  EXPECT_DOUBLE_EQ(iqr.avg_ns, 4.4);
  EXPECT_NEAR(iqr.stddev_ns, 0.4898979, 1e-6);  // sqrt(0.24)
  EXPECT_EQ(iqr.p50_ns, 4);
  EXPECT_EQ(iqr.p99_ns, 5);
  EXPECT_THAT(iqr.samples_ns, IsEmpty());
}

TEST(TrialRows, OfNothingAreNone) { EXPECT_THAT(trial_rows(1, "caller", {}), IsEmpty()); }

// --- checks

Trial row(int trial, const char* clock, const char* filter, std::uint64_t count, double avg_ns) {
  return {.trial = trial, .clock = clock, .filter = filter, .count = count, .avg_ns = avg_ns};
}

TEST(TrialChecks, JustInsideTheLimitsPass) {
  // 90 and 110: mean 100, deviation 10. 80 of 100 kept.
  const auto checks =
      check_trials({row(1, "kernel", "raw", 100, 500), row(1, "kernel", "iqr", 80, 90),
                    row(2, "kernel", "raw", 100, 900), row(2, "kernel", "iqr", 90, 110)});
  ASSERT_THAT(checks, SizeIs(2));
  EXPECT_EQ(checks[0].check, "trial_stddev");
  EXPECT_EQ(checks[0].clock, "kernel");
  EXPECT_DOUBLE_EQ(checks[0].value_pct, 10);
  EXPECT_EQ(checks[0].limit_pct, 10);
  EXPECT_TRUE(checks[0].passed);
  EXPECT_EQ(checks[1].check, "iqr_kept");
  EXPECT_DOUBLE_EQ(checks[1].value_pct, 80);
  EXPECT_EQ(checks[1].limit_pct, 80);
  EXPECT_TRUE(checks[1].passed);
}

TEST(TrialChecks, JustOutsideTheLimitsFail) {
  const auto checks =
      check_trials({row(1, "kernel", "raw", 100, 1), row(1, "kernel", "iqr", 79, 89),
                    row(2, "kernel", "raw", 100, 1), row(2, "kernel", "iqr", 100, 111)});
  ASSERT_THAT(checks, SizeIs(2));
  EXPECT_FALSE(checks[0].passed);
  EXPECT_FALSE(checks[1].passed);
}

TEST(TrialChecks, OneTrialHasNoSpread) {
  const auto checks = check_trials(trial_rows(1, "caller", {1, 2, 3}));
  ASSERT_THAT(checks, SizeIs(1));
  EXPECT_EQ(checks[0].check, "iqr_kept");
}

TEST(TrialChecks, AreMadeByClock) {
  std::vector<Trial> trials;
  for (const int trial : {1, 2}) {
    for (const char* const clock : {"caller", "kernel"}) {
      for (Trial& made : trial_rows(trial, clock, {10, 11, 12, 13})) {
        trials.push_back(std::move(made));
      }
    }
  }
  EXPECT_THAT(check_trials(trials), SizeIs(4));
  EXPECT_THAT(check_trials({}), IsEmpty());
}

}  // namespace
}  // namespace bpfmark
