// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/paper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "ci/judge/paper_command.h"
#include "tests/judge/results.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

const PublishedTable& table(const std::string& id) {
  return *std::ranges::find(published_tables(), id, &PublishedTable::id);
}

Launch launch_of(const ordered_json& result) {
  std::istringstream in(result.dump());
  return parse_launch(in, "run.json", {std::begin(kPaperMetrics), std::end(kPaperMetrics)}).value();
}

TEST(Paper, EveryRowNamesACaseOfTheProgram) {
  std::ifstream golden(BPFMARK_GOLDEN_DIRECTORY "/benchmark_names.txt");
  std::set<std::string> names;
  for (std::string line; std::getline(golden, line);) names.insert(line);
  for (const PublishedTable& t : published_tables()) {
    for (const PublishedRow& row : t.rows) EXPECT_TRUE(names.contains(row.name)) << row.name;
  }
}

TEST(Paper, RatiosAreToTheFirstRowOfEach) {
  const PublishedTable& t = table("table 3");
  ordered_json result =
      result_of({{t.rows[0].name, {{"net_ns", 1}}}, {t.rows[1].name, {{"net_ns", 9}}}});
  result["benchmarks"][0]["real_time"] = 10;
  result["benchmarks"][1]["real_time"] = 30;
  const std::vector<PaperRow> rows = fill(t, launch_of(result));
  ASSERT_THAT(rows, SizeIs(t.rows.size()));
  EXPECT_DOUBLE_EQ(*rows[0].ratio, 1);
  const double hash_row = *rows[1].ratio;
  EXPECT_TRUE(hash_row == 3 || hash_row == 1.0 / 3) << "of raw, not of net";
  EXPECT_NEAR(rows[1].published_ratio, 18.8 / 3.9, 1e-9);
}

TEST(Paper, RowOfTheConsumerIsItsCounterAndNotTheTimeOfTheCase) {
  const PublishedTable& t = table("table 4");
  const auto consumed =
      std::ranges::find_if(t.rows, [](const PublishedRow& row) { return row.counter != nullptr; });
  ASSERT_NE(consumed, t.rows.end());
  const auto index = static_cast<std::size_t>(consumed - t.rows.begin());
  ordered_json result = result_of({{consumed->name, {{"net_ns", 90}, {"consumer_cpu_ns", 20}}},
                                   {t.rows[0].name, {{"net_ns", 1}}}});
  ASSERT_EQ(result["benchmarks"][0]["name"], consumed->name) << "sorted by name";
  result["benchmarks"][0]["real_time"] = 100;
  result["benchmarks"][1]["real_time"] = 400;
  const std::vector<PaperRow> rows = fill(t, launch_of(result));
  EXPECT_DOUBLE_EQ(*rows[index].raw_ns, 20);
  EXPECT_FALSE(rows[index].net);
  EXPECT_DOUBLE_EQ(*rows[index].ratio, 20.0 / 400);
  result["benchmarks"][0].erase("consumer_cpu_ns");
  EXPECT_FALSE(fill(t, launch_of(result))[index].raw_ns) << "absent is absent";
}

TEST(Paper, WithoutTheFirstRowThereIsNoRatio) {
  const PublishedTable& t = table("table 6");
  const std::vector<PaperRow> rows =
      fill(t, launch_of(result_of({{t.rows[1].name, {{"net_ns", 100}}}})));
  EXPECT_EQ(rows[0].absence, "not in the result");
  EXPECT_DOUBLE_EQ(rows[1].net->ns, 100);
  EXPECT_FALSE(rows[1].ratio);
}

TEST(Paper, ASkipSaysWhy) {
  const PublishedTable& t = table("table 6");
  ordered_json result = result_of({{t.rows[0].name, {{"net_ns", 100}}}});
  result["skips"].push_back({{"name", t.rows[2].name},
                             {"capability", "copy_dynptr_copy"},
                             {"support", "absent"},
                             {"cause", "no such kfunc"},
                             {"remedy", "6.16"}});
  EXPECT_EQ(fill(t, launch_of(result))[2].absence, "skipped: absent: no such kfunc");
}

TEST(PaperCommand, PrintsTheTablesOfWhichThereIsARow) {
  const TemporaryDirectory directory;
  const std::string path = (directory.path() / "run.json").string();
  const auto run = [&path](PaperOptions options, std::string& text) {
    options.input = path;
    std::ostringstream out, err;
    const int status = run_paper(options, out, err);
    text = out.str() + err.str();
    return status;
  };
  std::string text;
  write_text(path, result_of({{"other", {{"net_ns", 1}}}}).dump());
  EXPECT_EQ(run({}, text), 2);
  EXPECT_THAT(text, HasSubstr("has no row of these tables"));
  write_text(path, result_of({{table("table 6").rows[0].name, {{"net_ns", 30}}}}).dump());
  EXPECT_EQ(run({}, text), 0);
  EXPECT_THAT(text, HasSubstr("table 6"));
  EXPECT_THAT(text, HasSubstr("known: 1000 bytes are called 1 KB"));
  EXPECT_THAT(text, Not(HasSubstr("table 3")));
  EXPECT_EQ(run({.tables = {"table 6"}, .markdown = true}, text), 0);
  EXPECT_THAT(text, HasSubstr("| kernel module | 32 | 1.00 |"));
  EXPECT_EQ(run({.tables = {"table 3"}}, text), 2);
  EXPECT_EQ(run({.tables = {"table 99"}}, text), 2);
  EXPECT_THAT(text, HasSubstr("no table 'table 99'"));
}

}  // namespace
}  // namespace bpfmark
