// SPDX-License-Identifier: BSD-2-Clause
// The program on a machine that has less than its cases ask for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>
#include <string>

#include "fixtures/cgroup.h"
#include "harness/guards.h"
#include "tests/smoke/bench_program.h"
#include "tests/support/promised.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

nlohmann::json dry_run_of(const std::string& filter) {
  const ProcessResult run =
      run_bench({"--benchmark_dry_run", "--benchmark_format=json", "--benchmark_filter=" + filter});
  EXPECT_THAT(run, ExitsWith(0));
  nlohmann::json document = parsed(run.out);
  EXPECT_THAT(document["failures"], IsEmpty());
  return document;
}

TEST(SmallMachine, MemoryThatIsShortIsASkipThatNamesTheNeedAndKillsNobody) {
  BPFMARK_NEEDS_BPF();
  const Result<Cgroup> cgroup = Cgroup::create_for_memory();  // the program starts in it as well
  if (!cgroup) BPFMARK_SKIP_OR_FAIL(cgroup.error());
  ASSERT_TRUE(std::ofstream(cgroup->path() + "/memory.limit_in_bytes") << (192 << 20));
  const nlohmann::json document = dry_run_of(
      "^map_(lookup|user)/.*type:hash/.*keys:uniform/entries:(1024|1048576)/.*value:256$");
  EXPECT_THAT(names_of(document["benchmarks"]), AllOf(Not(IsEmpty()), Each(HasSubstr(":1024/"))));
  ASSERT_THAT(names_of(document["skips"]), AllOf(Not(IsEmpty()), Each(HasSubstr(":1048576/"))));
  for (const auto& skip : document["skips"]) {
    EXPECT_EQ(skip["capability"], "memory");
    EXPECT_THAT(skip["remedy"].get<std::string>(), HasSubstr("needs about 389 MiB"));
  }
}

TEST(SmallMachine, OneCpuSkipsWhatNeedsTwo) {
  BPFMARK_NEEDS_BPF();
  cpu_set_t all, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(all), &all), 0);
  CPU_ZERO(&one);
  CPU_SET(allowed_cpus().front(), &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  const nlohmann::json document =
      dry_run_of("^(map_contention/by:atomic/.*|channel/by:mmap/wakeup:none/bytes:64/.*)$");
  ASSERT_EQ(::sched_setaffinity(0, sizeof(all), &all), 0);
  EXPECT_THAT(
      names_of(document["benchmarks"]),
      AllOf(Not(IsEmpty()), Each(AnyOf(HasSubstr("/cpus:1"), HasSubstr("/producers:1/cpu:same")))));
  EXPECT_THAT(names_of(document["skips"]),
              AllOf(Contains(HasSubstr("/cpus:2")), Contains(HasSubstr("/producers:2/")),
                    Contains(HasSubstr("/cpu:split"))));
  for (const auto& skip : document["skips"]) EXPECT_EQ(skip["capability"], "two_cpus");
}

// No kernel of today has this one.
TEST(SmallMachine, KfuncThatTheKernelLacksIsNamed) {
  BPFMARK_NEEDS_BPF();
  const nlohmann::json document = dry_run_of("^exit/by:die/depth:1/work:0$");
  ASSERT_THAT(names_of(document["skips"]), Not(IsEmpty()));
  const auto& skip = document["skips"][0];
  EXPECT_EQ(skip["support"], "absent");
  EXPECT_THAT(skip["cause"].get<std::string>(), HasSubstr("bpf_die_kfunc"));
}

}  // namespace
}  // namespace bpfmark
