// SPDX-License-Identifier: BSD-2-Clause
// Output that cannot be written: exit 1, a message, and no part of a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/smoke/bench_program.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kDryRun = "--benchmark_dry_run";
const std::string kOneCase = "--benchmark_filter=^clock/read:user_monotonic$";
const std::string kManyCases = "--benchmark_filter=^(clock|hook_entry|map_lookup_table3)/";

std::vector<std::string> files_in(const TemporaryDirectory& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    names.push_back(entry.path().filename());
  }
  return names;
}

// --- the result file

TEST(Unwritable, PathIsRefusedBeforeAnythingIsMeasured) {
  const TemporaryDirectory directory;
  for (const std::string& path : {directory.file("nowhere/run.json"), directory.path().string(),
                                  std::string("/proc/run.json")}) {
    SCOPED_TRACE(path);
    const ProcessResult run = run_bench({kDryRun, kOneCase, "--benchmark_out=" + path});
    EXPECT_THAT(run, ExitsWith(1));
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, HasSubstr("write " + path + ": "));
  }
  EXPECT_THAT(files_in(directory), IsEmpty());
}

TEST(Unwritable, DirectoryOfSomebodyElseIsRefusedBeforeAnythingIsMeasured) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  const TemporaryDirectory others;
  std::filesystem::permissions(others.path(), std::filesystem::perms(0755));
  const ProcessResult run =
      PublicCopy().run({kDryRun, kOneCase, "--benchmark_out=" + others.file("run.json")});
  EXPECT_THAT(run, ExitsWith(1));
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, HasSubstr("Permission denied"));
}

TEST(FullDisk, IsExitOneWithAMessage) {
  const ProcessResult run = run_bench({kDryRun, kOneCase, "--benchmark_out=/dev/full"});
  EXPECT_THAT(run, ExitsWith(1));
  EXPECT_THAT(run.err, HasSubstr("write /dev/full: No space left on device"));
}

TEST(FullDisk, FileThatMayNotGrowLeavesNoPartOfItself) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("run.json");
  const ProcessResult run = run_bench_with(
      {.arguments = {kDryRun, kOneCase, "--benchmark_out=" + path}, .file_size_limit = 1024});
  EXPECT_THAT(run, ExitsWith(1));
  EXPECT_THAT(run.err, HasSubstr("write " + path + ": File too large"));
  EXPECT_THAT(files_in(directory), IsEmpty());
}

TEST(FullDisk, OlderResultStaysWhole) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("run.json");
  std::ofstream(path) << "older";
  const ProcessResult run = run_bench_with(
      {.arguments = {kDryRun, kOneCase, "--benchmark_out=" + path}, .file_size_limit = 1024});
  EXPECT_THAT(run, ExitsWith(1));
  EXPECT_THAT(files_in(directory), ElementsAre("run.json"));
  std::ifstream file(path);
  std::string content;
  std::getline(file, content);
  EXPECT_EQ(content, "older");
}

// --- stdout

class FullStdout : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(FullStdout, IsExitOneWithOneMessage) {
  const ProcessResult run = run_bench_with({.arguments = GetParam(), .stdout_path = "/dev/full"});
  EXPECT_THAT(run, ExitsWith(1));
  EXPECT_THAT(run.err, AllOf(HasSubstr("stdout"), HasSubstr("No space left on device")));
}

INSTANTIATE_TEST_SUITE_P(
    Of, FullStdout,
    ::testing::Values(std::vector<std::string>{kDryRun, kOneCase},
                      std::vector<std::string>{kDryRun, kOneCase, "--benchmark_format=json"},
                      std::vector<std::string>{kDryRun, kOneCase, "--benchmark_format=csv"},
                      std::vector<std::string>{"list"}, std::vector<std::string>{"list", "--json"},
                      std::vector<std::string>{"probe"}, std::vector<std::string>{"--version"},
                      std::vector<std::string>{"--help"}));

TEST(ResultFileBesideAFullStdout, IsWrittenAllTheSame) {
  // The second one's table does not fit into the buffer of stdout.
  for (const auto& [filter, cases] : {std::pair(kOneCase, 1u), std::pair(kManyCases, 55u)}) {
    const TemporaryDirectory directory;
    const std::string path = directory.file("run.json");
    const ProcessResult run = run_bench_with(
        {.arguments = {kDryRun, filter, "--benchmark_out=" + path}, .stdout_path = "/dev/full"});
    EXPECT_THAT(run, ExitsWith(1));
    const nlohmann::json document = parsed_file(path);
    EXPECT_EQ(document["benchmarks"].size() + document["skips"].size(), cases);
  }
}

}  // namespace
}  // namespace bpfmark
