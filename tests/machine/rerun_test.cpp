// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/rerun_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "ci/judge/shown_text.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string written_result(const TemporaryDirectory& directory,
                           const std::vector<std::string>& arguments) {
  nlohmann::ordered_json result = result_of({{"a", {{"net_ns", 5}}}});
  result["context"]["bpfmark"]["arguments"] = arguments;
  write_text(directory.file("run.json"), result.dump());
  return directory.file("run.json");
}

TEST(RerunArguments, AreTheRecordedOnesWithoutTheirResultFile) {
  const TemporaryDirectory directory;
  const auto launch = read_launch(
      written_result(directory, {"bench", "--suite=full", "--benchmark_out=a.json", "--label",
                                 "x y", "--benchmark_out", "b.json", "--benchmark_out_format=csv",
                                 "--benchmark_out_format", "json", "--keep-rounds"}),
      {});
  ASSERT_THAT(launch, IsOk());
  EXPECT_THAT(rerun_arguments(*launch, {}),
              IsOkAndHolds(ElementsAre("--suite=full", "--label", "x y", "--keep-rounds")));
  EXPECT_THAT(rerun_arguments(*launch, {.out_path = "c.json", .extra = {"--cpu=0"}}),
              IsOkAndHolds(ElementsAre("--suite=full", "--label", "x y", "--keep-rounds",
                                       "--benchmark_out=c.json", "--cpu=0")));
}

TEST(RerunArguments, OfMoreThanTenStayInOrder) {
  const TemporaryDirectory directory;
  std::vector<std::string> arguments = {"bench"};
  for (int i = 0; i < 12; ++i) arguments.push_back("--flag" + std::to_string(i));
  const auto launch = read_launch(written_result(directory, arguments), {});
  ASSERT_THAT(launch, IsOk());
  arguments.erase(arguments.begin());
  EXPECT_THAT(rerun_arguments(*launch, {}), IsOkAndHolds(arguments));
}

TEST(ShellLine, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_line({"bench", "--cpu=3", "--label=it's $HOME", ""}),
            "bench --cpu=3 '--label=it'\\''s $HOME' ''");
}

TEST(Rerun, RefusesAFileWithoutArgumentsAndWhatCannotBeStarted) {
  const TemporaryDirectory directory;
  std::ostringstream out, err;
  EXPECT_EQ(run_rerun({.input = written_result(directory, {})}, out, err), 2);
  EXPECT_THAT(err.str(), HasSubstr("run.json: records no arguments"));
  EXPECT_EQ(run_rerun({.input = directory.file("absent")}, out, err), 2);
  EXPECT_EQ(run_rerun({.input = written_result(directory, {"bench"}), .bench = "/no/such/bench"},
                      out, err),
            2);
  EXPECT_THAT(err.str(), HasSubstr("start /no/such/bench: No such file"));
}

TEST(Rerun, PrintsTheCommandAndWhatIsDifferentNow) {
  const TemporaryDirectory directory;
  std::ostringstream out, err;
  const std::string path = written_result(directory, {"bench", "--suite=full"});
  EXPECT_EQ(run_rerun({.input = path, .bench = "/opt/bench", .print_only = true}, out, err), 0);
  EXPECT_EQ(out.str(), "/opt/bench --suite=full\n");
  EXPECT_THAT(err.str(), HasSubstr("note: build.commit differs: 'c0ffee' | '"));
}

}  // namespace
}  // namespace bpfmark
