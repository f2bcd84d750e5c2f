// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/smoke/bench_program.h"
#include "tests/support/promised.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tool.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kDryRun = "--benchmark_dry_run";
const std::string kOneCase = "--benchmark_filter=^clock/read:user_monotonic$";
const std::string kTwoCases = "--benchmark_filter=^clock/read:(user_monotonic|ktime)$";

std::set<std::string> keys_of(const nlohmann::json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

// --- JSON

TEST(ResultFile, HasTheKeysOfGoogleBenchmark) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("run.json");
  const ProcessResult run = run_bench({kDryRun, kOneCase, "--benchmark_out=" + path});
  ASSERT_THAT(run, ExitsWith(0));
  const nlohmann::json document = parsed_file(path);
  for (const char* key : {"date", "host_name", "executable", "num_cpus", "mhz_per_cpu", "caches",
                          "load_avg", "library_build_type"}) {
    EXPECT_TRUE(document["context"].contains(key)) << key;
  }
  ASSERT_THAT(document["benchmarks"], SizeIs(1));
  for (const char* key :
       {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
        "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit"}) {
    EXPECT_TRUE(document["benchmarks"][0].contains(key)) << key;
  }
}

TEST(ResultFile, CarriesLabelContextAndCommandLine) {
  const ProcessResult run =
      run_bench({kDryRun, kOneCase, "--benchmark_format=json",
                 "--label=quoted \"text\" and ünicode", "--benchmark_context=rack=7,room=b"});
  ASSERT_THAT(run, ExitsWith(0));
  const nlohmann::json context = parsed(run.out)["context"];
  EXPECT_EQ(context["rack"], "7");
  EXPECT_EQ(context["room"], "b");
  EXPECT_EQ(context["bpfmark"]["label"], "quoted \"text\" and ünicode");
  EXPECT_THAT(context["bpfmark"]["arguments"].get<std::vector<std::string>>(), Contains(kDryRun));
  EXPECT_EQ(context["bpfmark"]["dry_run"], true);
  EXPECT_FALSE(context["bpfmark"].contains("incomplete"));
}

TEST(ResultFile, ReplacesAnOlderOneAndLeavesNothingBeside) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("run.json");
  std::ofstream(path) << "older";
  ASSERT_THAT(run_bench({kDryRun, kOneCase, "--benchmark_out=" + path}), ExitsWith(0));
  EXPECT_THAT(parsed_file(path)["benchmarks"], SizeIs(1));
  const std::filesystem::directory_iterator files(directory.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(ResultFile, TimeUnitScalesTimesButNotCountersWithTheirUnitInTheName) {
  const ProcessResult run =
      run_bench({kDryRun, kOneCase, "--benchmark_format=json", "--benchmark_time_unit=us"});
  ASSERT_THAT(run, ExitsWith(0));
  const nlohmann::json entry = parsed(run.out)["benchmarks"][0];
  EXPECT_EQ(entry["time_unit"], "us");
  EXPECT_NEAR(entry["real_time"].get<double>() * 1000, entry["loads"][0]["raw_ns"].get<double>(),
              1e-6);
}

// --- repetitions

TEST(Repetitions, GiveOneEntryEachAndAggregatesUnderStableNames) {
  for (const char* const interleaving :
       {"--benchmark_enable_random_interleaving=false", "--benchmark_enable_random_interleaving"}) {
    SCOPED_TRACE(interleaving);
    const ProcessResult run = run_bench(
        {kDryRun, kOneCase, "--benchmark_repetitions=2", "--benchmark_format=json", interleaving});
    ASSERT_THAT(run, ExitsWith(0));
    const nlohmann::json entries = parsed(run.out)["benchmarks"];
    const std::string name = "clock/read:user_monotonic";
    EXPECT_THAT(names_of(entries), ElementsAre(name, name, name + "_mean", name + "_median",
                                               name + "_stddev", name + "_cv"));
    for (const auto& entry : entries) {
      EXPECT_EQ(entry["run_name"], name);
      EXPECT_EQ(entry["repetitions"], 2);
    }
    EXPECT_EQ(entries[0]["repetition_index"], 0);
    EXPECT_EQ(entries[1]["repetition_index"], 1);
    const double mean =
        (entries[0]["net_ns"].get<double>() + entries[1]["net_ns"].get<double>()) / 2;
    EXPECT_NEAR(entries[2]["net_ns"].get<double>(), mean, 1e-6);
    EXPECT_EQ(entries[2]["aggregate_name"], "mean");
    EXPECT_EQ(entries[5]["aggregate_unit"], "percentage");
  }
}

TEST(Repetitions, OfMixedCasesStayWithTheirCase) {
  BPFMARK_NEEDS_BPF();
  const ProcessResult run =
      run_bench({kDryRun, kTwoCases, "--benchmark_repetitions=3", "--benchmark_format=json",
                 "--benchmark_enable_random_interleaving"});
  ASSERT_THAT(run, ExitsWith(0));
  const nlohmann::json document = parsed(run.out);
  std::map<std::string, std::set<int>> seen;
  for (const auto& entry : document["benchmarks"]) {
    if (entry["run_type"] != "iteration") continue;
    seen[entry["name"]].insert(entry["repetition_index"].get<int>());
    // Each entry's time is that of the measurement beside it.
    EXPECT_NEAR(entry["real_time"].get<double>(), entry["loads"][0]["raw_ns"].get<double>(), 1e-6);
  }
  EXPECT_THAT(seen, SizeIs(2));
  for (const auto& [name, repetitions] : seen) EXPECT_THAT(repetitions, ElementsAre(0, 1, 2));
}

TEST(Repetitions, AggregatesOnlyShowsThemButTheFileKeepsAll) {
  BPFMARK_NEEDS_TIMES();
  const TemporaryDirectory directory;
  const std::string path = directory.file("run.json");
  const ProcessResult run =
      run_bench({kDryRun, kOneCase, "--benchmark_repetitions=2",
                 "--benchmark_report_aggregates_only", "--benchmark_out=" + path});
  ASSERT_THAT(run, ExitsWith(0));
  EXPECT_THAT(run.out, HasSubstr("clock/read:user_monotonic_mean"));
  EXPECT_THAT(run.out, Not(HasSubstr("clock/read:user_monotonic ")));
  EXPECT_THAT(parsed_file(path)["benchmarks"], SizeIs(6));
}

// --- programs of others

TEST(ResultFile, IsReadByComparePyAndIsExported) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("run.json");
  ASSERT_THAT(run_bench({kDryRun, kOneCase, "--benchmark_repetitions=2", "--label=a \"b\", c",
                         "--benchmark_out=" + path}),
              ExitsWith(0));
  const ProcessResult exported = run_bench(
      {"export", "--format=openmetrics", "--force", path, "-o", directory.file("x.prom")});
  EXPECT_THAT(exported, ExitsWith(0));
  const auto metrics = run_tool(kPromtool, {"check", "metrics"}, directory.file("x.prom"));
  if (!metrics) BPFMARK_SKIP_OR_FAIL(metrics.error());
  EXPECT_THAT(*metrics, ExitsWith(0));
  const auto compared = run_tool(kComparePy, {"--no-color", "benchmarks", path, path});
  if (!compared) BPFMARK_SKIP_OR_FAIL(compared.error());
  EXPECT_THAT(*compared, ExitsWith(0));
  EXPECT_THAT(compared->out, HasSubstr("clock/read:user_monotonic"));
}

