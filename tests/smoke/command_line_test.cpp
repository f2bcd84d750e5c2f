// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <ostream>
#include <string>
#include <vector>

#include "tests/smoke/bench_program.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The case that every machine and every user can run.
const std::string kUnprivileged = "--benchmark_filter=^clock/read:user_monotonic$";
const std::string kDryRun = "--benchmark_dry_run";
const std::string kOneEcho = "--benchmark_filter=echo_rtt/proto:udp/hook:tcx/payload:256";

// --- usage errors: exit 2, and one line that says what was expected

struct BadUsage {
  std::string name;
  std::vector<std::string> arguments;
  std::vector<std::string> line_has;
};

void PrintTo(const BadUsage& usage, std::ostream* out) { *out << usage.name; }

class UsageError : public ::testing::TestWithParam<BadUsage> {};

TEST_P(UsageError, IsExitTwoAndOneLineThatSaysWhatWasExpected) {
  const ProcessResult run = run_bench(GetParam().arguments);
  EXPECT_THAT(run, ExitsWith(2));
  EXPECT_THAT(run.out, IsEmpty());
  ASSERT_THAT(lines_of(run.err), SizeIs(1)) << run.err;
  for (const std::string& part : GetParam().line_has) EXPECT_THAT(run.err, HasSubstr(part));
  // Not how the parser keeps its tables.
  EXPECT_THAT(run.err,
              AllOf(StartsWith("bench: "), Not(HasSubstr("->")), Not(HasSubstr("FAILED"))));
}

