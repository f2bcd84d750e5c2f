// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/change_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/judge/histories.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Samples = std::vector<double>;

// As `bench track` has them for 100 series: 0.05 / (100 * 50).
constexpr ChangePointRules kRules{.max_p = 1e-5};

std::vector<std::size_t> places(const Samples& series, const ChangePointRules& rules = kRules) {
  std::vector<std::size_t> found;
  const auto points = find_change_points(series, rules);
  EXPECT_TRUE(points);
  for (const ChangePoint& point : points.value_or(std::vector<ChangePoint>())) {
    EXPECT_LT(point.first, point.index);
    EXPECT_LT(point.index, point.end);
    found.push_back(point.index);
  }
  return found;
}

TEST(ChangePoints, FindsAStepWhereItIs) {
  EXPECT_THAT(places(series_of({{30, 100}, {30, 105}}, 0.01)), ElementsAre(30));
  EXPECT_THAT(places(series_of({{30, 105}, {30, 100}}, 0.01)), ElementsAre(30));
}

TEST(ChangePoints, FindsAStepFarIntoALongSeries) {
  EXPECT_THAT(places(series_of({{997, 100}, {500, 110}}, 0.01)), ElementsAre(997));
}

TEST(ChangePoints, FindsAStepThatIsOnlyThreeRunsOld) {
  EXPECT_THAT(places(series_of({{60, 100}, {3, 106}}, 0.01)), ElementsAre(60));
}

TEST(ChangePoints, FindsTwoStepsAlsoOnesThatCancel) {
  EXPECT_THAT(places(series_of({{20, 100}, {20, 105}, {20, 110}}, 0.01)), ElementsAre(20, 40));
  EXPECT_THAT(places(series_of({{20, 100}, {6, 106}, {20, 100}}, 0.01)), ElementsAre(20, 26));
}

TEST(ChangePoints, TakesAnOutlierForNoChange) {
  for (const std::size_t place : {5, 30, 54, 59}) {
    Samples series = series_of({{60, 100}}, 0.01);
    series[place] = 200;
    EXPECT_THAT(places(series), IsEmpty()) << place;
  }
}

TEST(ChangePoints, ARampIsStepsInOneDirection) {
  Samples series = series_of({{120, 100}}, 0.005);
  for (std::size_t i = 0; i < series.size(); ++i) series[i] += 0.25 * static_cast<double>(i);
  const auto points = find_change_points(series, {.max_p = 1e-5, .relative_step = 0.02});
  ASSERT_TRUE(points);
  ASSERT_GE(points->size(), 2u);
  for (const ChangePoint& point : *points) {
    EXPECT_GT(series[point.end - 1], series[point.first]) << point.index;
  }
}

TEST(ChangePoints, AConstantSeriesHasNone) {
  EXPECT_THAT(places(Samples(100, 28.45)), IsEmpty());
  EXPECT_THAT(places(Samples(100, 0)), IsEmpty());
}

TEST(ChangePoints, AStepWithoutNoiseIsCertain) {
  EXPECT_THAT(places(series_of({{5, 100}, {5, 101}}, 0)), ElementsAre(5));
}

TEST(ChangePoints, WeakCandidatesOfTheFirstPassAreTakenBack) {
  const Samples series = series_of({{997, 100}, {500, 110}}, 0.01);
  EXPECT_GT(places(series, {.max_p = 0.02}).size(), 1u);
  EXPECT_THAT(places(series, {.max_p = 1e-5, .weak_p = 0.02}), ElementsAre(997));
}

TEST(ChangePoints, TooFewRunsHaveNone) {
  EXPECT_THAT(places({}), IsEmpty());
  EXPECT_THAT(places({1}), IsEmpty());
  EXPECT_THAT(places({1, 1, 1, 2, 2}), IsEmpty());
  EXPECT_THAT(places({1, 1, 1, 2, 2, 2}), ElementsAre(3));
}

TEST(ChangePoints, StepsBelowTheNoiseFloorAreNone) {
  const Samples series = series_of({{50, 100}, {50, 103}}, 0.005);
  EXPECT_THAT(places(series, {.max_p = 1e-5, .relative_step = 0.02}), ElementsAre(50));
  EXPECT_THAT(places(series, {.max_p = 1e-5, .relative_step = 0.04}), IsEmpty());
  EXPECT_THAT(places(series, {.max_p = 1e-5, .absolute_step = 4}), IsEmpty());
}

TEST(ChangePoints, ComparesAtMostAWindowWithAWindow) {
  const auto points = find_change_points(series_of({{200, 100}, {100, 110}}, 0.01), kRules);
  ASSERT_TRUE(points);
  ASSERT_EQ(points->size(), 1u);
  EXPECT_EQ(points->front().first, 150u);
  EXPECT_EQ(points->front().end, 250u);
}

TEST(ChangePoints, GivesTheSameEveryTimeAndAtAnyScale) {
  const Samples series = series_of({{40, 100}, {20, 104}, {60, 99}}, 0.01);
  Samples scaled;
  for (const double value : series) scaled.push_back(value * 0x1p-900);
  EXPECT_EQ(places(series), places(series));
  EXPECT_EQ(places(series), places(scaled));
}

TEST(ChangePoints, RefusesWhatIsNotFinite) {
  Samples series(20, 1);
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    series[7] = value;
    EXPECT_FALSE(find_change_points(series, {}));
    EXPECT_FALSE(find_exact_changes(series, 50));
  }
}

TEST(ChangePoints, AnExactSeriesChangesWhereverItDiffers) {
  const auto points = find_exact_changes(Samples{555, 555, 560, 560, 555}, 50);
  ASSERT_TRUE(points);
  ASSERT_EQ(points->size(), 2u);
  EXPECT_EQ((*points)[0].index, 2u);
  EXPECT_EQ((*points)[1].index, 4u);
  EXPECT_THAT(find_exact_changes(Samples{555, 555}, 50), ::testing::Optional(IsEmpty()));
}

// Of normal noise. The seeds are fixed, so this cannot fail by chance.
TEST(ChangePoints, FalseAlarmsOf100SeriesStayBelowOneInTwenty) {
  constexpr int kChecks = 40, kSeries = 100;
  int false_alarms = 0;
  for (int check = 0; check < kChecks; ++check) {
    bool alarm = false;
    for (int i = 0; i < kSeries; ++i) {
      const auto seed = static_cast<std::uint64_t>(check * kSeries + i + 1);
      alarm |= !places(series_of({{100, 100}}, 0.01, seed)).empty();
    }
    false_alarms += alarm;
  }
  EXPECT_LE(false_alarms, kChecks / 20);
}

// ... and what they find: six runs that are 5 % slower, of a noise of 1 %.
TEST(ChangePoints, FindsFivePercentInNearlyEverySeries) {
  constexpr int kTrials = 200;
  int found = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto seed = static_cast<std::uint64_t>(trial + 1);
    const auto at = places(series_of({{60, 100}, {6, 105}}, 0.01, seed));
    found += at.size() == 1 && at[0] >= 59 && at[0] <= 61;
  }
  EXPECT_GE(found, kTrials * 95 / 100);
}

}  // namespace
}  // namespace bpfmark
