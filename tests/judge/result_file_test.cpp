// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/result_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
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

class ReadResults : public ::testing::Test {
 protected:
  // Writes one launch into the directory.
  void add(const std::string& file, const ordered_json& result) {
    write_text(directory_.file(file), result.dump(2));
  }

  Result<ResultSet> read(bool force = false) {
    return read_results(directory_.path().string(), {.metrics = {"net_ns"}, .force = force});
  }

  TemporaryDirectory directory_;
};

TEST_F(ReadResults, TakesEveryFileOfADirectoryAsOneSample) {
  add("b.json", result_of({{"x", {{"net_ns", 2}}}}));
  add("a.json", result_of({{"x", {{"net_ns", 1}}}}));
  add("c.json", result_of({{"x", {{"net_ns", 3}}}, {"y", {{"net_ns", 9}}}}));
  write_text(directory_.file("notes.txt"), "not a result");
  const auto set = read();
  ASSERT_THAT(set, IsOk());
  EXPECT_THAT(set->files, ElementsAre(directory_.file("a.json"), directory_.file("b.json"),
                                      directory_.file("c.json")));
  ASSERT_NE(set->find("x"), nullptr);
  EXPECT_THAT(set->find("x")->metrics, ElementsAre(Pair("net_ns", ElementsAre(1, 2, 3))));
  EXPECT_THAT(set->find("y")->metrics, ElementsAre(Pair("net_ns", ElementsAre(9))));
  EXPECT_EQ(set->find("z"), nullptr);
}

TEST_F(ReadResults, TakesOneFileAsOneLaunch) {
  add("a.json", result_of({{"x", {{"net_ns", 1}}}}));
  const auto set = read_results(directory_.file("a.json"), {.metrics = {"net_ns"}});
  ASSERT_THAT(set, IsOk());
  EXPECT_THAT(set->files, SizeIs(1));
}

TEST_F(ReadResults, KeepsTheOrderOfTheFile) {
  ordered_json result = empty_result();
  for (const char* name : {"z", "a", "m"}) {
    result["benchmarks"].push_back(entry_of(name, {{"net_ns", 1}}));
  }
  add("a.json", result);
  const auto set = read();
  ASSERT_THAT(set, IsOk());
  std::vector<std::string> names;
  for (const BenchmarkSamples& benchmark : set->benchmarks) names.push_back(benchmark.name);
  EXPECT_THAT(names, ElementsAre("z", "a", "m"));
}

TEST_F(ReadResults, OfAnEmptyDirectoryIsAnError) {
  EXPECT_THAT(read(), ErrorIs(ErrorKind::kWrongResult, HasSubstr("no *.json in this directory")));
}

TEST_F(ReadResults, NamesTheOneBadFileAmongGoodOnes) {
  add("a.json", result_of({{"x", {{"net_ns", 1}}}}));
  write_text(directory_.file("b.json"), "{");
  EXPECT_THAT(read(true), ErrorIs(ErrorKind::kWrongResult, HasSubstr(directory_.file("b.json"))));
}

TEST_F(ReadResults, RefusesLaunchesOfDifferentThingsUnlessForced) {
  ordered_json other = result_of({{"x", {{"net_ns", 2}}}});
  other["context"]["bpfmark"]["build"]["commit"] = "decade";
  add("a.json", result_of({{"x", {{"net_ns", 1}}}}));
  add("b.json", other);
  const auto complaint =
      AllOf(HasSubstr(directory_.file("a.json") + " and " + directory_.file("b.json")),
            HasSubstr("build.commit differs: 'c0ffee' | 'decade'"));
  EXPECT_THAT(read(), ErrorIs(ErrorKind::kWrongResult, complaint));
  const auto forced = read(true);
  ASSERT_THAT(forced, IsOk());
  EXPECT_THAT(forced->forced, ElementsAre(complaint));
  EXPECT_THAT(forced->find("x")->metrics.at("net_ns"), ElementsAre(1, 2));
}

TEST_F(ReadResults, TakesLaunchesThatDifferInCircumstancesOnly) {
  ordered_json other = result_of({{"x", {{"net_ns", 2}}}});
  other["context"]["bpfmark"]["pinned_cpu"] = 0;
  other["context"]["bpfmark"]["label"] = "second";
  other["context"]["bpfmark"]["arguments"] = {"bench", "--benchmark_out=b.json"};
  add("a.json", result_of({{"x", {{"net_ns", 1}}}}));
  add("b.json", other);
  const auto set = read();
  ASSERT_THAT(set, IsOk());
  EXPECT_THAT(set->forced, IsEmpty());
}

TEST_F(ReadResults, RefusesDryDebugAndIncompleteRunsUnlessForced) {
  struct Defect {
    const char* pointer;
    ordered_json value;
    const char* complaint;
  };
  for (const auto& [pointer, value, complaint] :
       {Defect{"/context/bpfmark/dry_run", true, "dry run"},
        Defect{"/context/bpfmark/build/build_type", "Debug", "debug build"},
        Defect{"/context/library_build_type", "debug", "debug build"},
        Defect{"/context/bpfmark/incomplete", true, "stopped half-way"}}) {
    ordered_json result = result_of({{"x", {{"net_ns", 1}}}});
    result[ordered_json::json_pointer(pointer)] = value;
    add("a.json", result);
    EXPECT_THAT(read(), ErrorIs(ErrorKind::kWrongResult,
                                AllOf(HasSubstr("a.json: "), HasSubstr(complaint))));
    const auto forced = read(true);
    ASSERT_THAT(forced, IsOk());
    EXPECT_THAT(forced->forced, ElementsAre(HasSubstr(complaint)));
  }
}

TEST_F(ReadResults, KeepsTheReasonsOfSkipsAndFailures) {
  ordered_json result = result_of({{"x", {{"net_ns", 1}}}});
  result["skips"].push_back({{"name", "s"}, {"support", "absent"}, {"cause", "why"}});
  result["failures"].push_back({{"name", "f"}, {"error_message", "wrong"}});
  add("a.json", result);
  const auto set = read();
  ASSERT_THAT(set, IsOk());
  EXPECT_THAT(set->skips, ElementsAre(Pair("s", "absent: why")));
  EXPECT_THAT(set->failures, ElementsAre(Pair("f", "wrong")));
}

}  // namespace
}  // namespace bpfmark
