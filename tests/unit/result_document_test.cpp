// SPDX-License-Identifier: BSD-2-Clause
#include "harness/result_document.h"

#include <benchmark/benchmark.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace bpfmark {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

using nlohmann::json;
using nlohmann::ordered_json;
using Repetition = benchmark::BenchmarkReporter::Run;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What Google Benchmark hands over for `iterations` operations of `ns` each.
Repetition run_of(const std::string& name, double ns, benchmark::IterationCount iterations = 1000) {
  Repetition run;
  run.run_name.function_name = name;
  run.run_name.iterations = "iterations:1";
  run.run_name.time_type = "manual_time";
  run.family_index = 3;
  run.per_family_instance_index = 0;
  run.repetition_index = 1;
  run.repetitions = 2;
  run.iterations = iterations;
  run.time_unit = benchmark::kNanosecond;
  run.real_accumulated_time = ns * 1e-9 * static_cast<double>(iterations);
  return run;
}

Repetition aggregate_of(const std::string& name, const std::string& aggregate, double ns,
                        benchmark::StatisticUnit unit = benchmark::kTime) {
  Repetition run = run_of(name, ns);
  run.run_type = Repetition::RT_Aggregate;
  run.aggregate_name = aggregate;
  run.aggregate_unit = unit;
  run.repetition_index = Repetition::no_repetition_index;
  return run;
}

Measurement measurement() {
  Measurement m{.raw_ns = 12.5, .verdict = Verdict::kResolved};
  m.loads.push_back({.raw_ns = 12.5, .floor_ns = 2, .net_ns = 10.5, .net_2n_ns = kNan});
  m.programs.push_back({.role = "subject", .name = "map_lookup", .tag = "00ff"});
  return m;
}

ResultDocument document(RunOptions options = {}) {
  return {options, {{"schema_version", kResultSchemaVersion}}};
}

