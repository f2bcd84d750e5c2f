// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Samples = std::vector<double>;

const Metric kNet = {.name = "net_ns", .is_ns = true};
const Metric kRate = {.name = "ops_per_s", .higher_is_better = true};
const Metric kBytes = {.name = "jited_bytes", .exact = true};

// The only row of a comparison of one benchmark.
Row row_of(const Samples& old_samples, const Samples& new_samples, const Metric& metric = kNet,
           const Rules& rules = {}) {
  const auto comparison =
      compare_results(side_of({{"x", old_samples}}, metric.name),
                      side_of({{"x", new_samples}}, metric.name), {metric}, rules, false);
  EXPECT_THAT(comparison, IsOk());
  EXPECT_THAT(comparison->rows, SizeIs(1));
  return comparison->rows.at(0);
}

// One benchmark among `others` that do not change: more rows, a harder test.
Row row_among(std::size_t others, const Samples& old_samples, const Samples& new_samples) {
  SamplesByName old_side = {{"x", old_samples}}, new_side = {{"x", new_samples}};
  for (std::size_t i = 0; i < others; ++i) {
    const std::string name = "other" + std::to_string(i);
    old_side.emplace_back(name, samples_around(50));
    new_side.emplace_back(name, samples_around(50));
  }
  const auto comparison = compare_results(side_of(old_side), side_of(new_side), {kNet}, {}, false);
  EXPECT_THAT(comparison, IsOk());
  return comparison->rows.at(0);
}

Comparison compared(const ResultSet& old_side, const ResultSet& new_side) {
  auto comparison = compare_results(old_side, new_side, {kNet}, {}, false);
  EXPECT_THAT(comparison, IsOk());
  return std::move(*comparison);
}

TEST(Judge, NeedsTheWholeIntervalBeyondTheFloorAndTheTest) {
  struct World {
    Interval change;
    double p;
    Change lower_is_better, higher_is_better;
  };
  constexpr double kFloor = 0.02, kAlpha = 0.05;
  for (const World& w : {
           World{{0.03, 0.05}, 0.01, Change::kRegression, Change::kImprovement},
           World{{0.03, 0.05}, 0.05, Change::kInconclusive, Change::kInconclusive},
           World{{0.02, 0.05}, 0.01, Change::kInconclusive, Change::kInconclusive},
           World{{-0.05, -0.03}, 0.01, Change::kImprovement, Change::kRegression},
           World{{-0.05, -0.03}, 0.05, Change::kInconclusive, Change::kInconclusive},
           World{{-0.05, -0.02}, 0.01, Change::kInconclusive, Change::kInconclusive},
           World{{-0.02, 0.02}, 1, Change::kSame, Change::kSame},
           World{{0.01, 0.02}, 0.001, Change::kSame, Change::kSame},
           World{{-0.021, 0.02}, 1, Change::kInconclusive, Change::kInconclusive},
           World{{-0.02, 0.021}, 1, Change::kInconclusive, Change::kInconclusive},
       }) {
    SCOPED_TRACE(std::to_string(w.change.lo) + " " + std::to_string(w.p));
    EXPECT_EQ(judge(w.change, kFloor, w.p, kAlpha, false), w.lower_is_better);
    EXPECT_EQ(judge(w.change, kFloor, w.p, kAlpha, true), w.higher_is_better);
  }
}

TEST(CompareResults, FindsARegressionAndItsMirrorImage) {
  const Row slower = row_of(samples_around(100), samples_around(110));
  EXPECT_EQ(slower.change, Change::kRegression);
  EXPECT_NEAR(slower.estimate, 1.1, 1e-9);
  ASSERT_TRUE(slower.interval && slower.p && slower.p_holm && slower.cliffs_delta);
  EXPECT_GT(slower.interval->lo, 1.09);
  EXPECT_LT(slower.interval->hi, 1.11);
  EXPECT_NEAR(*slower.p, 2.0 / 184756, 1e-12);
  EXPECT_EQ(*slower.cliffs_delta, 1);
  EXPECT_THAT(slower.reason, IsEmpty());
  EXPECT_EQ(row_of(samples_around(110), samples_around(100)).change, Change::kImprovement);
}

