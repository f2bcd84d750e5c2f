// SPDX-License-Identifier: BSD-2-Clause
#include "harness/console_reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line);
  for (std::string cell; stream >> cell;) cells.push_back(cell);
  return cells;
}

Measurement measured(double raw_ns, double floor_ns, double net_ns, double half_width_ns) {
  Measurement m{.raw_ns = raw_ns,
                .floor_ns = floor_ns,
                .net_ns = net_ns,
                .net_interval = Interval{net_ns - half_width_ns, net_ns + half_width_ns},
                .verdict = Verdict::kResolved};
  m.loads.resize(8);
  return m;
}

TEST(Table, RowHoldsTimesIntervalNumberOfLoadsAndVerdict) {
  const std::string row = table_row("clock/read:ktime", measured(12.345, 2.1, 10.245, 0.5), "ns");
  EXPECT_THAT(cells_of(row), ElementsAre("clock/read:ktime", "12.35", "2.100", "10.24", "9.745",
                                         "..", "10.74", "8", "resolved"));
}

TEST(Table, OverheadStandsBelowTheRowWhereItWasAskedFor) {
  Measurement m = measured(300, 200, 100, 5);
  m.overhead = Overhead{
      .percent = 50, .percent_interval = Interval{48.5, 51.25}, .raw_interval = Interval{295, 310}};
  const auto lines = lines_of(table_row("a/b:c", m, "ns"));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[1], "    +50.0 % (48.50 .. 51.25); 300.0 ns in all (295.0 .. 310.0)");
  m.overhead = Overhead{.percent = -3};
  EXPECT_EQ(lines_of(table_row("a/b:c", m, "ns"))[1], "    -3.0 % (-); 300.0 ns in all (-)");
}

TEST(Table, RowOfAnEmulatedMachineHoldsCountsAndNoTime) {
  Measurement m = measured(12.345, 2.1, 10.245, 0.5);
  m.ops = 4096;
  m.batches = 16;
  EXPECT_THAT(cells_of(table_verified("clock/read:ktime", m)),
              ElementsAre("clock/read:ktime", "verified:", "4096", "operations,", "16", "batches"));
}

TEST(Table, FindingsAreNothingForMostCases) {
  EXPECT_EQ(table_findings(measured(12, 2, 10, 1), true), "");
}

TEST(Table, FindingsNameWhatWasLostWhoWasInTheWayAndWhatIsMissing) {
  Measurement m = measured(12, 2, 10, 1);
  m.findings.counters["lost"] = 0;
  EXPECT_EQ(table_findings(m, false), "");
  m.findings.counters["lost"] = 3;
  m.findings.foreign_programs.push_back(
      {.id = 7, .type = "raw_tp", .name = "watcher", .tag = "00ff", .attach = "sys_enter"});
  m.findings.add_missing(
      "cache_misses", {.kind = ErrorKind::kAbsent, .what = "ENOENT", .capability = "hw_counters"});
  m.findings.add_missing("counts", {.kind = ErrorKind::kAbsent, .what = "they are elsewhere"});
  EXPECT_THAT(lines_of(table_findings(m, false)),
              ElementsAre("    lost: 3 events",
                          "    also attached: raw_tp watcher (id 7, tag 00ff) at sys_enter",
                          "    without cache_misses: hw_counters is absent",
                          "    without counts: they are elsewhere"));
}

TEST(Table, HistogramsAreShownOnRequest) {
  Measurement m = measured(12, 2, 10, 1);
  for (const std::uint64_t value : {100u, 101u, 300u}) m.findings.histogram("caller").record(value);
  EXPECT_EQ(table_findings(m, false), "");
  const auto lines = lines_of(table_findings(m, true));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_EQ(lines[0], "    caller, ns: 3 samples");
  EXPECT_THAT(lines[1], StartsWith("    [64, 128) "));
  EXPECT_THAT(lines[3], StartsWith("    [256, 512) "));
}

TEST(Table, RowWithoutIntervalSaysSo) {
  Measurement m = measured(12, 2, 10, 0);
  m.net_interval.reset();
  m.verdict = Verdict::kNotResolved;
  m.loads.resize(1);
  EXPECT_THAT(cells_of(table_row("x", m, "ns")),
              ElementsAre("x", "12.00", "2.000", "10.00", "-", "1", "not", "resolved"));
}

TEST(Table, TimesAreInTheUnitOfTheHead) {
  EXPECT_THAT(table_head("us"), AllOf(HasSubstr("raw us"), HasSubstr("net us")));
  const Measurement m = measured(12345, 2000, 10300, 100);
  EXPECT_THAT(table_row("x", m, "us"), AllOf(HasSubstr("12.35"), HasSubstr("10.20 .. 10.40")));
}

TEST(Table, ColumnsStandUnderTheirHeads) {
  const auto head = lines_of(table_head("ns"));
  ASSERT_THAT(head, SizeIs(2));
  const std::string row = table_row("x", measured(1, 2, 3, 1), "ns");
  EXPECT_EQ(head[0].find("raw ns") + 6, row.find("1.000") + 5);
  EXPECT_EQ(head[0].find("verdict"), row.find("resolved"));
}

TEST(Table, ALongNameTakesALineOfItsOwn) {
  const std::string name =
      "map_lookup/type:lru_percpu_hash/access:hit/keys:sequential/entries:1048576/value:256";
  const auto lines = lines_of(table_row(name, measured(1, 2, 3, 1), "ns"));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0], name);
  EXPECT_THAT(lines[1], AllOf(StartsWith(" "), EndsWith("resolved")));
}