TEST(Rerun, RunsAgainWhatTheFileRecords) {
  const TemporaryDirectory directory;
  const std::string first = directory.file("1.json"), second = directory.file("2.json");
  ASSERT_THAT(run_bench({kDryRun, kOneCase, "--label=it's", "--benchmark_out=" + first}),
              ExitsWith(0));
  EXPECT_THAT(run_bench({"rerun", first, "-o", second, "--", "--benchmark_repetitions=2"}),
              ExitsWith(0));
  const nlohmann::json document = parsed_file(second);
  EXPECT_EQ(document["context"]["bpfmark"]["label"], "it's");
  EXPECT_EQ(document["context"]["bpfmark"]["dry_run"], true);
  EXPECT_EQ(names_of(document["benchmarks"])[0], "clock/read:user_monotonic");
  EXPECT_EQ(document["benchmarks"][0]["repetitions"], 2);
}

// --- trials

TEST(Trials, KeepTheirSamplesOnRequestOnly) {
  BPFMARK_NEEDS_BPF();
  const std::string one_case = "--benchmark_filter=^syscall_latency/call:getppid/monitor:none$";
  for (const bool keep : {false, true}) {
    std::vector<std::string> arguments = {kDryRun, one_case, "--benchmark_format=json"};
    if (keep) arguments.emplace_back("--keep-samples");
    const ProcessResult run = run_bench(arguments);
    ASSERT_THAT(run, ExitsWith(0));
    const nlohmann::json entry = parsed(run.out)["benchmarks"][0];
    ASSERT_THAT(entry["trials"], SizeIs(4));  // two clocks, raw and filtered
    for (const auto& trial : entry["trials"]) {
      EXPECT_EQ(trial.contains("samples_ns"), keep && trial["filter"] == "raw");
      if (trial["filter"] == "raw") {
        EXPECT_EQ(trial["count"], entry["samples"]);
      }
    }
    EXPECT_EQ(entry["trials"][0]["count"], entry["ops"]);
    EXPECT_THAT(entry["trial_checks"], SizeIs(2));  // one trial has no spread
  }
}

TEST(Histograms, ArePrintedByPowersOfTwoOnRequest) {
  BPFMARK_NEEDS_TIMES();
  BPFMARK_NEEDS_BPF();
  const std::string one_case = "--benchmark_filter=^syscall_latency/call:getppid/monitor:none$";
  EXPECT_THAT(run_bench({kDryRun, one_case}).out, Not(HasSubstr("kernel, ns: ")));
  const ProcessResult run = run_bench({kDryRun, one_case, "--histogram"});
  ASSERT_THAT(run, ExitsWith(0));
  EXPECT_THAT(run.out, AllOf(HasSubstr("    caller, ns: "), HasSubstr("    kernel, ns: "),
                             HasSubstr("256)")));
}