TEST(CompareResults, OfTheSameSamplesIsTheSame) {
  const Row row = row_of(samples_around(100), samples_around(100));
  EXPECT_EQ(row.change, Change::kSame);
  EXPECT_EQ(row.estimate, 1);
  EXPECT_EQ(row.detectable, std::nullopt);
}

TEST(CompareResults, OfOneRepeatedValueIsTheSame) {
  EXPECT_EQ(row_of(Samples(4, 7), Samples(4, 7)).change, Change::kSame);
}

TEST(CompareResults, CallsNothingAChangeThatIsWithinTheThreshold) {
  const Samples before = samples_around(100, 10, 0.001), after = samples_around(103, 10, 0.001);
  EXPECT_EQ(row_of(before, after).change, Change::kRegression);
  EXPECT_EQ(row_of(before, after, kNet, {.threshold = 0.05}).change, Change::kSame);
}

TEST(CompareResults, CallsNothingAChangeThatIsBelowTheAbsoluteFloor) {
  const Samples before = samples_around(2), after = samples_around(2.4);
  EXPECT_EQ(row_of(before, after).change, Change::kSame);
  EXPECT_NEAR(row_of(before, after).noise_floor, 0.25, 1e-9);
  EXPECT_EQ(row_of(before, after, kNet, {.floor_ns = 0.1}).change, Change::kRegression);
  // 0.4 ns is not 0.4 operations a second.
  EXPECT_EQ(row_of(before, after, kRate).change, Change::kImprovement);
}

TEST(CompareResults, TakesTheDirectionFromTheMetric) {
  EXPECT_EQ(row_of(samples_around(100), samples_around(110), kRate).change, Change::kImprovement);
  EXPECT_EQ(row_of(samples_around(110), samples_around(100), kRate).change, Change::kRegression);
}

TEST(CompareResults, IsInconclusiveWhereTheNoiseIsTooLargeAndSaysWhatWouldShow) {
  const Row row = row_of(samples_around(100, 10, 0.2), samples_around(104, 10, 0.2));
  EXPECT_EQ(row.change, Change::kInconclusive);
  ASSERT_TRUE(row.detectable);
  EXPECT_GT(*row.detectable, 0.1);
  EXPECT_THAT(row.reason, HasSubstr("noise floor"));
}

TEST(CompareResults, WouldIndeedFindWhatItCallsDetectable) {
  const Row noisy = row_of(samples_around(100, 10, 0.1), samples_around(101, 10, 0.1));
  ASSERT_TRUE(noisy.detectable);
  const double larger = 100 * (1 + 1.2 * *noisy.detectable);
  EXPECT_EQ(row_of(samples_around(100, 10, 0.1), samples_around(larger, 10, 0.1)).change,
            Change::kRegression);
}

TEST(CompareResults, NeedsFourLaunchesASideButShowsTheRatio) {
  for (const auto& [n_old, n_new, reason] : {std::tuple{1, 1, "1/1 launches; 4 a side needed"},
                                             std::tuple{3, 10, "3/10 launches; 4 a side needed"},
                                             std::tuple{10, 3, "10/3 launches; 4 a side needed"}}) {
    const Row row = row_of(samples_around(100, static_cast<std::size_t>(n_old), 0.001),
                           samples_around(200, static_cast<std::size_t>(n_new), 0.001));
    EXPECT_EQ(row.change, Change::kInconclusive);
    EXPECT_EQ(row.reason, reason);
    EXPECT_NEAR(row.estimate, 2, 1e-3);
    EXPECT_FALSE(row.interval || row.p || row.detectable);
  }
  EXPECT_EQ(row_of(samples_around(100, 4), samples_around(200, 4)).change, Change::kRegression);
}

