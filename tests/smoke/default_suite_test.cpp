// SPDX-License-Identifier: BSD-2-Clause
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/smoke/bench_program.h"

namespace bpfmark {
namespace {

TEST(DryRun, SkipsNothingForWantOfWhatIsThere) {
  BPFMARK_NEEDS_BPF();
  const ProcessResult probe = run_bench({"probe", "--json"});
  std::set<std::string> supported;
  for (const auto& c : parsed(probe.out)) {
    if (c["support"] == "supported") supported.insert(c["name"]);
  }
  const ProcessResult run = run_bench({"--benchmark_dry_run", "--benchmark_format=json"});
  ASSERT_THAT(run, ExitsWith(0));
  const nlohmann::json document = parsed(run.out);
  // What is skipped is skipped for want of something that the probe misses too.
  for (const auto& skip : document["skips"]) {
    EXPECT_FALSE(supported.contains(skip["capability"])) << skip.dump();
  }
}

}  // namespace
}  // namespace bpfmark
