// SPDX-License-Identifier: BSD-2-Clause
// Formats whose readers cannot be installed are held against the rules of those (readers.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "ci/judge/export.h"
#include "tests/judge/readers.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Launch launch_of(const ordered_json& document) {
  std::istringstream in(document.dump());
  Result<Launch> launch = parse_rows(in, "run.json");
  EXPECT_THAT(launch, IsOk());
  return launch ? std::move(*launch) : Launch{};
}

// Two runs with all that names and labels may hold; the second one is the older.
ExportInput awkward_input() {
  ExportInput input;
  for (const char* const date : {"2026-01-02T00:00:00+00:00", "2026-01-02T00:30:00+01:00"}) {
    ordered_json result = empty_result();
    result["context"]["date"] = date;
    result["context"]["bpfmark"]["label"] = "a\nBenchmarkX 1 1 ns/op\r\t\"b\", é\xe2\x80\xa8";
    double net_ns = 1e-9;
    for (const std::string name :
         {"map_lookup/type:hash/n:8", "one", "9 lives/odd key:a\xc2\xa0\xe2\x80\xa8z,\"q\"",
          "ends/in:cpus-16", "/", "x//:y", "é"}) {
      ordered_json entry = entry_of(name, {{"net_ns", net_ns},
                                           {"net_lo_ns", net_ns},
                                           {"net_hi_ns", net_ns * 3},
                                           {"p99_ns", 5},
                                           {"insns_xlated", 33}});
      entry["verdict"] = "resolved";
      result["benchmarks"].push_back(std::move(entry));
      net_ns *= 1000;
    }
    input.launches.push_back(launch_of(result));
  }
  return input;
}

ExportInput golden_input() {
  ExportInput input;
  input.launches.push_back(
      launch_of(ordered_json::parse(text_of(BPFMARK_GOLDEN_DIRECTORY "/export/result.json"))));
  return input;
}

TEST(ExportReaders, BenchstatReadsEveryLine) {
  const auto golden = read_benchfmt(export_benchfmt(golden_input()).value_or(""));
  ASSERT_THAT(golden, IsOk());
  ASSERT_EQ(golden->size(), 5u);
  EXPECT_EQ(golden->front().name, "Map_lookup/type=hash/access=hit");
  EXPECT_EQ(golden->front().units.at("net-ns/op"), 10.25);
  EXPECT_EQ(golden->front().configuration.at("goarch"), "amd64");
  const auto awkward = read_benchfmt(export_benchfmt(awkward_input()).value_or(""));
  ASSERT_THAT(awkward, IsOk());
  ASSERT_EQ(awkward->size(), 14u);
  EXPECT_EQ((*awkward)[0].name, "Map_lookup/type=hash/n=8");
  EXPECT_EQ((*awkward)[0].units.at("net-ns/op"), 1e-9);
  EXPECT_EQ((*awkward)[3].name, "Ends/in=cpus-16") << "no number of CPUs";
}

TEST(ExportReaders, GithubActionFindsEveryValue) {
  EXPECT_THAT(read_github_action(export_github_action(golden_input()).value_or("")),
              IsOkAndHolds(
                  UnorderedElementsAre(Pair("map_lookup/type:hash/access:hit", 10.75),
                                       Pair("odd/key:a \"b\",c|d::e%\\é<&>-8", 1),
                                       Pair("syscall_latency/call:execve/monitor:none", 20000.5))));
  const auto awkward = read_github_action(export_github_action(awkward_input()).value_or(""));
  ASSERT_THAT(awkward, IsOk());
  EXPECT_EQ(awkward->size(), 7u);
}

TEST(ExportReaders, BencherFindsEveryMeasure) {
  const auto golden = read_bencher(export_bencher(golden_input()).value_or(""));
  ASSERT_THAT(golden, IsOk());
  EXPECT_EQ(golden->at("map_lookup/type:hash/access:hit latency"), 10.75);
  EXPECT_EQ(golden->at("map_lookup/type:hash/access:hit jited-bytes"), 555);
  const auto awkward = read_bencher(export_bencher(awkward_input()).value_or(""));
  ASSERT_THAT(awkward, IsOk());
  EXPECT_EQ(awkward->size(), 7u * 4);  // latency, raw-latency, p99-latency, insns-xlated
}