TEST(CompareResults, CorrectsForTheNumberOfRows) {
  const Samples before = samples_around(100, 5), after = samples_around(120, 5);
  const Row alone = row_among(0, before, after);
  EXPECT_EQ(alone.change, Change::kRegression);
  EXPECT_NEAR(*alone.p_holm, 2.0 / 252, 1e-12);
  const Row among = row_among(9, before, after);
  EXPECT_NEAR(*among.p_holm, 10 * 2.0 / 252, 1e-12);
  EXPECT_EQ(among.change, Change::kInconclusive);
  EXPECT_EQ(among.reason, "5 launches cannot decide among 10 rows; 6 needed");
  EXPECT_EQ(row_among(9, samples_around(100, 6), samples_around(120, 6)).change,
            Change::kRegression);
}

TEST(CompareResults, JudgesDifferencesWhereAValueIsNotAboveZero) {
  const Samples unresolved = {-0.2, 0.1, -0.1, 0.3, 0.0, 0.2, -0.3, 0.1};
  const Samples shifted = {-0.1, 0.2, 0.0, 0.3, 0.1, 0.2, -0.2, 0.1};
  const Row same = row_of(unresolved, shifted);
  EXPECT_FALSE(same.as_ratio);
  EXPECT_EQ(same.change, Change::kSame);
  EXPECT_EQ(same.noise_floor, 0.5);
  const Row slower = row_of(unresolved, samples_around(20, 8));
  EXPECT_FALSE(slower.as_ratio);
  EXPECT_EQ(slower.change, Change::kRegression);
  EXPECT_NEAR(slower.estimate, 20 - 0.05, 1e-9);
  EXPECT_EQ(row_of(samples_around(20, 8), unresolved).change, Change::kImprovement);
}

TEST(CompareResults, ComparesExactMetricsExactlyEvenFromOneLaunch) {
  EXPECT_EQ(row_of({555}, {555}, kBytes).change, Change::kSame);
  EXPECT_EQ(row_of({555}, {556}, kBytes).change, Change::kRegression);
  EXPECT_EQ(row_of({555}, {554}, kBytes).change, Change::kImprovement);
  EXPECT_FALSE(row_of({555}, {556}, kBytes).p);
  const Row varying = row_of({555, 555}, {555, 600}, kBytes);
  EXPECT_EQ(varying.change, Change::kInconclusive);
  EXPECT_THAT(varying.reason, HasSubstr("differs between the launches of one side"));
}

TEST(CompareResults, ListsWhatOneSideLacks) {
  ResultSet old_side = side_of({{"both", {1}}, {"gone", {1}}, {"skipped", {1}}, {"broken", {1}}});
  ResultSet new_side = side_of({{"both", {1}}, {"added", {1}}});
  new_side.skips["skipped"] = "absent: no kprobes";
  new_side.failures["broken"] = "hits 3 of 4";
  const Comparison comparison = compared(old_side, new_side);
  EXPECT_THAT(comparison.rows, ElementsAre(Field(&Row::name, "both")));
  const auto is = [](const char* name, const char* side, const char* reason, bool failed) {
    return AllOf(Field(&MissingRow::name, name), Field(&MissingRow::side, side),
                 Field(&MissingRow::reason, reason), Field(&MissingRow::failed_in_new, failed));
  };
  EXPECT_THAT(comparison.missing,
              ElementsAre(is("gone", "NEW", "not in the result", false),
                          is("skipped", "NEW", "skipped: absent: no kprobes", false),
                          is("added", "OLD", "not in the result", false),
                          is("broken", "NEW", "failed: hits 3 of 4", true)));
  EXPECT_THAT(comparison.unmeasured, IsEmpty());
}

TEST(CompareResults, ListsWhatNeitherSideMeasuredOnce) {
  ResultSet old_side = side_of({{"x", {1}}}), new_side = old_side;
  old_side.skips["s"] = "unknown: first";
  new_side.skips["s"] = "absent: second";
  old_side.failures["f"] = "wrong";
  const Comparison comparison = compared(old_side, new_side);
  EXPECT_THAT(comparison.missing, IsEmpty());
  EXPECT_THAT(comparison.unmeasured, ElementsAre(Field(&Absence::reason, "skipped: absent: second"),
                                                 Field(&Absence::reason, "failed: wrong")));
}