json parsed(const ResultDocument& document) { return json::parse(document.json()); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(ResultDocument, WithoutRunsIsValidAndHasEveryList) {
  const json file = parsed(document());
  for (const char* list : {"benchmarks", "skips", "failures"}) {
    EXPECT_TRUE(file.at(list).is_array());
    EXPECT_TRUE(file.at(list).empty());
  }
  EXPECT_EQ(file.at("context").at("bpfmark").at("schema_version"), kResultSchemaVersion);
  EXPECT_THAT(document().json(), EndsWith("}\n"));
}

TEST(ResultDocument, ContextHoldsTheStockKeysAndOurs) {
  ResultDocument with_context = document({.context = {{"commit", "abc"}, {"rack", "7"}}});
  with_context.set_context(benchmark::BenchmarkReporter::Context());
  const json context = parsed(with_context).at("context");
  for (const char* key : {"date", "host_name", "num_cpus", "mhz_per_cpu", "caches", "load_avg",
                          "library_build_type", "json_schema_version", "bpfmark"}) {
    EXPECT_TRUE(context.contains(key)) << key;
  }
  EXPECT_EQ(context.at("commit"), "abc");
  EXPECT_EQ(context.at("rack"), "7");
  EXPECT_GE(context.at("num_cpus"), 1);
  EXPECT_THAT(context.at("date").get<std::string>(),
              ::testing::MatchesRegex("[0-9-]+T[0-9:]+[+-][0-9][0-9]:[0-9][0-9]"));
}

TEST(ResultDocument, RunHoldsTheStockKeys) {
  ResultDocument one = document();
  Repetition run = run_of("clock/read:ktime", 12.5);
  run.counters["net_ns"] = benchmark::Counter(10.5);
  Measurement m = measurement();
  m.ops = 4096;
  one.add_run(run, &m);
  const json entry = parsed(one).at("benchmarks").at(0);
  EXPECT_EQ(entry.at("name"), "clock/read:ktime") << "no iterations or time type in the name";
  EXPECT_EQ(entry.at("run_name"), "clock/read:ktime");
  EXPECT_EQ(entry.at("run_type"), "iteration");
  EXPECT_EQ(entry.at("family_index"), 3);
  EXPECT_EQ(entry.at("per_family_instance_index"), 0);
  EXPECT_EQ(entry.at("repetitions"), 2);
  EXPECT_EQ(entry.at("repetition_index"), 1);
  EXPECT_EQ(entry.at("threads"), 1);
  EXPECT_EQ(entry.at("iterations"), 4096) << "the operations timed, not the library's iterations";
  EXPECT_DOUBLE_EQ(entry.at("real_time"), 12.5);
  EXPECT_TRUE(entry.contains("cpu_time"));
  EXPECT_EQ(entry.at("time_unit"), "ns");
  EXPECT_DOUBLE_EQ(entry.at("net_ns"), 10.5);
}

TEST(ResultDocument, RunHoldsVerdictProgramsAndLoads) {
  ResultDocument one = document();
  const Measurement m = measurement();
  one.add_run(run_of("x", 12.5), &m);
  const json entry = parsed(one).at("benchmarks").at(0);
  EXPECT_EQ(entry.at("verdict"), "resolved");
  EXPECT_EQ(entry.at("programs").at(0).at("role"), "subject");
  EXPECT_EQ(entry.at("programs").at(0).at("tag"), "00ff");
  EXPECT_DOUBLE_EQ(entry.at("loads").at(0).at("net_ns"), 10.5);
  EXPECT_FALSE(entry.at("loads").at(0).contains("net_2n_ns")) << "what is absent is absent";
  EXPECT_FALSE(entry.contains("rounds")) << "only on request";
}

TEST(ResultDocument, RunHoldsWhatItsLoadsFound) {
  ResultDocument one = document();
  Measurement m = measurement();
  for (const std::uint64_t value : {5, 5, 2049}) m.findings.histogram("caller").record(value);
  m.findings.trials.push_back({.trial = 1, .clock = "caller", .filter = "raw", .count = 3});
  m.findings.trials.push_back({.trial = 1, .clock = "caller", .filter = "iqr", .samples_ns = {5}});
  m.findings.add_foreign({.id = 7, .type = "raw_tracepoint", .name = "spy", .attach = "sys_enter"});
  m.findings.counters["cache_misses"] = 3;
  for (const char* const cause : {"no counters", "said twice"}) {
    m.findings.add_missing("cache_misses", {.kind = ErrorKind::kAbsent,
                                            .what = cause,
                                            .remedy = "buy some",
                                            .capability = "hw_cache_misses"});
  }
  EXPECT_FALSE(m.findings.counters.contains("cache_misses")) << "what is missing has no number";
  one.add_run(run_of("x", 12.5), &m);
  const json entry = parsed(one).at("benchmarks").at(0);
  EXPECT_EQ(entry.at("histograms"), json::parse(R"([{"name": "caller", "samples": 3, "min_ns": 5,
      "max_ns": 2049, "mean_ns": 686.3333333333334, "overflow": 0,
      "buckets": [[5, 6, 2], [2048, 2050, 1]]}])"));
  EXPECT_EQ(entry.at("trials").at(0).at("count"), 3);
  EXPECT_FALSE(entry.at("trials").at(0).contains("samples_ns")) << "only on request";
  EXPECT_EQ(entry.at("trials").at(1).at("samples_ns"), json({5}));
  EXPECT_EQ(entry.at("foreign_programs").at(0).at("name"), "spy");
  EXPECT_EQ(entry.at("missing"), json::parse(R"([{"what": "cache_misses",
      "capability": "hw_cache_misses", "support": "absent", "cause": "no counters",
      "remedy": "buy some"}])"));
}

TEST(ResultDocument, RunThatFoundNothingHasNoListsOfIt) {
  ResultDocument one = document();
  const Measurement m = measurement();
  one.add_run(run_of("x", 12.5), &m);
  const json entry = parsed(one).at("benchmarks").at(0);
  for (const char* list : {"histograms", "trials", "foreign_programs", "missing"}) {
    EXPECT_FALSE(entry.contains(list)) << list;
  }
}

TEST(ResultDocument, RoundsAreInTheOrderInWhichTheyRan) {
  ResultDocument one = document();
  Measurement m = measurement();
  m.samples.push_back({.rounds = {{.scale = 2,
                                   .disturbed = true,
                                   .subject_ns = {1, 4},
                                   .floor_ns = {2, 3},
                                   .subject_user_ns = {5, 8},
                                   .floor_user_ns = {6, 7}}}});
  one.add_run(run_of("x", 1), &m);
  EXPECT_EQ(parsed(one).at("benchmarks").at(0).at("rounds"),
            json::parse("[[[2, true, 1, 2, 3, 4, 5, 6, 7, 8]]]"));
}