// From far below what a clock can tell to an hour.
constexpr std::array kSizes{0.0, 1e-9, 0.001, 1.0, 99.9999, 1234.5, 1e6, 9.9e6, 1e8, 1e9, 3.6e12};

TEST(Table, NoLineIsWiderThanTheTable) {
  const std::string name(kTableColumns, 'n');
  EXPECT_THAT(lines_of(table_head("ns")), Each(SizeIs(Le(kTableColumns))));
  for (const double size : kSizes) {
    for (const double net_ns : {size, -size}) {
      for (const Verdict verdict :
           {Verdict::kResolved, Verdict::kNotResolved, Verdict::kDisturbed}) {
        Measurement m = measured(size, size, net_ns, size / 3);
        m.loads.resize(9999);
        m.verdict = verdict;
        EXPECT_THAT(lines_of(table_row(name, m, "ns")), Each(SizeIs(Le(kTableColumns))));
        EXPECT_THAT(lines_of(table_row("short", m, "ns")), Each(SizeIs(Le(kTableColumns))));
        EXPECT_THAT(lines_of(table_aggregate("short", size, size, net_ns, false, "ns")),
                    Each(SizeIs(Le(kTableColumns))));
      }
    }
  }
}

TEST(Table, NumbersDoNotRunIntoEachOther) {
  for (const double size : kSizes) {
    const Measurement m = measured(size, size, -size, size / 3);
    EXPECT_THAT(cells_of(table_row("x", m, "ns")), SizeIs(9)) << table_row("x", m, "ns");
    EXPECT_THAT(cells_of(table_aggregate("x", size, size, -size, false, "ns")), SizeIs(4));
  }
}

// Where a net is close to nothing, its coefficient of variation has no bound.
TEST(Table, PercentagesDoNotRunIntoEachOther) {
  for (const double fraction : {0.0, 0.0123, 1.0, 9.99, 10.0, 123.0, 5000.0}) {
    const std::string row = table_aggregate("x_cv", fraction, fraction, -fraction, true, "ns");
    EXPECT_THAT(cells_of(row), SizeIs(7)) << row;
    EXPECT_THAT(lines_of(row), Each(SizeIs(Le(kTableColumns))));
  }
}

// The coefficient of variation of a net whose mean is 0.
TEST(Table, WhatIsNotANumberIsADash) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(cells_of(table_aggregate("x_cv", 0.1, 0.2, nan, true, "ns")),
              ElementsAre("x_cv", "10.00", "%", "20.00", "%", "-"));
}

TEST(Table, AnAggregateShowsTimesOrPercentages) {
  EXPECT_THAT(cells_of(table_aggregate("x_mean", 12, 2, 10, false, "ns")),
              ElementsAre("x_mean", "12.00", "2.000", "10.00"));
  EXPECT_THAT(cells_of(table_aggregate("x_cv", 0.0123, 0.5, 1.5, true, "ns")),
              ElementsAre("x_cv", "1.23", "%", "50.00", "%", "150", "%"));
  EXPECT_EQ(table_aggregate("x_cv", 0.0123, 0.5, 1.5, true, "us"),
            table_aggregate("x_cv", 0.0123, 0.5, 1.5, true, "ns"))
      << "a percentage has no unit";
}

TEST(Table, ASkipHasCauseAndRemedy) {
  const Error error{.kind = ErrorKind::kAbsent, .what = "no such map", .remedy = "Linux 5.9"};
  EXPECT_EQ(table_skip("a/b", error), "a/b\n    skipped: no such map (Linux 5.9)\n");
  EXPECT_EQ(table_skip("a/b", Error{.what = "no"}), "a/b\n    skipped: no\n");
}

TEST(Table, AFailureIsNotToBeOverlooked) {
  EXPECT_EQ(table_failure("a/b", Error{.what = "7 hits of 8"}), "a/b\n    FAILED: 7 hits of 8\n");
}

TEST(Table, LadderSaysWhatEachStepIsAboveTheLast) {
  const std::string ladder =
      table_ladder("echo_rtt/hook:*",
                   {{.value = "tcx", .net_ns = 1012.3},
                    {.value = "xdp", .net_ns = 1030, .above_ns = 18, .above_interval = {{12, 24}}},
                    {.value = "af_xdp", .net_ns = 1031, .above_ns = 1, .above_interval = {{-3, 4}}},
                    {.value = "socket", .net_ns = 4000, .above_ns = 2969}},
                   "us");
  const std::vector<std::string> lines = lines_of(ladder);
  ASSERT_THAT(lines, SizeIs(7));
  EXPECT_EQ(lines[1], "echo_rtt/hook:*");
  EXPECT_THAT(lines[2], HasSubstr("net us"));
  EXPECT_THAT(cells_of(lines[3]), ElementsAre("tcx", "1.012"));
  EXPECT_THAT(cells_of(lines[4]), ElementsAre("xdp", "1.030", "+0.018", "0.012", "..", "0.024"));
  EXPECT_THAT(cells_of(lines[5]),
              ElementsAre("af_xdp", "1.031", "not", "resolved", "-0.003", "..", "0.004"));
  EXPECT_THAT(cells_of(lines[6]), ElementsAre("socket", "4.000", "not", "resolved", "-"));
}

}  // namespace
}  // namespace bpfmark