TEST(CompareResults, ReportsAFailureInNewEvenBesideNumbersFromOtherLaunches) {
  ResultSet new_side = side_of({{"x", {1}}});
  new_side.failures["x"] = "hits 3 of 4";
  const Comparison comparison = compared(side_of({{"x", {1}}}), new_side);
  EXPECT_THAT(comparison.rows, SizeIs(1));
  EXPECT_THAT(comparison.missing, ElementsAre(Field(&MissingRow::failed_in_new, true)));
}

TEST(CompareResults, ListsAMetricThatOneSideLacks) {
  const auto comparison =
      compare_results(side_of({{"x", {1}}}, "p99_ns"), side_of({{"x", {1}}}), {kNet}, {}, false);
  ASSERT_THAT(comparison, IsOk());
  EXPECT_THAT(comparison->missing, ElementsAre(AllOf(Field(&MissingRow::name, "x [net_ns]"),
                                                     Field(&MissingRow::side, "OLD"))));
}

TEST(CompareResults, OfAMetricThatNobodyHasIsAnError) {
  ResultSet side = side_of({{"x", {1}}});
  side.metric_names = {"real_time", "net_ns"};
  EXPECT_THAT(compare_results(side, side, {{.name = "p99_ns"}}, {}, false),
              ErrorIs(ErrorKind::kWrongResult,
                      HasSubstr("no benchmark has p99_ns; its metrics are real_time, net_ns")));
}

TEST(CompareResults, RefusesIncomparableSidesUnlessForcedAndThenSaysSo) {
  ResultSet old_side = side_of({{"x", {1}}}), new_side = old_side;
  old_side.identity["cpu.model"] = "AMD EPYC";
  new_side.identity["cpu.model"] = "Intel Xeon";
  new_side.identity["build.commit"] = "decade";
  const auto complaint = HasSubstr("cpu.model differs: 'AMD EPYC' | 'Intel Xeon'");
  EXPECT_THAT(compare_results(old_side, new_side, {kNet}, {}, false),
              ErrorIs(ErrorKind::kWrongResult, complaint));
  const auto forced = compare_results(old_side, new_side, {kNet}, {}, true);
  ASSERT_THAT(forced, IsOk());
  EXPECT_THAT(forced->forced, ElementsAre(complaint));
  EXPECT_THAT(forced->notable, ElementsAre(Field(&Difference::field, "build.commit")));
}

TEST(CompareResults, CarriesOverWhatReadingForced) {
  ResultSet side = side_of({{"x", {1}}});
  side.forced = {"a dry run"};
  EXPECT_THAT(compared(side, side).forced, ElementsAre("a dry run", "a dry run"));
}

TEST(ExitStatus, FollowsTheWorstThatHappened) {
  const Samples fast = samples_around(100), slow = samples_around(110);
  const Samples noisy = samples_around(101, 10, 0.2);
  struct World {
    std::string what;
    SamplesByName old_side, new_side;
    int status, allowing_missing, strict;
  };
  for (const World& w : {
           World{"same", {{"x", fast}}, {{"x", fast}}, 0, 0, 0},
           World{"improvement", {{"x", slow}}, {{"x", fast}}, 0, 0, 0},
           World{"regression", {{"x", fast}}, {{"x", slow}}, 1, 1, 1},
           World{"inconclusive", {{"x", fast}}, {{"x", noisy}}, 0, 0, 3},
           World{"missing", {{"x", fast}, {"y", fast}}, {{"x", fast}}, 1, 0, 1},
           World{"added", {{"x", fast}}, {{"x", fast}, {"y", fast}}, 1, 0, 1},
           World{"regression, inconclusive",
                 {{"x", fast}, {"y", fast}},
                 {{"x", slow}, {"y", noisy}},
                 1,
                 1,
                 1},
       }) {
    const Comparison comparison = compared(side_of(w.old_side), side_of(w.new_side));
    EXPECT_EQ(exit_status(comparison, {}), w.status) << w.what;
    EXPECT_EQ(exit_status(comparison, {.allow_missing = true}), w.allowing_missing) << w.what;
    EXPECT_EQ(exit_status(comparison, {.strict = true}), w.strict) << w.what;
  }
}

