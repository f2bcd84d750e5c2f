// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/result_parser.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::StartsWith;

const std::vector<std::string> kMetrics = {"net_ns", "real_time", "jited_bytes"};

Result<Launch> parse(const std::string& text) {
  std::istringstream in(text);
  return parse_launch(in, "run.json", kMetrics);
}

Result<Launch> parse(const ordered_json& document) { return parse(document.dump(2)); }

ordered_json one_benchmark() { return result_of({{"map_lookup/type:hash", {{"net_ns", 10.5}}}}); }

// The whole text with `from`, which must occur, replaced by `to`.
std::string with(const std::string& from, const std::string& to) {
  std::string text = one_benchmark().dump();
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ParseLaunch, KeepsTheWantedMetricsByName) {
  const auto launch = parse(one_benchmark());
  ASSERT_THAT(launch, IsOk());
  ASSERT_THAT(launch->cases, SizeIs(1));
  EXPECT_EQ(launch->cases[0].name, "map_lookup/type:hash");
  EXPECT_THAT(launch->cases[0].metrics, ElementsAre(Pair("net_ns", 10.5), Pair("real_time", 12.5)));
}

TEST(ParseLaunch, TakesTheMedianOverRepetitionsAndIgnoresAggregates) {
  ordered_json document = empty_result();
  for (int i = 0; i < 3; ++i) {
    document["benchmarks"].push_back(entry_of("x", {{"net_ns", i == 1 ? 100.0 : 10.0 + i}}, i));
  }
  ordered_json mean = entry_of("x_mean", {{"net_ns", 41}});
  mean["run_type"] = "aggregate";
  document["benchmarks"].push_back(mean);
  const auto launch = parse(document);
  ASSERT_THAT(launch, IsOk());
  ASSERT_THAT(launch->cases, SizeIs(1));
  EXPECT_EQ(launch->cases[0].metrics.at("net_ns"), 12);
}

