// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/significance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Optional;

using Samples = std::vector<double>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = std::numeric_limits<double>::max();

struct MannWhitneyFixture {
  std::string oracle;
  Samples old_values, new_values;
  double u, p;
};

struct BootstrapFixture {
  Samples old_values, new_values;
  Interval ratio, difference;
};

struct NormalQuantileFixture {
  double q, z;
};

struct DetectableFixture {
  Samples old_values, new_values;
  double noise_floor, alpha, shift;
};

struct TTestFixture {
  Samples left, right;
  double p;
};

#include "tests/judge/significance_fixtures.inc"

const std::vector<Samples> kRefused = {{}, {kNan, 1, 2}, {1, kInfinity}, {1, 2, -kInfinity}};

auto is_near(Interval expected, double tolerance) {
  return Optional(AllOf(Field("lo", &Interval::lo, DoubleNear(expected.lo, tolerance)),
                        Field("hi", &Interval::hi, DoubleNear(expected.hi, tolerance))));
}

TEST(MannWhitney, AgreesWithScipyWithAndWithoutTiesExactlyAndApproximately) {
  MannWhitney mann_whitney;
  for (const MannWhitneyFixture& fixture : kMannWhitneyFixtures) {
    SCOPED_TRACE(fixture.oracle + ", " + ::testing::PrintToString(fixture.old_values) + ", " +
                 ::testing::PrintToString(fixture.new_values));
    const auto result = mann_whitney.test(fixture.old_values, fixture.new_values);
    ASSERT_TRUE(result);
    EXPECT_DOUBLE_EQ(result->u, fixture.u);
    EXPECT_NEAR(result->p, fixture.p, 1e-10 * fixture.p);
  }
}

TEST(MannWhitney, IsTheSameWithTheSidesExchanged) {
  for (const MannWhitneyFixture& fixture : kMannWhitneyFixtures) {
    const auto forth = MannWhitney().test(fixture.old_values, fixture.new_values);
    const auto back = MannWhitney().test(fixture.new_values, fixture.old_values);
    ASSERT_TRUE(forth && back);
    EXPECT_NEAR(forth->p, back->p, 1e-12);
    EXPECT_NEAR(forth->cliffs_delta, -back->cliffs_delta, 1e-12);
  }
}

TEST(MannWhitney, CountsPairsInWhichTheNewValueIsLargerAndTiesAsHalf) {
  // 2 > 1; 2 = 2; 2 < 3; 5 > all three.
  const auto result = MannWhitney().test(Samples{1, 2, 3}, Samples{2, 5});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->u, 4.5);
  EXPECT_DOUBLE_EQ(result->cliffs_delta, 4.5 / 6 * 2 - 1);
}

TEST(MannWhitney, OfSamplesThatDoNotOverlapHasTheSmallestPossibleP) {
  for (const std::size_t n_old : {1u, 4u, 10u, 20u}) {
    for (const std::size_t n_new : {1u, 5u, 20u}) {
      Samples low(n_old), high(n_new);
      std::generate(low.begin(), low.end(), [i = 0.0]() mutable { return i += 1; });
      std::generate(high.begin(), high.end(), [i = 100.0]() mutable { return i += 1; });
      const auto result = MannWhitney().test(low, high);
      ASSERT_TRUE(result);
      EXPECT_NEAR(result->p, smallest_p(n_old, n_new), 1e-12 * result->p);
      EXPECT_EQ(result->cliffs_delta, 1);
    }
  }
}

TEST(MannWhitney, OfEqualValuesSeesNothing) {
  for (const std::size_t n : {1u, 4u, 20u, 30u}) {
    const auto result = MannWhitney().test(Samples(n, 7), Samples(n, 7));
    ASSERT_TRUE(result);
    EXPECT_EQ(result->p, 1) << n;
    EXPECT_EQ(result->cliffs_delta, 0) << n;
  }
}

TEST(MannWhitney, RefusesNoValuesAndWhatIsNotFinite) {
  for (const Samples& bad : kRefused) {
    EXPECT_FALSE(MannWhitney().test(bad, Samples{1, 2}));
    EXPECT_FALSE(MannWhitney().test(Samples{1, 2}, bad));
  }
}

TEST(HolmAdjusted, MultipliesByTheHypothesesLeftAndNeverFalls) {
  // Sorted: 0.01 * 4, 0.02 * 3, max(0.06, 0.025 * 2), 0.9 * 1.
  EXPECT_THAT(holm_adjusted(Samples{0.02, 0.9, 0.01, 0.025}),
              Optional(ElementsAre(DoubleNear(0.06, 1e-15), DoubleNear(0.9, 1e-15),
                                   DoubleNear(0.04, 1e-15), DoubleNear(0.06, 1e-15))));
}

TEST(HolmAdjusted, StopsAtOne) {
  EXPECT_THAT(holm_adjusted(Samples{0.6, 0.7}), Optional(ElementsAre(1, 1)));
}