TEST(ExitStatus, NeverExcusesAFailureInNew) {
  ResultSet new_side = side_of({{"x", {1}}});
  new_side.failures["y"] = "hits 3 of 4";
  const Comparison comparison = compared(side_of({{"x", {1}}}), new_side);
  EXPECT_EQ(exit_status(comparison, {.allow_missing = true}), 1);
}

TEST(CompareColumns, ComparesEveryValueWithTheFirstOfItsKind) {
  const ResultSet side = side_of({{"look/type:hash/hit", samples_around(100)},
                                  {"look/type:array/hit", samples_around(50)},
                                  {"look/type:lru/hit", samples_around(150)},
                                  {"look/type:array/miss", samples_around(10)},
                                  {"look/type:lru/miss", samples_around(10)},
                                  {"clock/read:tai", samples_around(5)}});
  const auto comparison = compare_columns(side, "type", {kNet}, {});
  ASSERT_THAT(comparison, IsOk());
  const auto is = [](const char* name, const char* old_label, const char* new_label,
                     double estimate, Change change) {
    return AllOf(Field(&Row::name, name), Field(&Row::old_label, old_label),
                 Field(&Row::new_label, new_label),
                 Field(&Row::estimate, DoubleNear(estimate, 1e-9)), Field(&Row::change, change));
  };
  EXPECT_THAT(comparison->rows,
              ElementsAre(is("look/type:*/hit", "hash", "array", 0.5, Change::kImprovement),
                          is("look/type:*/hit", "hash", "lru", 1.5, Change::kRegression),
                          is("look/type:*/miss", "array", "lru", 1, Change::kSame)));
  // What differs by design is no regression.
  EXPECT_EQ(exit_status(*comparison, {}), 0);
}

TEST(CompareColumns, OfAKeyThatNothingSharesIsAnError) {
  const ResultSet side = side_of({{"look/type:hash/hit", {1}}, {"look/type:array/miss", {1}}});
  EXPECT_THAT(compare_columns(side, "type", {kNet}, {}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("no two benchmarks differ in 'type'")));
  EXPECT_THAT(compare_columns(side, "typ", {kNet}, {}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("'typ'")));
}

TEST(MetricFrom, ReadsDirectionAndKindFromTheName) {
  struct Expected {
    std::string text, name;
    bool higher_is_better, exact, is_ns;
  };
  for (const Expected& e : {Expected{"net", "net_ns", false, false, true},
                            Expected{"net_ns", "net_ns", false, false, true},
                            Expected{"raw", "real_time", false, false, true},
                            Expected{"p99", "p99_ns", false, false, true},
                            Expected{"net_2n_ns", "net_2n_ns", false, false, true},
                            Expected{"ops_per_s", "ops_per_s", true, false, false},
                            Expected{"items_per_second", "items_per_second", true, false, false},
                            Expected{"drops", "drops", false, false, false},
                            Expected{"insns_xlated", "insns_xlated", false, true, false},
                            Expected{"jited_bytes", "jited_bytes", false, true, false}}) {
    const auto metric = metric_from(e.text);
    ASSERT_THAT(metric, IsOk()) << e.text;
    EXPECT_EQ(metric->name, e.name);
    EXPECT_EQ(metric->higher_is_better, e.higher_is_better) << e.text;
    EXPECT_EQ(metric->exact, e.exact) << e.text;
    EXPECT_EQ(metric->is_ns, e.is_ns) << e.text;
  }
}

TEST(MetricFrom, RefusesANameWithoutDirection) {
  for (const char* const text : {"ops", "samples", "", "ns", "iterations"}) {
    EXPECT_THAT(metric_from(text),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("whether less or more is better")))
        << text;
  }
}

}  // namespace
}  // namespace bpfmark
