// SPDX-License-Identifier: BSD-2-Clause
#include "harness/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

namespace bpfmark {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Field;
using ::testing::Optional;

using Samples = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = std::numeric_limits<double>::max();

Samples one_to(std::size_t n) {
  Samples values(n);
  std::iota(values.begin(), values.end(), 1.0);
  return values;
}

// The same values out of order: a step that shares no factor with n visits each once.
Samples shuffled_one_to(std::size_t n, std::size_t step) {
  Samples values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<double>(i * step % n + 1);
  return values;
}

auto is_interval(double lo, double hi) {
  return Optional(AllOf(Field("lo", &Interval::lo, DoubleNear(lo, 1e-6)),
                        Field("hi", &Interval::hi, DoubleNear(hi, 1e-6))));
}

std::optional<double> lower_end(std::optional<Interval> interval) {
  if (!interval) return std::nullopt;
  return interval->lo;
}

struct Estimator {
  std::string name;
  std::optional<double> (*estimate)(Values);
  bool is_location;
};

const std::array kEstimators{
    Estimator{"Mean", mean, true},
    Estimator{"Median", median, true},
    Estimator{"SampleStddev", sample_stddev, false},
    Estimator{"Quantile", [](Values v) { return quantile(v, 0.3); }, true},
    Estimator{"OrderStatisticIntervalMedian",
              [](Values v) { return lower_end(order_statistic_interval_median(v)); }, true},
};

class EveryEstimator : public ::testing::TestWithParam<Estimator> {};

INSTANTIATE_TEST_SUITE_P(Statistics, EveryEstimator, ::testing::ValuesIn(kEstimators),
                         [](const auto& test) { return test.param.name; });

TEST_P(EveryEstimator, RefusesNoValues) { EXPECT_EQ(GetParam().estimate({}), std::nullopt); }

TEST_P(EveryEstimator, RefusesANanOrAnInfinityAnywhere) {
  for (const double bad : {kNan, kInfinity, -kInfinity}) {
    for (std::size_t i = 0; i < 8; ++i) {
      Samples values = one_to(8);
      values[i] = bad;
      EXPECT_EQ(GetParam().estimate(values), std::nullopt) << bad << " at " << i;
    }
  }
}

TEST_P(EveryEstimator, OfEqualValuesIsThatValueOrNoSpread) {
  const double expected = GetParam().is_location ? 7.25 : 0;
  EXPECT_THAT(GetParam().estimate(Samples(9, 7.25)), Optional(expected));
}

TEST_P(EveryEstimator, OfHugeValuesIsFiniteOrAbsent) {
  for (const Samples& values : {Samples(8, kLargest), Samples(8, -kLargest),
                                Samples{-kLargest, -kLargest, -kLargest, -kLargest, kLargest,
                                        kLargest, kLargest, kLargest}}) {
    const auto result = GetParam().estimate(values);
    EXPECT_TRUE(!result || std::isfinite(*result)) << *result;
  }
}

TEST_P(EveryEstimator, IgnoresTheOrder) {
  EXPECT_EQ(GetParam().estimate(shuffled_one_to(11, 4)), GetParam().estimate(one_to(11)));
}

TEST(Mean, IsTheSumOverTheCount) { EXPECT_THAT(mean(Samples{1, 2, 6}), Optional(3.0)); }

TEST(Mean, OfValuesWhoseSumOverflowsADoubleIsExact) {
  EXPECT_THAT(mean(Samples{kLargest, kLargest}), Optional(kLargest));
}

TEST(Median, OfAnOddCountIsTheMiddle) { EXPECT_THAT(median(Samples{9, 1, 5}), Optional(5.0)); }

TEST(Median, OfAnEvenCountIsTheMiddleOfTheTwo) {
  EXPECT_THAT(median(Samples{10, 1, 2, 4}), Optional(3.0));
}

TEST(Median, OfOneValueIsThatValue) { EXPECT_THAT(median(Samples{-4}), Optional(-4.0)); }

TEST(SampleStddev, DividesByOneLessThanTheCount) {
  EXPECT_THAT(sample_stddev(Samples{2, 4, 4, 4, 5, 5, 7, 9}),
              Optional(DoubleEq(std::sqrt(32. / 7))));
}

TEST(SampleStddev, OfOneValueIsAbsent) { EXPECT_EQ(sample_stddev(Samples{3}), std::nullopt); }

TEST(SampleStddev, KeepsASmallSpreadOnAHugeOffset) {
  EXPECT_THAT(sample_stddev(Samples{1e9 + 1, 1e9 + 2, 1e9 + 3}), Optional(DoubleEq(1)));
}

TEST(Quantile, InterpolatesBetweenNeighbours) {
  const Samples values{40, 10, 30, 20};  // Positions 0 to 3.
  EXPECT_THAT(quantile(values, 0.0), Optional(10.0));
  EXPECT_THAT(quantile(values, 0.25), Optional(DoubleEq(17.5)));
  EXPECT_THAT(quantile(values, 0.5), Optional(DoubleEq(25)));
  EXPECT_THAT(quantile(values, 0.9), Optional(DoubleEq(37)));
  EXPECT_THAT(quantile(values, 1.0), Optional(40.0));
}

TEST(Quantile, OfOneValueIsThatValueForEveryQ) {
  for (const double q : {0.0, 0.3, 1.0}) EXPECT_THAT(quantile(Samples{5}, q), Optional(5.0));
}

TEST(Quantile, RefusesAQOutsideZeroToOne) {
  for (const double q : {-0.01, 1.01, kNan}) EXPECT_EQ(quantile(one_to(3), q), std::nullopt) << q;
}

TEST(QuantileSorted, RefusesWhatIsNotSorted) {
  EXPECT_THAT(quantile_sorted(Samples{1, 2, 3}, 0.5), Optional(2.0));
  EXPECT_EQ(quantile_sorted(Samples{1, 3, 2}, 0.5), std::nullopt);
  EXPECT_EQ(quantile_sorted(Samples{1, 2, kNan}, 0.5), std::nullopt);
  EXPECT_EQ(quantile_sorted({}, 0.5), std::nullopt);
}

TEST(OrderStatisticInterval, BelowSixValuesIsAbsent) {
  EXPECT_EQ(order_statistic_interval_median(one_to(5)), std::nullopt);
}

TEST(OrderStatisticInterval, MatchesThePublishedRanks) {
  struct Row {
    std::size_t n;
    double rank;
  };
  // Conover, Practical Nonparametric Statistics, table A3; larger n by the exact binomial tail.
  for (const auto& [n, rank] : {Row{6, 1}, Row{8, 1}, Row{9, 2}, Row{10, 2}, Row{12, 3}, Row{15, 4},
                                Row{20, 6}, Row{25, 8}, Row{30, 10}, Row{100, 40}}) {
    EXPECT_THAT(order_statistic_interval_median(one_to(n)),
                is_interval(rank, static_cast<double>(n) + 1 - rank))
        << n;
  }
}

TEST(OrderStatisticInterval, OfManyValuesFollowsTheNormalApproximation) {
  const auto interval = order_statistic_interval_median(one_to(100000));
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->lo, 50000 - 1.96 * std::sqrt(100000.0) / 2, 2);
  EXPECT_EQ(interval->lo + interval->hi, 100001);
}

}  // namespace
}  // namespace bpfmark