TEST(ResultDocument, LeavesOutWhatIsNotFinite) {
  ResultDocument one = document();
  Repetition run = run_of("x", 12.5);
  run.counters["nan_ns"] = benchmark::Counter(kNan);
  run.counters["inf_ns"] = benchmark::Counter(kInfinity);
  run.counters["minus_inf_ns"] = benchmark::Counter(-kInfinity);
  run.counters["zero_ns"] = benchmark::Counter(0);
  one.add_run(run, nullptr);
  one.add_run(run_of("y", kNan), nullptr);
  const json file = parsed(one);
  const json& entry = file.at("benchmarks").at(0);
  EXPECT_FALSE(entry.contains("nan_ns"));
  EXPECT_FALSE(entry.contains("inf_ns"));
  EXPECT_FALSE(entry.contains("minus_inf_ns"));
  EXPECT_EQ(entry.at("zero_ns"), 0);
  EXPECT_FALSE(file.at("benchmarks").at(1).contains("real_time"));
}

TEST(ResultDocument, StringsMayHoldAnyByte) {
  const std::string quotes = "a \"b\" \\ \n c";
  const std::string no_utf8 = "\xff\xfe x";
  ResultDocument one = document({.context = {{"note", quotes}, {no_utf8, no_utf8}}});
  one.add_skip(quotes, Error{.kind = ErrorKind::kAbsent, .what = no_utf8, .remedy = quotes});
  one.add_failure(no_utf8, Error{.what = quotes});
  const json file = parsed(one);
  EXPECT_EQ(file.at("context").at("note"), quotes);
  EXPECT_EQ(file.at("skips").at(0).at("name"), quotes);
  EXPECT_THAT(file.at("skips").at(0).at("cause").get<std::string>(), EndsWith(" x"));
  EXPECT_EQ(file.at("failures").at(0).at("error_message"), quotes);
}

TEST(ResultDocument, TimesAreInTheUnitAskedForAndCountersAreNot) {
  ResultDocument one = document({.time_unit = "us"});
  Repetition run = run_of("x", 12500);
  run.counters["net_ns"] = benchmark::Counter(10500);
  one.add_run(run, nullptr);
  one.add_run(aggregate_of("x", "mean", 12500), nullptr);
  const json runs = parsed(one).at("benchmarks");
  for (const json& entry : runs) {
    EXPECT_DOUBLE_EQ(entry.at("real_time"), 12.5);
    EXPECT_EQ(entry.at("time_unit"), "us");
  }
  EXPECT_DOUBLE_EQ(runs.at(0).at("net_ns"), 10500);
}

TEST(ResultDocument, AggregateIsNamedAfterItsStatistic) {
  ResultDocument one = document();
  one.add_run(aggregate_of("x", "median", 12.5), nullptr);
  const json entry = parsed(one).at("benchmarks").at(0);
  EXPECT_EQ(entry.at("name"), "x_median");
  EXPECT_EQ(entry.at("run_name"), "x");
  EXPECT_EQ(entry.at("run_type"), "aggregate");
  EXPECT_EQ(entry.at("aggregate_name"), "median");
  EXPECT_EQ(entry.at("aggregate_unit"), "time");
  EXPECT_FALSE(entry.contains("repetition_index"));
  EXPECT_FALSE(entry.contains("verdict"));
  EXPECT_DOUBLE_EQ(entry.at("real_time"), 12.5);
}

TEST(ResultDocument, APercentageIsAFractionInEveryUnit) {
  for (const char* unit : {"ns", "us", "ms", "s"}) {
    ResultDocument one = document({.time_unit = unit});
    Repetition run = aggregate_of("x", "cv", 0, benchmark::kPercentage);
    run.real_accumulated_time = 0.025;
    one.add_run(run, nullptr);
    const json entry = parsed(one).at("benchmarks").at(0);
    EXPECT_EQ(entry.at("aggregate_unit"), "percentage");
    EXPECT_DOUBLE_EQ(entry.at("real_time"), 0.025);
  }
}

TEST(ResultDocument, SkipIsTyped) {
  ResultDocument one = document();
  const auto skip = [&one](const char* name, ErrorKind kind) {
    one.add_skip(name, Error{.kind = kind, .what = "why", .remedy = "how", .capability = "map_x"});
  };
  skip("a", ErrorKind::kAbsent);
  skip("b", ErrorKind::kNotPermitted);
  skip("c", ErrorKind::kUnknown);
  const json skips = parsed(one).at("skips");
  EXPECT_EQ(skips.at(0), (json{{"name", "a"},
                               {"capability", "map_x"},
                               {"support", "absent"},
                               {"cause", "why"},
                               {"remedy", "how"}}));
  EXPECT_EQ(skips.at(1).at("support"), "not permitted");
  EXPECT_EQ(skips.at(2).at("support"), "unknown");
}