INSTANTIATE_TEST_SUITE_P(
    Of, UsageError,
    ::testing::ValuesIn(std::vector<BadUsage>{
        {"UnknownFlag", {"--nope"}, {"--nope"}},
        {"UnknownWord", {"frobnicate"}, {"frobnicate"}},
        {"UnknownFlagOfList", {"list", "--nope"}, {"--nope"}},
        {"TwoFormsOfAList", {"list", "--names", "--json"}, {"--names", "--json"}},
        {"Suite", {"--suite=most"}, {"--suite", "default", "full"}},
        {"SuiteAsANumber", {"--suite=1"}, {"--suite", "default", "full"}},
        {"CpuThatIsNotThere", {"--cpu=4096"}, {"--cpu", "expected", "0"}},
        {"CpuThatIsNegative", {"--cpu=-1"}, {"--cpu", "expected", "0"}},
        {"CpuThatIsNoNumber", {"--cpu=first"}, {"--cpu", "expected", "0"}},
        {"CpuWithoutValue", {"--cpu"}, {"--cpu"}},
        {"OrderSeedThatIsNegative", {"--order-seed=-1"}, {"--order-seed", "-1"}},
        {"Requirement", {"--require=warp_drive"}, {"--require", "warp_drive", "bench probe"}},
        {"RequirementAmongGoodOnes",
         {"--require=test_run_tc,warp_drive"},
         {"--require", "warp_drive", "bench probe"}},
        {"Filter", {"--benchmark_filter=["}, {"--benchmark_filter", "regular expression"}},
        {"FilterThatMatchesNothing",
         {"--benchmark_filter=warp_drive"},
         {"warp_drive", "bench list --names"}},
        {"FilterOfListTests",
         {"--benchmark_list_tests", "--benchmark_filter=warp_drive"},
         {"warp_drive", "bench list --names"}},
        {"MinTime", {"--benchmark_min_time=long"}, {"--benchmark_min_time", "0.5s", "100x"}},
        {"MinTimeUnit", {"--benchmark_min_time=1h"}, {"--benchmark_min_time", "0.5s", "100x"}},
        {"MinTimeNegative", {"--benchmark_min_time=-1"}, {"--benchmark_min_time", "0.5s", "100x"}},
        {"MinTimeNotANumber",
         {"--benchmark_min_time=nan", kUnprivileged, kDryRun},
         {"--benchmark_min_time", "0.5s", "100x"}},
        {"MinTimeEndless", {"--benchmark_min_time=inf"}, {"--benchmark_min_time", "0.5s", "100x"}},
        {"MinTimePartOfAnOperation",
         {"--benchmark_min_time=0.5x"},
         {"--benchmark_min_time", "0.5s", "100x"}},
        {"WarmUp", {"--benchmark_min_warmup_time=-1"}, {"--benchmark_min_warmup_time", "3600"}},
        {"WarmUpNotANumber",
         {"--benchmark_min_warmup_time=nan", kUnprivileged, kDryRun},
         {"--benchmark_min_warmup_time", "3600"}},
        {"Repetitions", {"--benchmark_repetitions=0"}, {"--benchmark_repetitions", "1"}},
        {"RepetitionsNotANumber",
         {"--benchmark_repetitions=many"},
         {"--benchmark_repetitions", "1"}},
        {"Format", {"--benchmark_format=xml"}, {"--benchmark_format", "console", "json", "csv"}},
        {"OutFormat", {"--benchmark_out_format=xml"}, {"--benchmark_out_format", "json", "csv"}},
        {"TimeUnit", {"--benchmark_time_unit=h"}, {"--benchmark_time_unit", "ns", "us", "ms"}},
        {"Context", {"--benchmark_context=alone"}, {"--benchmark_context", "key=value"}},
        {"Colour", {"--benchmark_color=blue"}, {"--benchmark_color", "auto"}},
        {"DryRun", {"--benchmark_dry_run=perhaps"}, {"--benchmark_dry_run"}},
        {"Verbosity", {"--v=much"}, {"--v"}},
        {"PeerOfNobody", {"--peer=198.18.0.1", kOneEcho}, {"--client-if", "--dut-if"}},
        {"PeerThatIsNoAddress", {"--dut-if=lo", "--peer=there", kOneEcho}, {"--peer", "IPv4"}},
        {"HalfWithoutPeer", {"--client-if=lo", kOneEcho}, {"--client-if", "--peer"}},
        {"PeerOfBothEnds",
         {"--client-if=lo", "--dut-if=lo", "--peer=198.18.0.1", kOneEcho},
         {"--client-if", "--peer"}},
        {"DevicesForAnotherFamily",
         {"--client-if=lo", "--dut-if=lo", kUnprivileged},
         {"echo_rtt", "echo_open_loop", "clock/read"}},
        {"DevicesForNetkit",
         {"--client-if=lo", "--dut-if=lo", "--benchmark_filter=echo_rtt/.*hook:netkit"},
         {"netkit"}},
        {"HalfOfManyCases",
         {"--client-if=lo", "--peer=198.18.0.1", "--benchmark_filter=echo_rtt/proto:udp/hook:tcx"},
         {"one case", "echo_rtt/proto:udp/hook:tcx"}},
        {"HalfOverTcp",
         {"--client-if=lo", "--peer=198.18.0.1",
          "--benchmark_filter=echo_rtt/proto:tcp/hook:tcx/payload:256"},
         {"proto:tcp", "UDP"}},
        {"HalfWhoseFilterWouldStay",
         {"--dut-if=lo", "--peer=198.18.0.1",
          "--benchmark_filter=echo_rtt/proto:udp/hook:tc_clsact/payload:256"},
         {"tc_clsact", "tcx"}},
        {"Loopback", {"--dut-if=lo", "--peer=198.18.0.1", kOneEcho}, {"lo", "loopback"}},
        {"LoopbackAsBothEnds",
         {"--client-if=lo", "--dut-if=lo", kOneEcho},
         {"lo cannot be both ends"}},
        {"DeviceThatIsNotThere",
         {"--client-if=warp0", "--peer=198.18.0.1", kOneEcho},
         {"warp0", "No such device"}},
    }),
    [](const auto& usage) { return usage.param.name; });

// --- what is accepted

class AcceptedFlag : public ::testing::TestWithParam<const char*> {};

TEST_P(AcceptedFlag, LeadsToANumber) {
  const ProcessResult run = run_bench({kUnprivileged, kDryRun, GetParam()});
  EXPECT_THAT(run, ExitsWith(0));
  EXPECT_THAT(run.out, HasSubstr("clock/read:user_monotonic"));
}

