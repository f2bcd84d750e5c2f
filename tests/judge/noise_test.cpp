// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>
#include <string>
#include <vector>

#include "ci/judge/compare.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

const Metric kNet = {.name = "net_ns", .is_ns = true};
const std::vector<Metric> kMetrics = {kNet};

// The row of "x" where OLD consists of `first` and `again`.
Row row_with(const std::vector<double>& first, const std::vector<double>& again,
             const std::vector<double>& new_samples, const NoiseHistory* history = nullptr,
             const Rules& rules = {}) {
  const ResultSet a = side_of({{"x", first}}), b = side_of({{"x", again}});
  const auto comparison =
      compare_results(pooled(a, b), side_of({{"x", new_samples}}), kMetrics, rules, false,
                      {.first = &a, .again = &b, .history = history});
  EXPECT_THAT(comparison, IsOk());
  return comparison->rows.at(0);
}

TEST(LargestChange, IsTheFartherEndOfTheInterval) {
  MedianBootstrap bootstrap;
  // Constant samples have an interval without width.
  EXPECT_THAT(largest_change(bootstrap, std::vector<double>{100.0, 100},
                             std::vector<double>{103.0, 103}, true),
              Optional(DoubleNear(0.03, 1e-9)));
  EXPECT_THAT(largest_change(bootstrap, std::vector<double>{100.0, 100},
                             std::vector<double>{97.0, 97}, true),
              Optional(DoubleNear(0.03, 1e-9)));
  EXPECT_THAT(
      largest_change(bootstrap, std::vector<double>{-1.0, -1}, std::vector<double>{2.0, 2}, false),
      Optional(DoubleNear(3, 1e-9)));
  EXPECT_EQ(largest_change(bootstrap, std::vector<double>{1.0}, std::vector<double>{1.0, 1}, true),
            std::nullopt);
  EXPECT_EQ(
      largest_change(bootstrap, std::vector<double>{-1.0, 1}, std::vector<double>{1.0, 1}, true),
      std::nullopt);
}

TEST(NoiseFloor, IsRaisedByWhatAAndItsRepetitionDifferIn) {
  const auto centre = samples_around(100), moved = samples_around(106);
  const Row quiet = row_with(centre, centre, samples_around(104));
  EXPECT_EQ(quiet.change, Change::kRegression);
  EXPECT_EQ(quiet.noise_source, "threshold");
  const Row noisy = row_with(centre, moved, samples_around(110));
  EXPECT_EQ(noisy.noise_source, "A/A'");
  EXPECT_GT(noisy.noise_floor, 0.06);
  EXPECT_THAT(noisy.noise_aa, Optional(noisy.noise_floor));
  EXPECT_NE(noisy.change, Change::kRegression);
}

TEST(NoiseFloor, IsRaisedByWhatEarlierRunsDifferedIn) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("noise.jsonl");
  ASSERT_THAT(append_noise(path, "here", {{"x", "net_ns", 8}}), IsOk());
  const auto history = NoiseHistory::read(path, "here");
  ASSERT_THAT(history, IsOk());
  const auto centre = samples_around(100);
  const Row row = row_with(centre, centre, samples_around(105), &*history);
  EXPECT_EQ(row.noise_source, "A/A' history");
  EXPECT_NEAR(row.noise_floor, 0.08, 1e-9);
  EXPECT_NE(row.change, Change::kRegression);
}

TEST(NoiseFloor, IsRaisedByTheResolutionOfTheClockOverABatch) {
  ResultSet old_side = side_of({{"x", samples_around(100)}});
  old_side.identity["user_clock_resolution_ns"] = "40.0";
  old_side.benchmarks[0].metrics["real_time"] = {100};
  old_side.benchmarks[0].metrics["batch_ns"] = {800};  // 8 operations: 5 ns each
  const auto comparison =
      compare_results(old_side, side_of({{"x", samples_around(104)}}), kMetrics, {}, false);
  ASSERT_THAT(comparison, IsOk());
  EXPECT_EQ(comparison->rows[0].noise_source, "clock resolution");
  EXPECT_NEAR(comparison->rows[0].noise_floor, 0.05, 1e-9);
  // A quantile is read off single events.
  EXPECT_THAT(clock_resolution_ns(old_side.identity, old_side.benchmarks[0], "p99_ns"),
              Optional(40.0));
  EXPECT_EQ(clock_resolution_ns({}, old_side.benchmarks[0], "net_ns"), std::nullopt);
}