TEST(ResultDocument, SkipStandsOnceForAllRepetitions) {
  ResultDocument one = document();
  for (int repetition = 0; repetition < 3; ++repetition) {
    one.add_skip("a", Error{.kind = ErrorKind::kAbsent, .what = "why"});
  }
  one.add_skip("b", Error{.kind = ErrorKind::kAbsent, .what = "why"});
  EXPECT_THAT(parsed(one).at("skips"), SizeIs(2));
}

TEST(ResultDocument, FailureOfWhatWasRequiredSaysWhatHelps) {
  ResultDocument one = document();
  one.add_failure("x",
                  Error{.kind = ErrorKind::kAbsent, .what = "no JIT", .remedy = "switch it on"});
  EXPECT_EQ(parsed(one).at("failures").at(0).at("error_message"), "no JIT (switch it on)");
}

TEST(ResultDocument, FailureIsNoBenchmark) {
  ResultDocument one = document();
  one.add_failure("x", Error{.what = "7 hits of 8"});
  const json file = parsed(one);
  EXPECT_EQ(file.at("failures").at(0), (json{{"name", "x"}, {"error_message", "7 hits of 8"}}));
  EXPECT_TRUE(file.at("benchmarks").empty());
}

TEST(ResultDocument, SaysThatItIsIncomplete) {
  ResultDocument whole = document();
  EXPECT_FALSE(parsed(whole).at("context").at("bpfmark").contains("incomplete"));
  whole.mark_incomplete();
  EXPECT_EQ(parsed(whole).at("context").at("bpfmark").at("incomplete"), true);
}

TEST(ResultDocument, IncompleteSurvivesTheContext) {
  ResultDocument one = document();
  one.mark_incomplete();
  one.set_context(benchmark::BenchmarkReporter::Context());
  EXPECT_EQ(parsed(one).at("context").at("bpfmark").at("incomplete"), true);
}

TEST(ResultCsv, HasTheUnionOfAllColumns) {
  ResultDocument two = document();
  Repetition first = run_of("a", 12.5);
  first.counters["net_ns"] = benchmark::Counter(10.5);
  Repetition second = run_of("b", 3);
  second.counters["p99_ns"] = benchmark::Counter(7);
  two.add_run(first, nullptr);
  two.add_run(second, nullptr);
  const auto lines = lines_of(two.csv());
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[0], ::testing::StartsWith("name,"));
  EXPECT_THAT(lines[0], EndsWith(",net_ns,p99_ns"));
  EXPECT_THAT(lines[1], ::testing::StartsWith("\"a\","));
  EXPECT_THAT(lines[1], EndsWith(",10.5,"));
  EXPECT_THAT(lines[2], EndsWith(",,7.0"));
}

TEST(ResultCsv, HasNoNestedValues) {
  ResultDocument one = document();
  const Measurement m = measurement();
  one.add_run(run_of("a", 1), &m);
  EXPECT_THAT(one.csv(), Not(HasSubstr("programs")));
  EXPECT_THAT(one.csv(), Not(HasSubstr("{")));
  EXPECT_THAT(one.csv(), HasSubstr("\"resolved\""));
}

TEST(ResultCsv, DoublesQuotesInsideText) {
  ResultDocument one = document();
  one.add_run(run_of("a \"b\", c", 1), nullptr);
  EXPECT_THAT(one.csv(), HasSubstr("\n\"a \"\"b\"\", c\","));
}

// Whoever sees only the table must see it there: times of an emulated machine mean nothing.
TEST(ResultCsv, OfAnEmulatedMachineSaysSoOnEveryLine) {
  ResultDocument emulated({}, {{"schema_version", kResultSchemaVersion}, {"emulated", true}});
  const Measurement m = measurement();
  emulated.add_run(run_of("a", 12.5), &m);
  emulated.add_run(run_of("b", 12.5), &m);
  const auto lines = lines_of(emulated.csv());
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_THAT(lines[0], EndsWith(",emulated"));
  EXPECT_THAT(lines[1], EndsWith(",true"));
  EXPECT_THAT(lines[2], EndsWith(",true"));
  EXPECT_THAT(document().csv(), Not(HasSubstr("emulated")));
}

TEST(PerNs, ConvertsToEveryUnit) {
  EXPECT_DOUBLE_EQ(per_ns("ns"), 1);
  EXPECT_DOUBLE_EQ(per_ns("us"), 1e-3);
  EXPECT_DOUBLE_EQ(per_ns("ms"), 1e-6);
  EXPECT_DOUBLE_EQ(per_ns("s"), 1e-9);
}

}  // namespace
}  // namespace bpfmark