TEST(DropCaches, StandsInTheContext) {
  const ProcessResult run =
      run_bench({kDryRun, kOneCase, "--drop-caches", "--benchmark_format=json"});
  if (::geteuid() != 0) {
    EXPECT_THAT(run, ExitsWith(2));
    EXPECT_THAT(lines_of(run.err), SizeIs(1));
    return;
  }
  ASSERT_THAT(run, ExitsWith(0));
  EXPECT_EQ(parsed(run.out)["context"]["bpfmark"]["drop_caches"], true);
}

// --- other forms

TEST(Csv, HasOneLineARunAndAsManyCellsInEach) {
  const ProcessResult run =
      run_bench({kDryRun, kTwoCases, "--benchmark_repetitions=2", "--benchmark_format=csv"});
  ASSERT_THAT(run, ExitsWith(0));
  EXPECT_THAT(run.err, IsEmpty());
  const std::vector<std::string> lines = lines_of(run.out);
  ASSERT_THAT(lines, Not(IsEmpty()));
  EXPECT_THAT(lines[0], ::testing::StartsWith("name,"));
  EXPECT_THAT(lines[0], HasSubstr(",net_ns,"));
  const auto commas = [](const std::string& line) { return std::ranges::count(line, ','); };
  for (const std::string& line : lines) EXPECT_EQ(commas(line), commas(lines[0])) << line;
  EXPECT_THAT(lines[1], ::testing::StartsWith("\"clock/read:"));
}

TEST(Stdout, HasNothingButTheResult) {
  BPFMARK_NEEDS_TIMES();
  const ProcessResult json = run_bench({kDryRun, kOneCase, "--benchmark_format=json"});
  ASSERT_THAT(json, ExitsWith(0));
  EXPECT_TRUE(parsed(json.out).is_object());
  EXPECT_THAT(json.err, IsEmpty());
  const ProcessResult table = run_bench({kDryRun, kOneCase});
  EXPECT_THAT(lines_of(table.out), SizeIs(3));  // head, rule, row
}

// --- the fields of a result are public too

// The paths of all fields, "[]" for the entries of a list. Of the lists, only the entries of the
// result are looked into.
void add_fields(const nlohmann::json& document, std::set<std::string>& fields) {
  for (const std::string& key : keys_of(document)) fields.insert(key);
  for (const std::string& key : keys_of(document["context"])) fields.insert("context." + key);
  for (const std::string& key : keys_of(document["context"]["bpfmark"])) {
    fields.insert("context.bpfmark." + key);
  }
  for (const char* const list : {"benchmarks", "skips", "failures"}) {
    for (const auto& entry : document[list]) {
      for (const std::string& key : keys_of(entry)) fields.insert(std::string(list) + "[]." + key);
    }
  }
}

TEST(GoldenFields, OfTheResultFile) {
  BPFMARK_NEEDS_BPF();
  std::set<std::string> fields;
  // Numbers with all that they can have beside them; a dry run; skips and failures.
  add_fields(
      parsed(
          run_bench({"--benchmark_filter=^(clock/read:ktime_pair|clock/loop:bounded|"
                     "hook_entry/type:tc/body:counter|compute/kernel:fib/for:host_o2/n:80|"
                     "composite/first:ktime/second:array|"
                     "echo_rtt/proto:udp/hook:tc_clsact/payload:13/think_us:0/wakeup:busy/cpu:same|"
                     "syscall_overhead/call:getppid/hook:tp/body:counter|"
                     "syscall_latency/call:getppid/monitor:raw_tp_noop)$",
                     "--keep-rounds", "--label=golden", "--order-seed=7", "--loads=12",
                     "--benchmark_min_time=1000x", "--benchmark_repetitions=2",
                     "--benchmark_format=json"})
              .out),
      fields);
  add_fields(parsed(PublicCopy()
                        .run({kDryRun, "--benchmark_filter=hook_entry/type:(tc|xdp)",
                              "--require=test_run_xdp", "--benchmark_format=json"})
                        .out),
             fields);

  std::set<std::string> always, known;
  for (std::string line : golden_lines("result_fields.txt")) {
    const bool optional = line.ends_with(" ?");
    if (optional) line.erase(line.size() - 2);
    known.insert(line);
    if (!optional) always.insert(line);
  }
  constexpr const char* kHowToUpdate =
      "Readers of result files depend on these. If the change is on purpose, edit "
      "tests/golden/result_fields.txt and the list in harness/README.md, and raise "
      "kResultSchemaVersion if a field went or changed its meaning.";
  EXPECT_THAT(always, IsSubsetOf(fields)) << "Fields that went. " << kHowToUpdate;
  EXPECT_THAT(fields, IsSubsetOf(known)) << "Fields that are new. " << kHowToUpdate;
}

}  // namespace
}  // namespace bpfmark