INSTANTIATE_TEST_SUITE_P(
    Of, AcceptedFlag,
    ::testing::Values("--benchmark_min_time=0.01", "--benchmark_min_time=0.01s",
                      "--benchmark_min_time=100x", "--benchmark_min_warmup_time=0.01",
                      "--benchmark_repetitions=2", "--benchmark_enable_random_interleaving",
                      "--benchmark_enable_random_interleaving=true",
                      "--benchmark_display_aggregates_only=false",
                      "--benchmark_report_aggregates_only=false", "--benchmark_counters_tabular",
                      "--benchmark_counters_tabular=true", "--benchmark_color=no",
                      "--benchmark_time_unit=us", "--benchmark_context=key=value", "--v=0",
                      "--suite=full", "--suite=default", "--label=before the change",
                      "--require=test_run_tc", "--keep-rounds", "--benchmark_dry_run=true"),
    [](const auto& flag) {
      std::string name = flag.param;
      std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
      return name;
    });

TEST(MinTime, SpellingsWithUnitsAreKeptTo) {
  const auto row_of = [](const std::string& flag) {
    const ProcessResult run =
        run_bench({kUnprivileged, "--benchmark_format=json", "--keep-rounds", flag});
    EXPECT_THAT(run, ExitsWith(0));
    return parsed(run.out)["benchmarks"][0];
  };
  EXPECT_GE(row_of("--benchmark_min_time=5000000x").value("ops", 0.0), 5e6);
  // On a machine that is not busy the planned rounds last a fifth of it.
  constexpr double kMinTimeNs = 1e9;
  double timed_ns = 0;
  const auto row = row_of("--benchmark_min_time=1s");
  for (const auto& load : row["rounds"]) {
    for (const auto& round : load) {  // scale, disturbed, four batches, their user-space times
      for (std::size_t batch = 2; batch < 6; ++batch) timed_ns += round[batch].get<double>();
    }
  }
  EXPECT_GE(timed_ns, kMinTimeNs);
}

TEST(Cpu, ChosenOneIsPinnedAndNamedInTheResult) {
  const ProcessResult run =
      run_bench({kUnprivileged, kDryRun, "--cpu=0", "--benchmark_format=json"});
  ASSERT_THAT(run, ExitsWith(0));
  EXPECT_EQ(parsed(run.out)["context"]["bpfmark"]["pinned_cpu"], 0);
}

// --- words instead of flags

TEST(Help, ShowsFlagsExamplesAndExitStatus) {
  const ProcessResult run = run_bench({"--help"});
  EXPECT_THAT(run, ExitsWith(0));
  EXPECT_THAT(run.err, IsEmpty());
  for (const char* part : {"--benchmark_filter", "--suite", "--require", "--cpu", "--label", "list",
                           "probe", "Examples:", "Exit status:"}) {
    EXPECT_THAT(run.out, HasSubstr(part));
  }
  EXPECT_THAT(run.out, Not(HasSubstr("->"))) << "the parser's own tables";
}

TEST(Help, OfEachWordShowsItsFlagsAndExamples) {
  for (const char* word : {"list", "probe"}) {
    const ProcessResult run = run_bench({word, "--help"});
    EXPECT_THAT(run, ExitsWith(0));
    EXPECT_THAT(run.out, AllOf(HasSubstr("--json"), HasSubstr("Example")));
  }
}

TEST(Version, NamesProgramCompilersAndLibraries) {
  const ProcessResult run = run_bench({"--version"});
  EXPECT_THAT(run, ExitsWith(0));
  EXPECT_THAT(lines_of(run.out), SizeIs(1));
  EXPECT_THAT(run.out, StartsWith("bench "));
  for (const char* part : {"GNU", "clang", "libbpf", "Google Benchmark"}) {
    EXPECT_THAT(run.out, HasSubstr(part));
  }
}

TEST(List, SaysForEachCaseWhatItAsksSubtractsAndNeeds) {
  const ProcessResult names = run_bench({"list", "--names"});
  const ProcessResult list = run_bench({"list"});
  EXPECT_THAT(list, ExitsWith(0));
  EXPECT_THAT(list.err, IsEmpty());
  EXPECT_THAT(lines_of(list.out), SizeIs(4 * lines_of(names.out).size()));
  EXPECT_THAT(list.out, AllOf(HasSubstr("floor: "), HasSubstr("needs: ")));
}

