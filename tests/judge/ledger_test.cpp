// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "ci/judge/ledger_command.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Metrics around(double net_ns, double half_width_ns) {
  return {{"net_ns", net_ns},
          {"net_lo_ns", net_ns - half_width_ns},
          {"net_hi_ns", net_ns + half_width_ns}};
}

void add_composite(ordered_json& result, const std::string& name, const Metrics& metrics,
                   const std::vector<std::string>& parts) {
  ordered_json entry = entry_of(name, metrics);
  entry["parts"] = parts;
  result["benchmarks"].push_back(std::move(entry));
}

Result<Ledger> ledger_of(const ordered_json& result, const LedgerRules& rules = {}) {
  std::istringstream in(result.dump());
  const Result<Launch> launch =
      parse_launch(in, "run.json", {"net_ns", "net_lo_ns", "net_hi_ns"}, true);
  if (!launch) return std::unexpected(launch.error());
  return make_ledger(*launch, rules);
}

// --- arithmetic

TEST(Ledger, CostsAddUpAndTheirErrorsInSquares) {
  const Cost sum = cost_in_sequence(
      {{.ns = 10, .interval = Interval{7, 14}}, {.ns = 20, .interval = Interval{16, 23}}});
  EXPECT_DOUBLE_EQ(sum.ns, 30);
  ASSERT_TRUE(sum.interval);
  EXPECT_DOUBLE_EQ(sum.interval->lo, 25);  // 3 and 4 below
  EXPECT_DOUBLE_EQ(sum.interval->hi, 35);  // 4 and 3 above
}

TEST(Ledger, OnePartWithoutAnIntervalLeavesTheSumWithoutOne) {
  EXPECT_FALSE(cost_in_sequence({{.ns = 10, .interval = Interval{7, 14}}, {.ns = 20}}).interval);
}

TEST(Ledger, ADifferenceSwapsTheEndsOfWhatIsTakenAway) {
  const Cost difference = cost_difference({.ns = 30, .interval = Interval{30, 30}},
                                          {.ns = 20, .interval = Interval{19, 24}});
  EXPECT_DOUBLE_EQ(difference.ns, 10);
  ASSERT_TRUE(difference.interval);
  EXPECT_DOUBLE_EQ(difference.interval->lo, 6);
  EXPECT_DOUBLE_EQ(difference.interval->hi, 11);
}

// --- verdicts

struct World {
  const char* what;
  double measured_ns, half_width_ns;
  LedgerVerdict verdict;
};

TEST(Ledger, JudgesAgainstTheLargerTolerance) {
  // The parts add up to 30 +- 1, or 300 +- 1.
  for (const World& world : {World{"equal", 30, 1, LedgerVerdict::kAgrees},
                             World{"within 3 ns", 32.9, 1, LedgerVerdict::kAgrees},
                             World{"cheaper, within 3 ns", 27.1, 1, LedgerVerdict::kAgrees},
                             World{"beyond", 40, 1, LedgerVerdict::kDiffers},
                             World{"cheaper, beyond", 20, 1, LedgerVerdict::kDiffers},
                             World{"beyond, but who knows", 40, 9, LedgerVerdict::kUndecided}}) {
    ordered_json result = result_of({{"a", around(10, 0.7)}, {"b", around(20, 0.7)}});
    add_composite(result, "both", around(world.measured_ns, world.half_width_ns), {"a", "b"});
    const Result<Ledger> ledger = ledger_of(result);
    ASSERT_THAT(ledger, IsOk());
    EXPECT_EQ(ledger->rows.at(0).verdict, world.verdict) << world.what;
  }
  ordered_json large = result_of({{"a", around(100, 0.7)}, {"b", around(200, 0.7)}});
  add_composite(large, "both", around(314, 1), {"a", "b"});
  EXPECT_EQ(ledger_of(large)->rows.at(0).verdict, LedgerVerdict::kAgrees) << "14 of 314 is 4.5 %";
  EXPECT_EQ(ledger_of(large, {.tolerance = 0.01})->rows.at(0).verdict, LedgerVerdict::kDiffers);
}

