// SPDX-License-Identifier: BSD-2-Clause
// Whole runs of made-up cases, each in a process of its own: Google Benchmark keeps global state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "harness/commands.h"
#include "tests/harness/fake_load.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::ExitedWithCode;
using ::testing::SizeIs;

constexpr int kRepetitions = 3;

// Runs `load` as the only case. The exit status is the process's.
[[noreturn]] void run_case(Loader load, MeasureOptions measure, const std::string& out_path) {
  Registry registry;
  registry.add({.name = "made/up:case",
                .plan = {.ops_per_batch = 100, .rounds = 4, .loads = 1},
                .load = std::move(load)});
  RunOptions options;
  options.measure = measure;
  options.repetitions = kRepetitions;
  options.out_path = out_path;
  options.library_arguments = {"--benchmark_repetitions=" + std::to_string(kRepetitions)};
  std::exit(run_benchmarks(registry, options));
}

class RunDeathTest : public ::testing::Test {
 protected:
  nlohmann::json written() const {
    return nlohmann::json::parse(std::ifstream(path_), nullptr, false);
  }

  std::size_t count_of_runs(const nlohmann::json& document) const {
    std::size_t runs = 0;
    for (const auto& entry : document.at("benchmarks")) runs += entry.at("run_type") == "iteration";
    return runs;
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("run.json");
};

TEST_F(RunDeathTest, RepetitionsOfEqualLengthAreAllReported) {
  const Loader steady =
      loader_of(claiming([](Arm, std::uint64_t ops) { return 10.0 * static_cast<double>(ops); }));
  EXPECT_EXIT(run_case(steady, {}, path_), ExitedWithCode(kExitOk), "3 numbers");
  EXPECT_EQ(count_of_runs(written()), std::size_t{kRepetitions});
}

// As with --benchmark_min_time: the faster the machine happens to be, the more operations.
TEST_F(RunDeathTest, RepetitionsOfDifferentLengthAreAllReported) {
  int loads = 0;
  const Loader faster_each_time = [&loads]() -> Result<std::unique_ptr<PairedLoad>> {
    const double per_op_ns = 10.0 / ++loads;
    return loader_of(claiming(
        [per_op_ns](Arm, std::uint64_t ops) { return per_op_ns * static_cast<double>(ops); }))();
  };
  EXPECT_EXIT(run_case(faster_each_time, {.min_time_s = 1e-3}, path_), ExitedWithCode(kExitOk),
              "3 numbers");
  ASSERT_TRUE(written().is_object());
  EXPECT_EQ(count_of_runs(written()), std::size_t{kRepetitions});
}

TEST_F(RunDeathTest, ARepetitionThatFailsDoesNotTakeTheOthersWithIt) {
  int loads = 0;
  const Loader second_is_wrong = [&loads]() -> Result<std::unique_ptr<PairedLoad>> {
    if (++loads == 2) return wrong_result("7 hits of 8");
    return loader_of(
        claiming([](Arm, std::uint64_t ops) { return 10.0 * static_cast<double>(ops); }))();
  };
  EXPECT_EXIT(run_case(second_is_wrong, {}, path_), ExitedWithCode(kExitFailure),
              "2 numbers, 0 skips, 1 failures");
  const nlohmann::json document = written();
  ASSERT_TRUE(document.is_object());
  EXPECT_EQ(count_of_runs(document), 2u);
  EXPECT_THAT(document.at("failures"), SizeIs(1));
}

}  // namespace
}  // namespace bpfmark