TEST(HolmAdjusted, OfOneIsThatOneAndOfNoneIsNone) {
  EXPECT_THAT(holm_adjusted(Samples{0.03}), Optional(ElementsAre(0.03)));
  EXPECT_THAT(holm_adjusted({}), Optional(ElementsAre()));
}

TEST(HolmAdjusted, RefusesWhatIsNoProbability) {
  for (const double bad : {kNan, -0.1, 1.1, kInfinity}) {
    EXPECT_EQ(holm_adjusted(Samples{0.5, bad}), std::nullopt) << bad;
  }
}

TEST(CliffsDeltaClass, ChangesAtThePublishedBounds) {
  EXPECT_STREQ(cliffs_delta_class(0), "negligible");
  EXPECT_STREQ(cliffs_delta_class(-0.146), "negligible");
  EXPECT_STREQ(cliffs_delta_class(0.147), "small");
  EXPECT_STREQ(cliffs_delta_class(-0.33), "medium");
  EXPECT_STREQ(cliffs_delta_class(0.474), "large");
  EXPECT_STREQ(cliffs_delta_class(-1), "large");
}

TEST(MedianBootstrap, AgreesWithScipy) {
  MedianBootstrap bootstrap;
  for (const BootstrapFixture& fixture : kBootstrapFixtures) {
    SCOPED_TRACE(fixture.old_values.size());
    // Both draw at random; an end may move to a neighbouring value that occurs.
    constexpr double kOfTheWidth = 0.06;
    EXPECT_THAT(bootstrap.ratio(fixture.old_values, fixture.new_values),
                is_near(fixture.ratio, kOfTheWidth * (fixture.ratio.hi - fixture.ratio.lo)));
    EXPECT_THAT(
        bootstrap.difference(fixture.old_values, fixture.new_values),
        is_near(fixture.difference, kOfTheWidth * (fixture.difference.hi - fixture.difference.lo)));
  }
}

TEST(MedianBootstrap, OfOneValueASideIsThatRatioAndDifference) {
  EXPECT_THAT(MedianBootstrap().ratio(Samples{4}, Samples{5}), is_near({1.25, 1.25}, 1e-9));
  EXPECT_THAT(MedianBootstrap().difference(Samples{4}, Samples{5}), is_near({1, 1}, 1e-9));
}

TEST(MedianBootstrap, OfEqualValuesHasNoWidth) {
  EXPECT_THAT(MedianBootstrap().ratio(Samples(10, 3), Samples(10, 3)), is_near({1, 1}, 0));
  EXPECT_THAT(MedianBootstrap().difference(Samples(10, 3), Samples(10, 3)), is_near({0, 0}, 0));
}

TEST(MedianBootstrap, OfTwoValuesReachesFromOneToTheOther) {
  // A quarter of the resamples is {1, 1}, a quarter {2, 2}: far more than 2.5 %.
  EXPECT_THAT(MedianBootstrap().ratio(Samples{1}, Samples{1, 2}), is_near({1, 2}, 1e-9));
}

// Only the generator of the C++ standard and basic arithmetic are used, so these hold everywhere.
TEST(MedianBootstrap, GivesTheSameNumbersOnEveryMachineAndInEveryOrder) {
  const Samples old_values = {10.1, 10.4, 9.8, 10.0, 10.2, 9.9, 10.3, 10.6, 9.7, 10.5};
  const Samples new_values = {11.0, 11.3, 10.9, 11.6, 11.1, 10.8, 11.2, 11.5, 11.4, 11.7};
  const Interval expected{10.95 / 10.25, 11.55 / 10.05};
  MedianBootstrap bootstrap;
  EXPECT_THAT(bootstrap.ratio(old_values, new_values), is_near(expected, 1e-11));
  EXPECT_THAT(bootstrap.difference(new_values, Samples{1, 2}), Optional(testing::_));
  EXPECT_THAT(bootstrap.ratio(old_values, new_values), is_near(expected, 1e-11));
  EXPECT_THAT(bootstrap.ratio(Samples(old_values.rbegin(), old_values.rend()), new_values),
              is_near(expected, 1e-11));
}

TEST(MedianBootstrap, FormsNoRatioWithZeroOrLess) {
  for (const double bad : {0.0, -1.0}) {
    EXPECT_EQ(MedianBootstrap().ratio(Samples{1, bad, 3}, Samples{1, 2}).has_value(), false);
    EXPECT_EQ(MedianBootstrap().ratio(Samples{1, 2}, Samples{bad, 2, 3}).has_value(), false);
  }
  EXPECT_THAT(MedianBootstrap().difference(Samples{-1}, Samples{2}), is_near({3, 3}, 1e-9));
}

TEST(MedianBootstrap, EndsForTheSmallestAndLargestNumbers) {
  const Samples smallest = {std::numeric_limits<double>::denorm_min(), 1};
  const Samples largest = {-kLargest, kLargest};
  EXPECT_FALSE(MedianBootstrap().ratio(smallest, Samples{kLargest}));
  EXPECT_FALSE(MedianBootstrap().difference(largest, largest));
  const auto ratio = MedianBootstrap().ratio(Samples{kLargest}, smallest);
  ASSERT_TRUE(ratio);
  EXPECT_TRUE(std::isfinite(ratio->lo) && std::isfinite(ratio->hi));
}