TEST(NoiseHistory, AbsentFileIsEmptyAndOtherMachinesDoNotCount) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("noise.jsonl");
  const auto absent = NoiseHistory::read(path, "here");
  ASSERT_THAT(absent, IsOk());
  EXPECT_EQ(absent->runs(), 0u);
  ASSERT_THAT(append_noise(path, "here", {{"x", "net_ns", 1}}), IsOk());
  ASSERT_THAT(append_noise(path, "there", {{"x", "net_ns", 9}}), IsOk());
  ASSERT_THAT(append_noise(path, "here", {{"x", "net_ns", 2}, {"y", "net_ns", 3}}), IsOk());
  const auto history = NoiseHistory::read(path, "here");
  ASSERT_THAT(history, IsOk());
  EXPECT_EQ(history->runs(), 2u);
  EXPECT_EQ(history->largest("x", "net_ns"), 2);
  EXPECT_EQ(history->largest("y", "net_ns"), 3);
  EXPECT_EQ(history->largest("x", "p99_ns"), std::nullopt);
}

TEST(NoiseHistory, ForgetsWhatIsLongAgo) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("noise.jsonl");
  ASSERT_THAT(append_noise(path, "here", {{"x", "net_ns", 99}}), IsOk());
  for (std::size_t i = 0; i < kNoiseRuns; ++i) {
    ASSERT_THAT(append_noise(path, "here", {{"x", "net_ns", 1}}), IsOk());
  }
  const auto history = NoiseHistory::read(path, "here");
  ASSERT_THAT(history, IsOk());
  EXPECT_EQ(history->largest("x", "net_ns"), 1);
}

TEST(NoiseHistory, BrokenLineIsNamed) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("noise.jsonl");
  const std::string good = R"({"noise_schema":1,"machine":"here","rows":[["x","net_ns",1.5]]})";
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string(""),
        std::string(R"({"noise_schema":2,"machine":"here","rows":[]})"),
        std::string(R"({"noise_schema":1,"machine":"here","rows":[["x","net_ns",-1]]})"),
        std::string(R"({"noise_schema":1,"machine":7,"rows":[]})"),
        std::string(R"({"noise_schema":1,"machine":"here","rows":[["x",1]]})")}) {
    write_text(path, good + "\n" + bad + "\n");
    EXPECT_THAT(NoiseHistory::read(path, "here"),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr(path + ": line 2 ")))
        << bad;
  }
  write_text(path, good);  // without its newline: cut off
  EXPECT_THAT(NoiseHistory::read(path, "here"),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("line 1 ")));
}

TEST(NoiseHistory, FullDiskIsAnError) {
  const auto written = append_noise("/dev/full", "here", {{"x", "net_ns", 1}});
  ASSERT_FALSE(written.has_value());
  EXPECT_EQ(written.error().errnum, ENOSPC);
}

TEST(NoiseRecords, AreTheDifferencesOfTheMediansOfWhatBothHave) {
  const ResultSet first = side_of({{"x", {1, 2, 3}}, {"y", {1}}});
  const ResultSet again = side_of({{"x", {5, 5, 5}}, {"z", {1}}});
  const std::vector<NoiseRecord> records =
      noise_records(first, again, {kNet, {.name = "jited_bytes", .exact = true}});
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].name, "x");
  EXPECT_EQ(records[0].difference, 3);
}

TEST(Pooled, HoldsTheLaunchesOfBoth) {
  const ResultSet both = pooled(side_of({{"x", {1, 2}}}), side_of({{"y", {3}}, {"x", {4}}}));
  EXPECT_EQ(both.files.size(), 3u);
  ASSERT_NE(both.find("x"), nullptr);
  ASSERT_NE(both.find("y"), nullptr);
  EXPECT_EQ(both.find("x")->metrics.at("net_ns"), (std::vector<double>{1, 2, 4}));
}

}  // namespace
}  // namespace bpfmark
