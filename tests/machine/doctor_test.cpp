// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/doctor_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/environment.h"
#include "tests/machine/made_machine.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const EnvironmentFinding& finding(const EnvironmentGrade& grade, std::string_view subject) {
  return *std::ranges::find(grade.findings, subject, &EnvironmentFinding::subject);
}

struct RuleCase {
  const char* subject;
  const char* fact;
  const char* value;
  Weight expected;
};

class MachineRule : public ::testing::TestWithParam<RuleCase> {};

TEST_P(MachineRule, WeighsTheValue) {
  const RuleCase& c = GetParam();
  const EnvironmentGrade grade = grade_facts({{c.fact, c.value}});
  EXPECT_EQ(finding(grade, c.subject).weight, c.expected) << c.fact << " " << c.value;
  EXPECT_EQ(finding(grade, c.subject).remedy.empty(), c.expected == Weight::kGood);
}

INSTANTIATE_TEST_SUITE_P(
    Table, MachineRule,
    ::testing::Values(RuleCase{"governor", "cpu.governor", "performance", Weight::kGood},
                      RuleCase{"governor", "cpu.governor", "powersave", Weight::kMinor},
                      RuleCase{"turbo", "live.turbo", "off", Weight::kGood},
                      RuleCase{"turbo", "live.turbo", "on", Weight::kMinor},
                      RuleCase{"SMT siblings", "live.smt_siblings", "none", Weight::kGood},
                      RuleCase{"SMT siblings", "live.smt_siblings", "5", Weight::kMinor},
                      RuleCase{"steal", "live.steal", "0.000", Weight::kGood},
                      RuleCase{"steal", "live.steal", "0.005", Weight::kMinor},
                      RuleCase{"steal", "live.steal", "0.020", Weight::kMajor},
                      RuleCase{"throttling", "live.throttled", "1000", Weight::kMajor},
                      RuleCase{"disturbed batches", "run.disturbed", "0.0100", Weight::kGood},
                      RuleCase{"disturbed batches", "run.disturbed", "0.0500", Weight::kMinor},
                      RuleCase{"disturbed batches", "run.disturbed", "0.2000", Weight::kMajor},
                      RuleCase{"load", "live.load_per_cpu", "0.10", Weight::kGood},
                      RuleCase{"load", "live.load_per_cpu", "0.30", Weight::kMinor},
                      RuleCase{"load", "live.load_per_cpu", "1.00", Weight::kMajor},
                      RuleCase{"interrupts", "live.interrupts", "5000", Weight::kMajor},
                      RuleCase{"isolation", "cpu.isolated", "", Weight::kNote},
                      RuleCase{"isolation", "cpu.isolated", "1", Weight::kGood},
                      RuleCase{"clock source", "kernel.clock_source", "tsc", Weight::kGood},
                      RuleCase{"clock source", "kernel.clock_source", "kvm-clock", Weight::kGood},
                      RuleCase{"clock source", "kernel.clock_source", "hpet", Weight::kMajor},
                      RuleCase{"BPF statistics", "kernel.bpf.stats_enabled", "1", Weight::kMajor},
                      RuleCase{"BPF JIT", "kernel.bpf.jit_enable", "0", Weight::kMajor},
                      RuleCase{"JIT hardening", "kernel.bpf.jit_harden", "1", Weight::kMinor},
                      RuleCase{"source tree", "run.source_tree", "clean", Weight::kGood},
                      RuleCase{"foreign BPF programs", "live.foreign_programs", "7 x (kprobe)",
                               Weight::kMinor},
                      RuleCase{"virtual machine", "cpu.hypervisor", "KVMKVMKVM", Weight::kMinor}));

TEST(GradeFacts, FollowsFromTheWeights) {
  Identity facts;
  const auto letter_with = [&facts](const char* fact, const char* value) {
    facts[fact] = value;
    return grade_facts(facts).letter;
  };
  EXPECT_EQ(grade_facts({}).letter, 'A') << "what cannot be seen does not count";
  EXPECT_EQ(letter_with("cpu.isolated", ""), 'A') << "nor does a note";
  EXPECT_EQ(letter_with("live.turbo", "on"), 'B');
  EXPECT_EQ(letter_with("cpu.governor", "powersave"), 'B');
  EXPECT_EQ(letter_with("cpu.hypervisor", "x"), 'C');
  EXPECT_EQ(letter_with("kernel.bpf.stats_enabled", "1"), 'C');
  EXPECT_EQ(letter_with("live.throttled", "1"), 'D');
}