TEST(Ledger, APartMayStandTwice) {
  ordered_json result = result_of({{"a", around(10, 1)}});
  add_composite(result, "twice", around(20, 1), {"a", "a"});
  EXPECT_DOUBLE_EQ(ledger_of(result)->rows.at(0).predicted->ns, 20);
}

TEST(Ledger, AMissingPartIsNamedAndNotJudged) {
  ordered_json result = result_of({{"a", around(10, 1)}});
  add_composite(result, "whole", around(20, 1), {"a", "a"});
  add_composite(result, "broken", around(20, 1), {"a", "gone", "lost"});
  const Result<Ledger> ledger = ledger_of(result);
  ASSERT_THAT(ledger, IsOk());
  EXPECT_EQ(ledger->judged(), 1u);
  EXPECT_EQ(ledger->rows.at(1).verdict, LedgerVerdict::kPartMissing);
  EXPECT_EQ(ledger->rows.at(1).missing, "gone");
  EXPECT_THAT(render(*ledger, LedgerFormat::kTable), HasSubstr("part missing: gone"));
}

TEST(Ledger, BalancesOnlyIfEnoughAgree) {
  ordered_json result = result_of({{"a", around(10, 0.1)}});
  for (int i = 0; i < 9; ++i) {
    add_composite(result, "good" + std::to_string(i), around(20, 0.1), {"a", "a"});
  }
  add_composite(result, "bad", around(40, 0.1), {"a", "a"});
  EXPECT_TRUE(ledger_of(result)->balances()) << "9 of 10";
  add_composite(result, "worse", around(50, 0.1), {"a", "a"});
  EXPECT_FALSE(ledger_of(result)->balances()) << "9 of 11";
}

TEST(Ledger, NothingToJudgeIsAnError) {
  EXPECT_THAT(ledger_of(result_of({{"a", around(10, 1)}})).error().what,
              HasSubstr("there is no composite"));
  ordered_json result = empty_result();
  add_composite(result, "broken", around(20, 1), {"gone"});
  EXPECT_THAT(ledger_of(result).error().what, HasSubstr("lacks gone"));
}

TEST(Ledger, PartsThatAreNoNamesAreRefused) {
  ordered_json result = result_of({{"a", around(10, 1)}});
  result["benchmarks"][0]["parts"] = {1, 2};
  EXPECT_THAT(ledger_of(result).error().what, HasSubstr("benchmarks[0].parts[0]: expected a name"));
}

// --- the command

TEST(LedgerCommand, ExitStatusSaysWhetherItBalances) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "run.json").string();
  const auto run = [&path](const ordered_json& result, LedgerFormat format, std::string& text) {
    write_text(path, result.dump());
    std::ostringstream out, err;
    const int status = run_ledger({.input = path, .format = format}, out, err);
    text = out.str() + err.str();
    return status;
  };
  std::string text;
  ordered_json result = result_of({{"a", around(10, 0.1)}});
  EXPECT_EQ(run(result, LedgerFormat::kTable, text), 2);
  EXPECT_THAT(text, HasSubstr("bench ledger: "));
  add_composite(result, "x", around(20, 0.1), {"a", "a"});
  EXPECT_EQ(run(result, LedgerFormat::kTable, text), 0);
  EXPECT_THAT(text, HasSubstr("1 composites: 1 agree within max(3 ns, 5 %)"));
  for (const auto& [field, value] : around(60, 0.1)) result["benchmarks"][1][field] = value;
  EXPECT_EQ(run(result, LedgerFormat::kMarkdown, text), 1);
  EXPECT_THAT(text, HasSubstr("| x | 20"));
  EXPECT_EQ(run(result, LedgerFormat::kJson, text), 1);
  const ordered_json document = ordered_json::parse(text);
  EXPECT_EQ(document["rows"][0]["verdict"], "differs");
  EXPECT_EQ(document["balances"], false);
  EXPECT_EQ(document["rows"][0]["parts"], (ordered_json{"a", "a"}));
  result["context"]["bpfmark"]["dry_run"] = true;
  EXPECT_EQ(run(result, LedgerFormat::kTable, text), 2);
  EXPECT_THAT(text, HasSubstr("--force"));
}

}  // namespace
}  // namespace bpfmark
