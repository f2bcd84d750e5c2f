// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/smoke/bench_program.h"

namespace bpfmark {
namespace {

using ::testing::ContainerEq;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

// --- names are public: they change on purpose only

constexpr const char* kHowToUpdateNames =
    "If the change is on purpose, write the list anew, from the top of the checkout:\n"
    "  build/bench list --names | LC_ALL=C sort > tests/golden/benchmark_names.txt\n"
    "and say so in the commit: whoever compares results by name must follow.";

TEST(GoldenNames, OfCases) {
  const ProcessResult list = run_bench({"list", "--names"});
  ASSERT_THAT(list, ExitsWith(0));
  std::vector<std::string> names = lines_of(list.out);
  std::ranges::sort(names);
  EXPECT_THAT(names, ContainerEq(golden_lines("benchmark_names.txt"))) << kHowToUpdateNames;
}

TEST(GoldenNames, OfCapabilities) {
  const ProcessResult probe = run_bench({"probe", "--json"});
  ASSERT_THAT(probe, ExitsWith(0));
  std::vector<std::string> names = names_of(parsed(probe.out));
  std::ranges::sort(names);
  EXPECT_THAT(names, ContainerEq(golden_lines("capability_names.txt")))
      << "If the change is on purpose, write the list anew, from the top of the checkout:\n"
         "  build/bench probe | awk '/^[^ ]/ { print $1 }' | LC_ALL=C sort"
         " > tests/golden/capability_names.txt\n"
         "and look for the name in ci/promised-features.txt and --require=.";
}

// --- every case gives a number or a typed skip

void expect_number(const nlohmann::json& entry) {
  SCOPED_TRACE(entry.value("name", "a case without a name"));
  for (const char* field : {"real_time", "cpu_time", "min_ns", "ops", "iterations"}) {
    ASSERT_TRUE(entry.contains(field)) << field;
    EXPECT_TRUE(std::isfinite(entry[field].get<double>())) << field;
    EXPECT_GT(entry[field].get<double>(), 0) << field;
  }
  for (const char* field : {"floor_ns", "net_ns"}) {
    ASSERT_TRUE(entry.contains(field)) << field;
    EXPECT_TRUE(std::isfinite(entry[field].get<double>())) << field;
  }
  EXPECT_EQ(entry["name"], entry["run_name"]);
  EXPECT_EQ(entry["run_type"], "iteration");
}

void expect_typed_skip(const nlohmann::json& skip) {
  SCOPED_TRACE(skip.value("name", "a skip without a name"));
  EXPECT_THAT(skip["support"].get<std::string>(),
              ::testing::AnyOf("absent", "not permitted", "unknown"));
  for (const char* field : {"capability", "cause", "remedy"}) {
    EXPECT_THAT(skip[field].get<std::string>(), Not(IsEmpty())) << field;
  }
}

void expect_table_fits(const std::string& table) {
  for (const std::string& line : lines_of(table)) {
    // What is skipped has a cause and a remedy to tell, which are no table.
    if (line.find("skipped: ") != std::string::npos) continue;
    EXPECT_THAT(line, SizeIs(Le(120u)));
  }
}

// Runs what the flag selects and compares the names with those that were to run.
void expect_numbers_or_skips_of(const std::string& filter) {
  const ProcessResult selected = run_bench({"--benchmark_list_tests", filter});
  const TemporaryDirectory directory;
  const std::string path = directory.path() / "run.json";
  const ProcessResult run = run_bench({filter, "--benchmark_dry_run", "--benchmark_out=" + path});
  EXPECT_THAT(run, ExitsWith(0));
  expect_table_fits(run.out);
  const nlohmann::json document = parsed_file(path);
  ASSERT_TRUE(document.is_object());
  EXPECT_THAT(document["failures"], IsEmpty());
  for (const auto& entry : document["benchmarks"]) expect_number(entry);
  for (const auto& skip : document["skips"]) expect_typed_skip(skip);
  std::vector<std::string> names = names_of(document["benchmarks"]);
  const std::vector<std::string> skipped = names_of(document["skips"]);
  names.insert(names.end(), skipped.begin(), skipped.end());
  EXPECT_THAT(names, UnorderedElementsAreArray(lines_of(selected.out)));
}

// All that do not fill a table of a Mi entries, which takes seconds each.
TEST(DryRun, OfEveryCaseGivesANumberOrATypedSkip) {
  expect_numbers_or_skips_of("--benchmark_filter=-entries:1048576");
}

TEST(DryRun, OfASampleOfTheLargestTablesDoesSoToo) {
  expect_numbers_or_skips_of("--benchmark_filter=access:hit/keys:uniform/entries:1048576/value:8$");
}

}  // namespace
}  // namespace bpfmark