TEST(ParseLaunch, GivesTimesInNsButLeavesCountersAlone) {
  const std::vector<std::pair<std::string, double>> units = {
      {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  for (const auto& [unit, ns] : units) {
    ordered_json document = one_benchmark();
    document["benchmarks"][0]["time_unit"] = unit;
    const auto launch = parse(document);
    ASSERT_THAT(launch, IsOk());
    EXPECT_EQ(launch->cases[0].metrics.at("real_time"), 12.5 * ns);
    EXPECT_EQ(launch->cases[0].metrics.at("net_ns"), 10.5);
  }
}

TEST(ParseLaunch, FlattensTheIdentity) {
  const auto launch = parse(one_benchmark());
  ASSERT_THAT(launch, IsOk());
  EXPECT_EQ(launch->identity.at("kernel.bpf.jit_enable"), "1");
  EXPECT_EQ(launch->identity.at("arguments[0]"), "bench");
  EXPECT_EQ(launch->identity.at("library_build_type"), "release");
  EXPECT_FALSE(launch->identity.contains("date"));
}

TEST(ParseLaunch, KeepsSkipsAndFailuresWithTheirReasons) {
  ordered_json document = one_benchmark();
  document["skips"].push_back({{"name", "a"}, {"support", "absent"}, {"cause", "no kprobes"}});
  document["failures"].push_back({{"name", "b"}, {"error_message", "hits 3 of 4"}});
  const auto launch = parse(document);
  ASSERT_THAT(launch, IsOk());
  ASSERT_THAT(launch->skips, SizeIs(1));
  EXPECT_EQ(launch->skips[0].name, "a");
  EXPECT_EQ(launch->skips[0].reason, "absent: no kprobes");
  ASSERT_THAT(launch->failures, SizeIs(1));
  EXPECT_EQ(launch->failures[0].reason, "hits 3 of 4");
}

TEST(ParseLaunch, ReadsTheLibrarysOwnWayToSaySkippedAndFailed) {
  ordered_json document = one_benchmark();
  ordered_json failed = entry_of("f", {{"net_ns", 0}});
  failed["error_occurred"] = true;
  failed["error_message"] = "broken";
  ordered_json skipped = entry_of("s", {{"net_ns", 0}});
  skipped["skipped"] = true;
  skipped["skip_message"] = "absent";
  document["benchmarks"].push_back(failed);
  document["benchmarks"].push_back(skipped);
  const auto launch = parse(document);
  ASSERT_THAT(launch, IsOk());
  EXPECT_THAT(launch->cases, SizeIs(1));
  EXPECT_EQ(launch->failures.at(0).reason, "broken");
  EXPECT_EQ(launch->skips.at(0).reason, "absent");
}

TEST(ParseLaunch, IgnoresWhatOthersAdded) {
  ordered_json document = one_benchmark();
  document["tool"] = {{"net_ns", "text"}};
  document["benchmarks"][0]["loads"] = {{{"net_ns", 1}, {"raw_ns", 2}}, {{"net_ns", 3}}};
  document["benchmarks"][0]["programs"] = {{{"name", "other"}, {"jited_bytes", 5}}};
  document["benchmarks"][0]["nothing"] = nullptr;
  const auto launch = parse(document);
  ASSERT_THAT(launch, IsOk());
  EXPECT_EQ(launch->cases[0].name, "map_lookup/type:hash");
  EXPECT_EQ(launch->cases[0].metrics.at("net_ns"), 10.5);
  EXPECT_FALSE(launch->cases[0].metrics.contains("jited_bytes"));
}

TEST(ParseLaunch, ListsTheMetricsThatThereAre) {
  const auto launch = parse(one_benchmark());
  ASSERT_THAT(launch, IsOk());
  EXPECT_THAT(launch->metric_names, ElementsAre("real_time", "cpu_time", "net_ns"));
}

TEST(ParseLaunch, RefusesEveryTruncation) {
  const std::string text = one_benchmark().dump(1);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto launch = parse(text.substr(0, size));
    ASSERT_THAT(launch,
                ErrorIs(ErrorKind::kWrongResult, AllOf(StartsWith("run.json: parse error at line "),
                                                       HasSubstr(", column "))))
        << size;
  }
}

struct BadInput {
  std::string what;
  std::string text;
  std::string complaint;
};

void PrintTo(const BadInput& input, std::ostream* out) { *out << input.what; }

const std::string kSkipsOnly = [] {
  ordered_json document = empty_result();
  document["skips"].push_back({{"name", "a"}, {"support", "absent"}, {"cause", "no kprobes"}});
  return document.dump();
}();

const std::string kTwiceTheSameRepetition = [] {
  ordered_json document = one_benchmark();
  document["benchmarks"].push_back(document["benchmarks"][0]);
  return document.dump();
}();

std::string nested(std::size_t levels) {
  return with("\"threads\":1",
              "\"threads\":" + std::string(levels, '[') + std::string(levels, ']'));
}

std::string many_keys(std::size_t count) {
  std::string keys;
  for (std::size_t i = 0; i < count; ++i) keys += "\"k" + std::to_string(i) + "\":1,";
  return with("\"threads\"", keys + "\"threads\"");
}

const std::vector<BadInput> kBadInputs = {
    {"NotANumber", with(":10.5", ":NaN"), "parse error at line 1, column "},
    {"Infinity", with(":10.5", ":Infinity"), "parse error at line 1, column "},
    {"MinusInfinity", with(":10.5", ":-Infinity"), "parse error at line 1, column "},
    {"TooLargeForADouble", with(":10.5", ":1e999"), "benchmarks[0].net_ns: number overflow"},
    {"SomethingBehindTheEnd", one_benchmark().dump() + "}", "parse error at line 1, column "},
    {"NotUtf8", with("map_lookup", "map\xff"), "parse error at line 1, column "},
    {"NotJson", "benchmark raw_ns net_ns\n", "parse error at line 1, column "},
    {"Binary",
     std::string("\x7f"
                 "ELF\0\0",
                 6),
     "parse error at line 1, column "},
    {"AnArray", "[1, 2]", "no bpfmark result: expected an object"},
    {"ANumber", "42", "no bpfmark result: expected an object"},
    {"AnotherObject", "{}", "context.bpfmark.schema_version is missing"},
    {"GoogleBenchmarksOwnFile", with("\"bpfmark\"", "\"other\""),
     "context.bpfmark.schema_version is missing"},
    {"NewerSchema", with("\"schema_version\":1", "\"schema_version\":2"),
     "context.bpfmark.schema_version: 2, but this program reads 1"},
    {"SchemaOfAnotherType", with("\"schema_version\":1", "\"schema_version\":null"),
     "context.bpfmark.schema_version: null"},
    {"KeyTwiceInAnEntry", with("\"threads\":1", "\"net_ns\":9"),
     "benchmarks[0].net_ns: the key stands twice"},
    {"KeyTwiceInTheContext", with("\"machine\":", "\"release\":"),
     "context.bpfmark.kernel.release: the key stands twice"},
    {"SectionTwice", with("\"skips\"", "\"benchmarks\""), "benchmarks: the key stands twice"},
    {"KeyTwiceInWhatIsIgnored", with("\"threads\":1", "\"threads\":[{\"a\":1,\"a\":1}]"),
     "benchmarks[0].threads[0].a: the key stands twice"},
    {"RepetitionTwice", kTwiceTheSameRepetition,
     "benchmarks: 'map_lookup/type:hash' has repetition 0 twice"},
    {"NoBenchmarks", with("\"benchmarks\"", "\"other\""), "benchmarks is missing"},
    {"NothingInBenchmarks", empty_result().dump(), "no benchmark gave a number: 0 skipped"},
    {"SkipsOnly", kSkipsOnly,
     "no benchmark gave a number: 1 skipped, 0 failed (absent: no kprobes"},
    {"BenchmarksOfAnotherType", R"({"benchmarks": {}})", "benchmarks: expected an array"},
    {"BenchmarksIsANumber", R"({"benchmarks": 1})", "benchmarks: expected an array"},
    {"EntryOfAnotherType", R"({"benchmarks": [1]})", "benchmarks[0]: expected an object"},
    {"EntryIsAnArray", R"({"failures": [[]]})", "failures[0]: expected an object"},
    {"ContextOfAnotherType", R"({"context": "x"})", "context: expected an object"},
    {"MetricIsText", with(":10.5", ":\"10.5\""), "benchmarks[0].net_ns: expected a number"},
    {"MetricIsNull", with(":10.5", ":null"), "benchmarks[0].net_ns: expected a number"},
    {"NoName", with("\"name\":\"map_lookup/type:hash\"", "\"name\":\"\""),
     "benchmarks[0]: no name"},
    {"NameOfAnotherType", with("\"name\":\"map_lookup/type:hash\"", "\"name\":7"),
     "benchmarks[0]: no name"},
    {"LineBreakInAName", with("map_lookup/type:hash\",\"run_n", "map\\nlookup\",\"run_n"),
     "benchmarks[0]: control character in the name"},
    {"UnknownTimeUnit", with("\"time_unit\":\"ns\"", "\"time_unit\":\"min\""),
     "benchmarks[0]: time_unit 'min' is not ns, us, ms or s"},
    {"UnknownRunType", with("\"iteration\"", "\"guess\""),
     "benchmarks[0]: run_type is neither iteration nor aggregate"},
    {"Deep", nested(40), "nested deeper than 32 levels"},
    {"VeryDeep", nested(100'000), "nested deeper than 32 levels"},
    {"ManyKeys", many_keys(2000), "more than 1000 keys"},
};

class BadInputs : public ::testing::TestWithParam<BadInput> {};

INSTANTIATE_TEST_SUITE_P(ParseLaunch, BadInputs, ::testing::ValuesIn(kBadInputs),
                         [](const auto& test) { return test.param.what; });

TEST_P(BadInputs, AreRefusedWithFileAndPlace) {
  EXPECT_THAT(parse(GetParam().text),
              ErrorIs(ErrorKind::kWrongResult,
                      AllOf(StartsWith("run.json: "), HasSubstr(GetParam().complaint))));
}

TEST(ParseLaunch, TakesWhatIsJustWithinTheLimits) {
  EXPECT_THAT(parse(nested(20)), IsOk());
  EXPECT_THAT(parse(many_keys(900)), IsOk());
}

TEST(ParseLaunch, DoesNotRepeatAHugeTextInItsComplaint) {
  const auto launch = parse("{\"a\": " + std::string(1'000'000, 'x') + "}");
  ASSERT_FALSE(launch);
  EXPECT_LT(launch.error().what.size(), 400u);
}

class ReadLaunch : public ::testing::Test {
 protected:
  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("run.json");
};

TEST_F(ReadLaunch, ReadsAFile) {
  write_text(path_, one_benchmark().dump());
  const auto launch = read_launch(path_, kMetrics);
  ASSERT_THAT(launch, IsOk());
  EXPECT_EQ(launch->path, path_);
  EXPECT_THAT(launch->cases, SizeIs(1));
}

TEST_F(ReadLaunch, NamesAFileThatIsNotThere) {
  EXPECT_THAT(read_launch(path_, kMetrics),
              ErrorIs(ErrorKind::kSystem, AllOf(HasSubstr(path_), HasSubstr("No such file"))));
}

TEST_F(ReadLaunch, RefusesAnEmptyFile) {
  write_text(path_, "");
  EXPECT_THAT(read_launch(path_, kMetrics),
              ErrorIs(ErrorKind::kWrongResult, path_ + ": the file is empty"));
}

TEST_F(ReadLaunch, RefusesAGiganticFileUnread) {
  write_text(path_, one_benchmark().dump());
  std::filesystem::resize_file(path_, kMaxResultBytes + 1);  // A hole: takes no space.
  EXPECT_THAT(read_launch(path_, kMetrics),
              ErrorIs(ErrorKind::kWrongResult,
                      HasSubstr("2147483649 bytes; files above 2147483648 bytes are refused")));
}

TEST_F(ReadLaunch, RefusesWhatIsNoRegularFile) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(read_launch(path_, kMetrics),
              ErrorIs(ErrorKind::kWrongResult, path_ + ": not a regular file"));
}

nlohmann::ordered_json with_details() {
  nlohmann::ordered_json entry = entry_of("a", {{"net_ns", 5}});
  entry["verdict"] = "resolved";
  entry["loads"] = {{{"net_ns", 5}}, {{"net_ns", 6}}};
  entry["histograms"] = {{{"name", "caller"}, {"buckets", {{10, 11, 3}, {12, 16, 1}}}}};
  return entry;
}

TEST(ResultParser, ReadsDetailsOnDemandAndAddsThemUpOverRepetitions) {
  nlohmann::ordered_json result = empty_result(), second = with_details();
  result["benchmarks"].push_back(with_details());
  second["repetition_index"] = 1;
  second["verdict"] = "not resolved";
  result["benchmarks"].push_back(second);
  std::istringstream in(result.dump());
  const auto launch = parse_launch(in, "run.json", {"net_ns"}, true);
  ASSERT_TRUE(launch) << launch.error().what;
  const CaseDetails& details = launch->cases.front().details;
  EXPECT_EQ(details.verdict, "not resolved");
  EXPECT_EQ(details.loads, 4u);
  ASSERT_EQ(details.distributions.size(), 1u);
  EXPECT_EQ(details.distributions[0].name, "caller");
  ASSERT_EQ(details.distributions[0].buckets.size(), 2u);
  EXPECT_EQ(details.distributions[0].buckets[1].upper_ns, 16);
  EXPECT_EQ(details.distributions[0].buckets[0].count, 6);
  EXPECT_EQ(launch->stock.at("date"), "2026-01-01T00:00:00+00:00");
}

TEST(ResultParser, RefusesBucketsThatAreNone) {
  using Buckets = std::vector<std::vector<double>>;
  for (const Buckets& buckets :
       {Buckets{{10, 10, 1}}, {{10, 11, 0}}, {{10, 11, 1}, {9, 10, 1}}, {{1, 2, 3, 4}}}) {
    nlohmann::ordered_json result = empty_result(), entry = with_details();
    entry["histograms"][0]["buckets"] = buckets;
    result["benchmarks"].push_back(entry);
    std::istringstream in(result.dump());
    const auto launch = parse_launch(in, "run.json", {"net_ns"}, true);
    ASSERT_FALSE(launch);
    EXPECT_THAT(launch.error().what, ::testing::HasSubstr("benchmarks[0].histograms[0].buckets["));
  }
}

TEST(ResultParser, KeepsEveryRepetitionAsARowOnDemand) {
  nlohmann::ordered_json result = empty_result(), first = with_details(), mean = with_details();
  first["time_unit"] = "us";
  first["trials"] = {{{"trial", 1},
                      {"clock", "caller"},
                      {"filter", "iqr"},
                      {"avg_ns", 7},
                      {"samples_ns", {1, 2}}}};
  mean["run_type"] = "aggregate";
  nlohmann::ordered_json second = entry_of("a", {{"p99_ns", 9}}, 1);
  for (const auto& entry : {first, mean, second}) result["benchmarks"].push_back(entry);
  std::istringstream in(result.dump());
  const auto launch = parse_rows(in, "run.json");
  ASSERT_TRUE(launch) << launch.error().what;
  ASSERT_EQ(launch->rows.size(), 2u);
  const ResultRow& row = launch->rows[0];
  EXPECT_EQ(row.name, "a");
  EXPECT_EQ(row.iterations, 4096);
  EXPECT_EQ(row.details.verdict, "resolved");
  EXPECT_EQ(row.metrics.at("real_time"), 12500);
  EXPECT_EQ(row.metrics.at("net_ns"), 5);
  EXPECT_FALSE(row.metrics.contains("repetition_index"));
  ASSERT_EQ(row.details.trials.size(), 1u);
  EXPECT_EQ(row.details.trials[0].text("clock"), "caller");
  EXPECT_EQ(row.details.trials[0].text("filter"), "iqr");
  EXPECT_EQ(row.details.trials[0].text("avg_ns"), "");
  EXPECT_EQ(row.details.trials[0].figures.at("avg_ns"), 7);
  EXPECT_EQ(row.details.distributions.at(0).buckets.size(), 2u);
  EXPECT_EQ(launch->rows[1].repetition, 1);
  EXPECT_EQ(launch->rows[1].metrics.at("p99_ns"), 9);
  EXPECT_FALSE(launch->rows[1].metrics.contains("net_ns"));
}

TEST(ResultParser, KeepsChecksOfTrialsAndForeignProgramsOnce) {
  nlohmann::ordered_json result = empty_result();
  for (const int repetition : {0, 1}) {
    auto entry = entry_of("a", {{"net_ns", 5}}, repetition);
    entry["trial_checks"] = {{{"check", "iqr_kept"}, {"value_pct", 70}, {"verdict", "failed"}}};
    entry["foreign_programs"] = {{{"id", 7 + repetition}, {"type", "xdp"}, {"name", "theirs"}}};
    result["benchmarks"].push_back(std::move(entry));
  }
  std::istringstream in(result.dump());
  const auto launch = parse_launch(in, "run.json", {"net_ns"}, true);
  ASSERT_TRUE(launch) << launch.error().what;
  const CaseDetails& details = launch->cases.at(0).details;
  ASSERT_EQ(details.trial_checks.size(), 2u);
  EXPECT_EQ(details.trial_checks[0].text("verdict"), "failed");
  EXPECT_EQ(details.trial_checks[0].figures.at("value_pct"), 70);
  ASSERT_EQ(details.foreign_programs.size(), 1u) << "the same program under another id";
  EXPECT_EQ(details.foreign_programs[0].text("name"), "theirs");
}

TEST(ResultParser, ListsOfSomethingElseAreNoRecords) {
  nlohmann::ordered_json result = empty_result();
  auto entry = entry_of("a", {{"net_ns", 5}});
  entry["trials"] = {1, {2, 3}, "x", nullptr};
  entry["foreign_programs"] = {{"name", "no list"}};
  result["benchmarks"].push_back(std::move(entry));
  std::istringstream in(result.dump());
  const auto launch = parse_launch(in, "run.json", {"net_ns"}, true);
  ASSERT_TRUE(launch) << launch.error().what;
  for (const DetailRecord& record : launch->cases.at(0).details.trials) {
    EXPECT_TRUE(record.texts.empty() && record.figures.empty());
  }
  EXPECT_TRUE(launch->cases.at(0).details.foreign_programs.empty());
}

TEST(ResultParser, KeepsWhatATypedSkipSays) {
  nlohmann::ordered_json result = result_of({{"a", {{"net_ns", 5}}}});
  result["skips"].push_back({{"name", "b"},
                             {"capability", "fentry"},
                             {"support", "not permitted"},
                             {"cause", "EPERM"},
                             {"remedy", "ask"}});
  std::istringstream in(result.dump());
  const auto launch = parse_launch(in, "run.json", {"net_ns"});
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->skips.at(0).reason, "not permitted: EPERM");
  EXPECT_EQ(launch->skips.at(0).capability, "fentry");
  EXPECT_EQ(launch->skips.at(0).remedy, "ask");
}

}  // namespace
}  // namespace bpfmark
