// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/smoke/bench_program.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

// On a small machine, an emulated one, an old kernel.
void expect_absent_for_us_too(const nlohmann::json& skip) {
  const ProcessResult run =
      run_bench({"--benchmark_dry_run",
                 fmt::format("--benchmark_filter=^{}$", skip["name"].get<std::string>()),
                 "--benchmark_format=json"});
  ASSERT_THAT(run, ExitsWith(0));
  EXPECT_THAT(parsed(run.out)["skips"], ElementsAre(skip));
}

TEST(Unprivileged, CasesAreSkippedNamingWhatIsNotPermittedAndTheRunIsGood) {
  const ProcessResult result = PublicCopy().run({"--benchmark_dry_run", "--benchmark_format=json"});
  ASSERT_THAT(result, ExitsWith(0));
  EXPECT_THAT(result.err, IsEmpty());
  const nlohmann::json document = parsed(result.out);
  EXPECT_THAT(document["failures"], IsEmpty());
  // What is measured without a program, and nothing else.
  EXPECT_THAT(names_of(document["benchmarks"]),
              AllOf(Contains("clock/read:user_monotonic"),
                    Contains("process_lifecycle/op:fork_exec/probe:none"),
                    Each(AnyOf("clock/read:user_monotonic", "histogram/record:user",
                               "load_floor/op:nop/wakeup:blocking",
                               MatchesRegex("(process_lifecycle|page_fault)/.*/probe:none"),
                               MatchesRegex("compute/.*/for:host_.*"),
                               MatchesRegex("copy/.*/by:host_.*")))));
  ASSERT_THAT(document["skips"], Not(IsEmpty()));
  std::set<std::string> absent;
  for (const auto& skip : document["skips"]) {
    SCOPED_TRACE(skip.dump());
    if (skip["support"] == "absent") {
      if (absent.insert(skip["capability"]).second) expect_absent_for_us_too(skip);
      continue;
    }
    EXPECT_EQ(skip["support"], "not permitted");
    EXPECT_THAT(skip["cause"].get<std::string>(),
                HasSubstr(skip["capability"].get<std::string>() + ": "));
    EXPECT_THAT(skip["cause"].get<std::string>(),
                AnyOf(HasSubstr("Operation not permitted"), HasSubstr("Permission denied")));
    EXPECT_THAT(skip["remedy"].get<std::string>(), HasSubstr("root"));
  }
}

TEST(Unprivileged, TableSaysSkippedWithCauseAndRemedy) {
  const ProcessResult result =
      PublicCopy().run({"--benchmark_dry_run", "--benchmark_filter=clock/read:ktime$"});
  EXPECT_THAT(result, ExitsWith(0));
  EXPECT_THAT(result.out, HasSubstr("skipped: test_run_tc: "));
  EXPECT_THAT(result.out, HasSubstr("run as root"));
  EXPECT_THAT(result.err, HasSubstr("0 numbers, 1 skips, 0 failures"));
}

TEST(Unprivileged, RequiredCapabilityMakesTheSkipAFailure) {
  const PublicCopy bench;
  const std::string out = bench.file("run.json");
  const ProcessResult result = bench.run({"--benchmark_dry_run", "--benchmark_filter=clock/read",
                                          "--require=test_run_tc", "--benchmark_out=" + out});
  EXPECT_THAT(result, ExitsWith(1));
  EXPECT_THAT(result.out, HasSubstr("FAILED: test_run_tc: "));
  // The file is written all the same.
  const nlohmann::json document = parsed_file(out);
  EXPECT_THAT(document["skips"], IsEmpty());
  ASSERT_THAT(document["failures"], Not(IsEmpty()));
  for (const auto& failure : document["failures"]) {
    EXPECT_THAT(failure["error_message"].get<std::string>(), HasSubstr("test_run_tc"));
  }
}

TEST(Unprivileged, RequiredCapabilityThatNoCaseNeedsChangesNothing) {
  const ProcessResult result = PublicCopy().run(
      {"--benchmark_dry_run", "--benchmark_filter=clock/read:ktime$", "--require=map_hash"});
  EXPECT_THAT(result, ExitsWith(0));
}

TEST(Unprivileged, ProbeAndListWork) {
  const ProcessResult probe = PublicCopy().run({"probe", "--json"});
  EXPECT_THAT(probe, ExitsWith(0));
  for (const auto& capability : parsed(probe.out)) {
    const std::string name = capability["name"].get<std::string>();
    if (name.starts_with("test_run_")) {
      EXPECT_EQ(capability["support"], "not permitted") << name;
    }
  }
  EXPECT_THAT(PublicCopy().run({"list"}), ExitsWith(0));
}

}  // namespace
}  // namespace bpfmark