TEST(ExportReaders, OtavaFindsEveryColumn) {
  EXPECT_THAT(read_otava(export_otava(golden_input()).value_or("")), IsOk());
  const auto awkward = read_otava(export_otava(awkward_input()).value_or(""));
  ASSERT_THAT(awkward, IsOk());
  EXPECT_EQ(awkward->size(), 7u);
  EXPECT_THAT(awkward->at("one"), ElementsAre(DoubleEq(1e-6), DoubleEq(1e-6)));
}

// --- the readers themselves: what they must refuse

TEST(ReadBenchfmt, RefusesWhatBenchstatWould) {
  for (const auto& [text, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"BenchmarkA\n", "1: parsing iteration count"},
           {"BenchmarkA 1.5 2 ns/op\n", "1: parsing iteration count"},
           {"BenchmarkA 1\n", "1: missing measurements"},
           {"BenchmarkA 1 2\n", "1: missing measurements"},
           {"BenchmarkA 1 2 ns/op 3\n", "1: missing units"},
           {"BenchmarkA 1 x ns/op\n", "1: parsing measurement"},
           {"BenchmarkA 1 nan ns/op\n", "1: parsing measurement"},
           {"BenchmarkA 1 2 ns/op 3 ns/op\n", "1: a unit stands twice"},
           {"BenchmarkA\xc2\xa0 1 2 ns/op\n", "1: not plain ASCII"},
           {"Unit x =1\n", "1: expected key=value"},
           {"Unit x a=1\nUnit x a=2\n", "2: metadata already set"},
           {"Goos: linux\n", "1: would be ignored"},
           {"goos:linux\n", "1: would be ignored"},
           {"key: " + std::string(70'000, 'x') + "\n", "1: token too long"}}) {
    EXPECT_THAT(read_benchfmt(text), ErrorIs(ErrorKind::kWrongResult, complaint));
  }
}

TEST(ReadGithubAction, RefusesWhatTheActionWould) {
  for (const auto& [text, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"{", "must be JSON file containing an array"},
           {"{}", "must be JSON file containing an array"},
           {"[]", "No benchmark result was found"},
           {R"([{"name":"a","value":1}])", "[0]: no unit"},
           {R"([{"name":"a","value":"1","unit":"ns"}])", "[0]: value"},
           {R"([{"name":"a","value":1,"unit":"ns","range":"± 5"}])", "[0]: range"},
           {R"([{"name":"a","value":1,"unit":"ns","range":"± 5 %"}])", "[0]: range"},
           {R"([{"name":"a","value":1,"unit":"ns"},{"name":"a","value":1,"unit":"ns"}])",
            "[1]: the name stands twice"}}) {
    EXPECT_THAT(read_github_action(text), ErrorIs(ErrorKind::kWrongResult, complaint));
  }
}

TEST(ReadBencher, RefusesWhatBencherWould) {
  for (const auto& [text, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "expected an object"},
           {R"({"":{"latency":{"value":1}}})", ": invalid name"},
           {R"({"a":{}})", "a: no measures"},
           {R"({"a_bencher_ignore":{"latency":{"value":1}}})",
            "a_bencher_ignore: would be ignored"},
           {R"({"a":{"p99_ns":{"value":1}}})", "a: p99_ns: no slug"},
           {R"({"a":{"latency":1}})", "a: latency: expected an object"},
           {R"({"a":{"latency":{"lower_value":1}}})", "a: latency: missing field 'value'"},
           {R"({"a":{"latency":{"value":null}}})", "a: latency: expected a number"},
           {R"({"a":{"latency":{"value":1,"upper_value":0.5}}})",
            "a: latency: the value is not between its bounds"}}) {
    EXPECT_THAT(read_bencher(text), ErrorIs(ErrorKind::kWrongResult, complaint));
  }
}

TEST(ReadOtava, RefusesWhatOtavaWould) {
  const std::string header = "time,commit,\"a\",b\n", time = "2026-01-02T00:00:00+00:00";
  for (const auto& [text, complaint] : std::vector<std::pair<std::string, std::string>>{
           {"", "no rows"},
           {header, "no rows"},
           {"date,commit,a\n", "1: Column not found"},
           {"time,commit,a,\"a\"\n", "1: a column stands twice"},
           {header + time + ",c,1\n", "2: Number of values in the row"},
           {header + time + ",c,1,\n", "2: Could not convert value in column b"},
           {header + "yesterday,c,1,2\n", "2: Invalid datetime value"},
           {header + time + ",\"c,1,2\n", "2: quotes"}}) {
    EXPECT_THAT(read_otava(text), ErrorIs(ErrorKind::kWrongResult, complaint));
  }
}

}  // namespace
}  // namespace bpfmark
