// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/track.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/judge/histories.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::vector<Metric> kNet = {{.name = "net_ns", .is_ns = true}};

std::vector<LevelChange> changes_of(const History& history,
                                    const std::vector<Metric>& metrics = kNet,
                                    const TrackRules& rules = {}) {
  const TrackAnalysis analysis = analyse_history(history, metrics, rules);
  return analysis.series.empty() ? std::vector<LevelChange>() : analysis.series.front().changes;
}

TEST(Track, NamesTheFirstRunTheSizeOfTheStepAndItsInterval) {
  const History history = history_of(series_of({{30, 100}, {12, 106}}, 0.01));
  const auto changes = changes_of(history);
  ASSERT_THAT(changes, SizeIs(1));
  const LevelChange& change = changes[0];
  EXPECT_EQ(change.run, 30u);
  EXPECT_EQ(change.row.change, Change::kRegression);
  EXPECT_NEAR(change.row.estimate, 1.06, 0.01);
  ASSERT_TRUE(change.row.interval);
  EXPECT_LT(change.row.interval->lo, change.row.estimate);
  EXPECT_GT(change.row.interval->hi, change.row.estimate);
  EXPECT_EQ(change.row.old_n, 30u);
  EXPECT_EQ(change.row.new_n, 12u);
  const std::string text = to_text(change, history);
  EXPECT_THAT(text, HasSubstr("regression from line 31 (run 30, commit c30)"));
  EXPECT_THAT(text, HasSubstr("n 30/12"));
}

TEST(Track, DirectionComesFromTheMetric) {
  const auto values = series_of({{30, 100}, {12, 106}}, 0.01);
  const auto rate = history_of(values, [](TrackedRun&, std::size_t) {}, "ops_per_s");
  const auto changes = changes_of(rate, {{.name = "ops_per_s", .higher_is_better = true}});
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].row.change, Change::kImprovement);
}

TEST(Track, OnlyWhatBeganAmongTheNewestRunsIsNews) {
  const History history = history_of(series_of({{30, 100}, {12, 106}}, 0.01));
  const TrackAnalysis late = analyse_history(history, kNet, {.newest = 11});
  const TrackAnalysis early = analyse_history(history, kNet, {.newest = 12});
  EXPECT_EQ(late.news(Change::kRegression), 0u);
  EXPECT_EQ(early.news(Change::kRegression), 1u);
  EXPECT_EQ(early.news(Change::kImprovement), 0u);
}

TEST(Track, AChangeOfTheEnvironmentIsABreakAndNoChange) {
  const auto newer_kernel = [](TrackedRun& run, std::size_t i) {
    if (i >= 30) run.environment["kernel.release"] = "6.19.0";
  };
  const auto values = series_of({{30, 100}, {30, 130}}, 0.01);
  const TrackAnalysis analysis = analyse_history(history_of(values, newer_kernel), kNet, {});
  EXPECT_THAT(analysis.series.front().changes, IsEmpty());
  ASSERT_THAT(analysis.breaks, SizeIs(1));
  EXPECT_EQ(analysis.breaks[0].run, 30u);
  ASSERT_THAT(analysis.breaks[0].differences, SizeIs(1));
  EXPECT_EQ(to_text(analysis.breaks[0].differences[0]),
            "kernel.release differs: '6.18.0' | '6.19.0'");
  EXPECT_THAT(changes_of(history_of(values)), SizeIs(1));  // The same without the break.
}

TEST(Track, FindsChangesOnBothSidesOfABreak) {
  const auto values = series_of({{20, 100}, {20, 110}, {20, 140}, {20, 120}}, 0.01);
  const auto changes = changes_of(history_of(values, [](TrackedRun& run, std::size_t i) {
    if (i >= 40) run.environment["cpu.microcode"] = "0x2";
  }));
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_EQ(changes[0].run, 20u);
  EXPECT_EQ(changes[0].row.change, Change::kRegression);
  EXPECT_EQ(changes[1].run, 60u);
  EXPECT_EQ(changes[1].row.change, Change::kImprovement);
}