TEST(GradeFacts, LeaveOutWhatOnlyAResultTells) {
  const auto subjects = [](const Identity& facts) {
    std::vector<std::string> list;
    for (const EnvironmentFinding& one : grade_facts(facts).findings) list.push_back(one.subject);
    return list;
  };
  EXPECT_THAT(subjects({}), Not(Contains("disturbed batches")));
  EXPECT_THAT(subjects({{"run.disturbed", "0"}}), Contains("disturbed batches"));
}

TEST(Doctor, SaysWhatCannotBeSeenAndWhatToDo) {
  const EnvironmentGrade grade =
      grade_facts({{"live.turbo", "on"}, {"cpu.isolated", ""}, {"live.load_per_cpu", "0.10"}});
  const std::string table = doctor_table(grade, 3);
  EXPECT_THAT(table, StartsWith("grade B for measuring on CPU 3\n"));
  EXPECT_THAT(table, AllOf(HasSubstr("unseen governor              cannot be seen from here\n"),
                           HasSubstr("minor  turbo                 on\n"), HasSubstr("do:  "),
                           HasSubstr("note   isolation             none\n"),
                           HasSubstr("good   load                  0.10 per CPU\n")));
  const auto document = nlohmann::json::parse(doctor_json(grade, 3));
  EXPECT_EQ(document["grade"], "B");
  EXPECT_EQ(document["findings"][0]["subject"], "governor");
  EXPECT_FALSE(document["findings"][0].contains("value")) << "absent is absent";
}

TEST(Doctor, RunsAsAnybody) {
  std::ostringstream out;
  EXPECT_EQ(run_doctor({.seconds = 0.1, .as_json = true}, out), 0);
  EXPECT_TRUE(nlohmann::json::parse(out.str())["findings"].is_array());
}

TEST(LiveEnvironment, ReadsTheTreeAndLeavesOutWhatIsNotThere) {
  const MadeMachine machine;
  machine.set("/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n");
  machine.set("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n");
  machine.set("/sys/devices/system/cpu/cpufreq/boost", "1\n");
  machine.set("/sys/devices/system/cpu/online", "0-3\n");
  machine.set("/sys/devices/system/cpu/isolated", "\n");
  machine.set("/proc/loadavg", "2.00 1.00 0.50 1/99 7\n");
  machine.set("/proc/pressure/memory", "some avg10=1.25 avg60=0.00 avg300=0.00 total=9\n");
  const auto facts =
      live_environment(machine.root(), 1, {.steal_ticks = 10, .all_ticks = 1000, .interrupts = 100},
                       {.steal_ticks = 12, .all_ticks = 1100, .interrupts = 300}, 2);
  EXPECT_EQ(facts.at("cpu.governor"), "powersave");
  EXPECT_EQ(facts.at("live.smt_siblings"), "3");
  EXPECT_EQ(facts.at("live.turbo"), "on");
  EXPECT_EQ(facts.at("live.load_per_cpu"), "0.50");
  EXPECT_EQ(facts.at("live.memory_pressure"), "1.25");
  EXPECT_EQ(facts.at("live.steal"), "0.020");
  EXPECT_EQ(facts.at("live.interrupts"), "100");
  EXPECT_EQ(facts.at("cpu.isolated"), "");
  EXPECT_FALSE(facts.contains("kernel.clock_source"));
  machine.set("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  EXPECT_EQ(live_environment(machine.root(), 1, {}, {}, 1).at("live.turbo"), "off");
  EXPECT_FALSE(live_environment(machine.root(), 1, {}, {}, 1).contains("live.steal"));
}

TEST(EnvironmentCounters, AreThoseOfTheCpu) {
  const MadeMachine machine;
  machine.set("/proc/stat",
              "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"
              "cpu1 10 0 20 60 0 0 5 5 0 0\n");
  machine.set("/proc/interrupts",
              "           CPU0       CPU1\n 24:   3   40   x\n 25:   5   2   y\n"
              "LOC: 100 100 timer\n");
  const auto counters = EnvironmentCounters::read(machine.root(), 1);
  EXPECT_EQ(counters.steal_ticks, 5);
  EXPECT_EQ(counters.all_ticks, 100);
  EXPECT_EQ(counters.interrupts, 42);
  EXPECT_EQ(EnvironmentCounters::read(machine.root(), 2).steal_ticks, std::nullopt);
  EXPECT_EQ(EnvironmentCounters::read(machine.root() + "/none", 1).interrupts, std::nullopt);
}

TEST(ParseCpuList, TakesWhatSysfsWritesAndNothingElse) {
  EXPECT_THAT(*parse_cpu_list("0-2,8"), ElementsAre(0, 1, 2, 8));
  EXPECT_THAT(*parse_cpu_list(""), ElementsAre());
  for (const char* bad : {"x", "1-", "2-1", "1,,2", "-1", "0-999999999"}) {
    EXPECT_EQ(parse_cpu_list(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace bpfmark