TEST(MedianBootstrap, RefusesNoValuesAndWhatIsNotFinite) {
  for (const Samples& bad : kRefused) {
    EXPECT_FALSE(MedianBootstrap().ratio(bad, Samples{1, 2}));
    EXPECT_FALSE(MedianBootstrap().ratio(Samples{1, 2}, bad));
    EXPECT_FALSE(MedianBootstrap().difference(bad, Samples{1, 2}));
    EXPECT_FALSE(MedianBootstrap().difference(Samples{1, 2}, bad));
  }
}

TEST(NormalQuantile, AgreesWithScipy) {
  for (const auto& [q, z] : kNormalQuantileFixtures) {
    EXPECT_THAT(normal_quantile(q), Optional(DoubleNear(z, 1e-8))) << q;
  }
}

TEST(NormalQuantile, RefusesWhatHasNone) {
  for (const double bad : {0.0, 1.0, -0.5, 2.0, kNan}) {
    EXPECT_EQ(normal_quantile(bad), std::nullopt) << bad;
  }
}

TEST(MinimumDetectableShift, IsTheDocumentedFormula) {
  for (const DetectableFixture& f : kDetectableFixtures) {
    EXPECT_THAT(minimum_detectable_shift(f.old_values, f.new_values, f.noise_floor, f.alpha),
                Optional(DoubleNear(f.shift, 1e-8)));
  }
}

TEST(MinimumDetectableShift, WithoutNoiseIsTheNoiseFloor) {
  EXPECT_THAT(minimum_detectable_shift(Samples(5, 3), Samples(5, 3), 0.25, 0.05), Optional(0.25));
}

TEST(MinimumDetectableShift, RefusesWhatHasNoSpread) {
  EXPECT_FALSE(minimum_detectable_shift(Samples{1}, Samples{1, 2}, 0, 0.05));
  EXPECT_FALSE(minimum_detectable_shift(Samples{1, 2}, Samples{1}, 0, 0.05));
  for (const Samples& bad : kRefused) {
    EXPECT_FALSE(minimum_detectable_shift(bad, Samples{1, 2}, 0, 0.05));
  }
  for (const double alpha : {0.0, 1.0, -1.0, kNan}) {
    EXPECT_FALSE(minimum_detectable_shift(Samples{1, 2}, Samples{1, 2}, 0, alpha)) << alpha;
  }
}

TEST(SamplesNeeded, IsTheFirstSizeWhosePIsSmallEnough) {
  EXPECT_EQ(samples_needed(1, 0.05), 4u);    // 2 / 70 = 0.029
  EXPECT_EQ(samples_needed(2, 0.05), 5u);    // 2 * 2 / 252 = 0.016; with 4 it would be 0.057
  EXPECT_EQ(samples_needed(150, 0.05), 8u);  // 150 * 2 / 12870 = 0.023; with 7 it would be 0.087
  EXPECT_EQ(samples_needed(0, 0.05), 1u);
}

TEST(TTest, AgreesWithScipyWhicheverSideIsFirst) {
  for (const TTestFixture& fixture : kTTestFixtures) {
    SCOPED_TRACE(::testing::PrintToString(fixture.left));
    const auto p = t_test_p(fixture.left, fixture.right);
    ASSERT_TRUE(p);
    EXPECT_NEAR(*p, fixture.p, 1e-9 * fixture.p);
    EXPECT_NEAR(*t_test_p(fixture.right, fixture.left), fixture.p, 1e-9 * fixture.p);
  }
}

TEST(TTest, ConstantSamplesDifferWithCertaintyOrNotAtAll) {
  EXPECT_EQ(t_test_p(Samples{0.1, 0.1, 0.1}, Samples{0.1, 0.1}), 1);
  EXPECT_EQ(t_test_p(Samples{0.1, 0.1, 0.1}, Samples{0.2, 0.2}), 0);
  EXPECT_EQ(t_test_p(Samples{0, 0}, Samples{0, 0}), 1);
}

TEST(TTest, DoesNotOverflow) {
  EXPECT_NEAR(*t_test_p(Samples{1e300, 1.1e300, 1.2e300}, Samples{1.3e300, 1.4e300, 1.5e300}),
              *t_test_p(Samples{1, 1.1, 1.2}, Samples{1.3, 1.4, 1.5}), 1e-12);
}

TEST(TTest, RefusesWhatIsNoSample) {
  for (const Samples& refused : kRefused) {
    EXPECT_FALSE(t_test_p(refused, Samples{1, 2, 3}));
    EXPECT_FALSE(t_test_p(Samples{1, 2, 3}, refused));
  }
  EXPECT_FALSE(t_test_p(Samples{1}, Samples{2, 3}));
}

}  // namespace
}  // namespace bpfmark