TEST(Track, RunsOfDifferentLabelsAreDifferentSeries) {
  std::vector<double> values;
  const auto noise = series_of({{80, 1}}, 0.01);
  for (std::size_t i = 0; i < 80; ++i) values.push_back(noise[i] * (i % 2 == 0 ? 100 : 150));
  const auto labelled = [](TrackedRun& run, std::size_t i) {
    run.label = i % 2 == 0 ? "plain" : "agent";
    if (i % 2 != 0) run.environment["kernel.command_line"] = "agent";
  };
  const TrackAnalysis analysis = analyse_history(history_of(values, labelled), kNet, {});
  ASSERT_THAT(analysis.series, SizeIs(2));
  EXPECT_THAT(analysis.series[0].changes, IsEmpty());
  EXPECT_THAT(analysis.series[1].changes, IsEmpty());
  EXPECT_THAT(analysis.breaks, IsEmpty());
}

TEST(Track, OutliersAreNoChangeWhereverTheyAre) {
  for (std::size_t place = 0; place < 60; ++place) {
    auto values = series_of({{60, 100}}, 0.01, place + 1);
    values[place] *= 2;
    EXPECT_THAT(changes_of(history_of(values)), IsEmpty()) << place;
    if (place > 0) values[place - 1] *= 1.5;
    EXPECT_THAT(changes_of(history_of(values)), IsEmpty()) << place;
  }
}

TEST(Track, StepsWithinTheNoiseFloorAreNoChange) {
  const auto values = series_of({{40, 10}, {40, 10.4}}, 0.002);
  EXPECT_THAT(changes_of(history_of(values)), IsEmpty());  // 0.4 ns
  EXPECT_THAT(changes_of(history_of(values), kNet, {.rules = {.floor_ns = 0.1}}), SizeIs(1));
  EXPECT_THAT(changes_of(history_of(values), kNet, {.rules = {.threshold = 0.05, .floor_ns = 0.1}}),
              IsEmpty());
}

TEST(Track, ValuesAroundZeroAreJudgedByTheirDifference) {
  auto values = series_of({{30, 1}, {30, 3}}, 0.1);
  for (double& value : values) value -= 1;
  const auto changes = changes_of(history_of(values));
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_FALSE(changes[0].row.as_ratio);
  EXPECT_NEAR(changes[0].row.estimate, 2, 0.2);
  EXPECT_THAT(to_text(changes[0], history_of(values)), HasSubstr(" ns (95 %: +"));
}

TEST(Track, ExactMetricsChangeAtOnce) {
  const auto none = [](TrackedRun&, std::size_t) {};
  const auto changes = changes_of(history_of({555, 555, 555, 560}, none, "jited_bytes"),
                                  {{.name = "jited_bytes", .exact = true}});
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].run, 3u);
  EXPECT_EQ(changes[0].row.change, Change::kRegression);
}

TEST(Track, SaysWhereRunsAreTooFewForAnAnswer) {
  const History history = history_of(series_of({{5, 100}}, 0.01));
  const TrackAnalysis analysis = analyse_history(history, kNet, {});
  EXPECT_TRUE(analysis.series.front().too_short);
  EXPECT_THAT(track_news(history, analysis), HasSubstr("1 of 1 series have too few runs"));
  const History longer = history_of(series_of({{6, 100}}, 0.01));
  EXPECT_THAT(track_news(longer, analyse_history(longer, kNet, {})), Not(HasSubstr("too few")));
}

TEST(Track, AnEmptyHistoryHasNothingToSay) {
  const History history{.path = "h.jsonl"};
  EXPECT_EQ(track_table(history, analyse_history(history, kNet, {})), "h.jsonl: 0 runs\n");
}

}  // namespace
}  // namespace bpfmark
