// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/machine_grade.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace bpfmark {
namespace {

double number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

// Above these a finding is minor, or major.
constexpr double kMinorLoad = 0.2, kMajorLoad = 0.5;       // others' work, in CPUs' worth per CPU
constexpr double kMinorSteal = 0.001, kMajorSteal = 0.01;  // of the CPU's time
constexpr double kMinorInterrupts = 10, kMajorInterrupts = 1000;  // of devices, a second
constexpr double kMinorPressure = 1, kMajorPressure = 10;         // % of the time some task waited

Weight above(const std::string& value, double minor, double major) {
  return number(value) > major   ? Weight::kMajor
         : number(value) > minor ? Weight::kMinor
                                 : Weight::kGood;
}

struct Rule {
  std::string_view subject, fact;
  Weight (*weigh)(const std::string& value);
  std::string_view why, remedy;
};

constexpr std::array kRules = {
    Rule{"governor", "cpu.governor",
         [](const std::string& v) { return v == "performance" ? Weight::kGood : Weight::kMinor; },
         "the clock of the CPU follows the load, so times depend on what ran before",
         "bench tune sets 'performance'"},
    Rule{"turbo", "live.turbo",
         [](const std::string& v) { return v == "off" ? Weight::kGood : Weight::kMinor; },
         "the clock depends on heat and on what other cores do", "bench tune switches it off"},
    Rule{"SMT siblings", "live.smt_siblings",
         [](const std::string& v) { return v == "none" ? Weight::kGood : Weight::kMinor; },
         "a sibling that works takes up to half of the core",
         "bench tune --offline-sibling, or nothing else on the sibling"},
    Rule{"steal", "live.steal",
         [](const std::string& v) { return above(v, kMinorSteal, kMajorSteal); },
         "the hypervisor gave the CPU to others in the middle of batches",
         "a host of one's own, or a quieter hour"},
    Rule{"throttling", "live.throttled",
         [](const std::string& v) { return number(v) > 0 ? Weight::kMajor : Weight::kGood; },
         "a CPU quota of the cgroup stops the process for milliseconds",
         "run in a cgroup without cpu.max (v1: cpu.cfs_quota_us)"},
    Rule{"load", "live.load_per_cpu",
         [](const std::string& v) { return above(v, kMinorLoad, kMajorLoad); },
         "other work takes caches, memory bandwidth and the CPU itself", "stop it, or wait"},
    Rule{"memory pressure", "live.memory_pressure",
         [](const std::string& v) { return above(v, kMinorPressure, kMajorPressure); },
         "reclaim evicts what is measured", "stop what takes the memory"},
    Rule{"interrupts", "live.interrupts",
         [](const std::string& v) { return above(v, kMinorInterrupts, kMajorInterrupts); },
         "devices interrupt the measured CPU", "bench tune moves them to other CPUs, or --cpu=N"},
    Rule{"isolation", "cpu.isolated",
         [](const std::string& v) { return v.empty() ? Weight::kNote : Weight::kGood; },
         "without isolated CPUs the scheduler puts other tasks beside the measured one",
         "boot with isolcpus= or nohz_full=, and give that CPU as --cpu"},
    Rule{"clock source", "kernel.clock_source",
         [](const std::string& v) {
           constexpr std::array<std::string_view, 3> kFast = {"tsc", "kvm-clock",
                                                              "arch_sys_counter"};
           return std::ranges::find(kFast, v) == kFast.end() ? Weight::kMajor : Weight::kGood;
         },
         "reading another clock takes microseconds and disturbs what it times",
         "boot with clocksource=tsc, if the machine's is stable"},
    Rule{"BPF statistics", "kernel.bpf.stats_enabled",
         [](const std::string& v) { return v == "0" ? Weight::kGood : Weight::kMajor; },
         "adds two readings of the clock to every run of every program",
         "sysctl kernel.bpf_stats_enabled=0, or bench tune"},
    Rule{"BPF JIT", "kernel.bpf.jit_enable",
         [](const std::string& v) { return v == "0" ? Weight::kMajor : Weight::kGood; },
         "programs are interpreted, which nobody runs in production",
         "sysctl net.core.bpf_jit_enable=1"},
    Rule{"JIT hardening", "kernel.bpf.jit_harden",
         [](const std::string& v) { return v == "0" ? Weight::kGood : Weight::kMinor; },
         "constants are blinded, which makes programs longer", "as it is where one runs them"},
    Rule{"foreign BPF programs", "live.foreign_programs",
         [](const std::string& v) { return v == "none" ? Weight::kGood : Weight::kMinor; },
         "what they are attached to costs more, also where it is measured",
         "stop their owners, or state them with --label"},
    Rule{"NMI watchdog", "live.nmi_watchdog",
         [](const std::string& v) { return v == "0" ? Weight::kGood : Weight::kMinor; },
         "takes a hardware counter, and interrupts every CPU", "bench tune switches it off"},
    Rule{"ASLR", "kernel.aslr", [](const std::string&) { return Weight::kNote; },
         "the layout of memory is drawn anew in every launch", "compare several launches"},
    Rule{"virtual machine", "cpu.hypervisor", [](const std::string&) { return Weight::kMinor; },
         "the host's governor, turbo, siblings and other guests cannot be seen from here",
         "compare results of the same kind of machine only"},
};

char letter_of(const std::vector<MachineFinding>& findings) {
  const auto count = [&findings](Weight weight) {
    return std::ranges::count(findings, weight, &MachineFinding::weight);
  };
  const auto major = count(Weight::kMajor), minor = count(Weight::kMinor);
  if (major > 1) return 'D';
  if (major == 1 || minor > 2) return 'C';
  return minor > 0 ? 'B' : 'A';
}

}  // namespace

std::string_view weight_name(Weight weight) {
  switch (weight) {
    case Weight::kGood:
      return "good";
    case Weight::kNote:
      return "note";
    case Weight::kMinor:
      return "minor";
    case Weight::kMajor:
      return "major";
    case Weight::kUnseen:
      break;
  }
  return "unseen";
}

MachineGrade grade_machine(const MachineFacts& facts) {
  MachineGrade grade;
  for (const Rule& rule : kRules) {
    MachineFinding& finding = grade.findings.emplace_back();
    finding.subject = rule.subject;
    finding.why = rule.why;
    const auto fact = facts.find(rule.fact);
    if (fact == facts.end()) continue;
    finding.value = fact->second;
    finding.weight = rule.weigh(fact->second);
    if (finding.weight != Weight::kGood) finding.remedy = rule.remedy;
  }
  grade.letter = letter_of(grade.findings);
  return grade;
}

}  // namespace bpfmark