TEST(List, AsJsonHasTheSameCasesWithTheirPlans) {
  const ProcessResult names = run_bench({"list", "--names"});
  const ProcessResult list = run_bench({"list", "--json"});
  ASSERT_THAT(list, ExitsWith(0));
  const nlohmann::json cases = parsed(list.out);
  EXPECT_EQ(names_of(cases), lines_of(names.out));
  for (const auto& c : cases) {
    EXPECT_FALSE(c["question"].get<std::string>().empty());
    EXPECT_FALSE(c["floor"].get<std::string>().empty());
    EXPECT_TRUE(c["needs"].is_array());
    EXPECT_GT(c["ops_per_batch"], 0);
    EXPECT_GT(c["rounds"], 0);
    EXPECT_GT(c["loads"], 0);
  }
}

TEST(List, BenchmarkFlagPrintsTheDefaultSuiteOrWhatTheFilterSelects) {
  const ProcessResult all = run_bench({"list", "--names"});
  const ProcessResult suite = run_bench({"--benchmark_list_tests"});
  EXPECT_THAT(suite, ExitsWith(0));
  EXPECT_LT(lines_of(suite.out).size(), lines_of(all.out).size());
  const ProcessResult one = run_bench({"--benchmark_list_tests=true", kUnprivileged});
  EXPECT_EQ(one.out, "clock/read:user_monotonic\n");
}

TEST(Probe, SaysForEachCapabilityWhetherItIsThereAndWhyNot) {
  const ProcessResult probe = run_bench({"probe", "--json"});
  ASSERT_THAT(probe, ExitsWith(0));
  const nlohmann::json capabilities = parsed(probe.out);
  ASSERT_THAT(capabilities, Not(IsEmpty()));
  for (const auto& c : capabilities) {
    SCOPED_TRACE(c.dump());
    EXPECT_FALSE(c["what"].get<std::string>().empty());
    EXPECT_THAT(c["support"].get<std::string>(),
                ::testing::AnyOf("supported", "absent", "not permitted", "unknown"));
    const bool supported = c["support"] == "supported";
    EXPECT_EQ(c["cause"].get<std::string>().empty(), supported);
    EXPECT_EQ(c["remedy"].get<std::string>().empty(), supported);
  }
  const ProcessResult text = run_bench({"probe"});
  EXPECT_THAT(text, ExitsWith(0));
  for (const std::string& name : names_of(capabilities)) EXPECT_THAT(text.out, HasSubstr(name));
}

TEST(Probe, OfSomeCapabilitiesSaysWhatThoseAre) {
  const ProcessResult some = run_bench({"probe", "--json", "map_hash", "jit"});
  EXPECT_THAT(some, ExitsWith(0));
  EXPECT_THAT(names_of(parsed(some.out)), ElementsAre("jit", "map_hash"));
  const ProcessResult none = run_bench({"probe", "jit", "warp_drive"});
  EXPECT_THAT(none, ExitsWith(2));
  EXPECT_THAT(none.out, IsEmpty());
  EXPECT_THAT(lines_of(none.err), ElementsAre(HasSubstr("no capability is called 'warp_drive'")));
}

TEST(CommandLine, CasesThatDifferInTheHookStandSideBySideBelowTheTable) {
  BPFMARK_NEEDS_BPF();
  const ProcessResult result =
      run_bench({"--benchmark_dry_run",
                 "--benchmark_filter=echo_rtt/proto:udp/hook:(tc_clsact|xdp_generic)/payload:13/"
                 "think_us:0/wakeup:blocking"});
  ASSERT_THAT(result, ExitsWith(0));
  const std::size_t ladder =
      result.out.find("echo_rtt/proto:udp/hook:*/payload:13/think_us:0/wakeup:blocking/cpu:same\n");
  ASSERT_NE(ladder, std::string::npos) << result.out;
  for (const char* const hook : {"tc_clsact ", "xdp_generic "}) {
    EXPECT_NE(result.out.find(hook, ladder), std::string::npos) << hook;
  }
}

}  // namespace
}  // namespace bpfmark
