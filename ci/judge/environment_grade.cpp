// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/environment_grade.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "ci/judge/comparability.h"

namespace bpfmark {
namespace {

double number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

// Above these a finding is minor, or major.
constexpr double kMinorLoad = 0.2, kMajorLoad = 0.5;       // others' work, in CPUs' worth per CPU
constexpr double kMinorSteal = 0.001, kMajorSteal = 0.01;  // of the CPU's time
constexpr double kMinorDisturbed = 0.02, kMajorDisturbed = 0.1;   // of the batches
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
  std::string_view why, remedy, unit = "";
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
         "a host of one's own, or a quieter hour", "of the CPU's time"},
    Rule{"throttling", "live.throttled",
         [](const std::string& v) { return number(v) > 0 ? Weight::kMajor : Weight::kGood; },
         "a CPU quota of the cgroup stops the process for milliseconds",
         "run in a cgroup without cpu.max (v1: cpu.cfs_quota_us)", "ns"},
    Rule{"disturbed batches", "run.disturbed",
         [](const std::string& v) { return above(v, kMinorDisturbed, kMajorDisturbed); },
         "the thread was switched out or moved while they ran", "run again on a quieter machine",
         "of all"},
    Rule{"load", "live.load_per_cpu",
         [](const std::string& v) { return above(v, kMinorLoad, kMajorLoad); },
         "other work takes caches, memory bandwidth and the CPU itself", "stop it, or wait",
         "per CPU"},
    Rule{"memory pressure", "live.memory_pressure",
         [](const std::string& v) { return above(v, kMinorPressure, kMajorPressure); },
         "reclaim evicts what is measured", "stop what takes the memory", "% of the time"},
    Rule{"interrupts", "live.interrupts",
         [](const std::string& v) { return above(v, kMinorInterrupts, kMajorInterrupts); },
         "devices interrupt the measured CPU", "bench tune moves them to other CPUs, or --cpu=N",
         "a second"},
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
    Rule{"source tree", "run.source_tree",
         [](const std::string& v) { return v == "clean" ? Weight::kGood : Weight::kNote; },
         "the commit does not say what was measured", "commit, then measure"},
};

char letter_of(const std::vector<EnvironmentFinding>& findings) {
  const auto count = [&findings](Weight weight) {
    return std::ranges::count(findings, weight, &EnvironmentFinding::weight);
  };
  if (count(Weight::kFatal) > 0) return 'F';
  const auto major = count(Weight::kMajor), minor = count(Weight::kMinor);
  if (major > 1) return 'D';
  if (major == 1 || minor > 2) return 'C';
  return minor > 0 ? 'B' : 'A';
}

std::optional<double> number_of(const Identity& identity, std::string_view field) {
  const auto found = identity.find(field);
  if (found == identity.end()) return std::nullopt;
  const std::string& text = found->second;
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

struct Totals {
  double batches = 0, disturbed = 0, steal_ns = 0, throttled_ns = 0, timed_ns = 0;
};

Totals totals_of(const ResultSet& result) {
  Totals totals;
  const auto at = [](const BenchmarkSamples& benchmark, const char* metric, std::size_t i) {
    const auto found = benchmark.metrics.find(metric);
    return found != benchmark.metrics.end() && i < found->second.size() ? found->second[i] : 0.0;
  };
  for (const BenchmarkSamples& benchmark : result.benchmarks) {
    for (std::size_t i = 0; i < result.files.size(); ++i) {
      const double batches = at(benchmark, "batches", i);
      totals.batches += batches;
      totals.disturbed += at(benchmark, "disturbed_batches", i);
      totals.steal_ns += at(benchmark, "steal_ns", i);
      totals.throttled_ns += at(benchmark, "throttled_ns", i);
      totals.timed_ns += batches * at(benchmark, "batch_ns", i);
    }
  }
  return totals;
}

// "drop_all (xdp), trace (tracepoint), 3 more"
std::string list_of(const std::vector<ForeignOnHooks>& programs) {
  constexpr std::size_t kMostNames = 5;
  std::string list;
  for (std::size_t i = 0; i < std::min(programs.size(), kMostNames); ++i) {
    const std::string name = programs[i].program->text("name");
    list += fmt::format("{}{} ({})", i > 0 ? ", " : "", name.empty() ? "-" : name,
                        programs[i].program->text("type"));
  }
  if (programs.size() > kMostNames) list += fmt::format(", {} more", programs.size() - kMostNames);
  return list;
}

// What a result says of itself, under the names of the rules.
Identity facts_of(const ResultSet& result) {
  Identity facts = result.identity;
  if (const auto smt = facts.find("cpu.smt_active"); smt != facts.end()) {
    facts["live.smt_siblings"] = smt->second == "0" ? "none" : "active";
  }
  const auto load = number_of(result.stock, "load_avg[0]");
  const auto cpus = number_of(result.stock, "num_cpus");
  if (load && cpus && *cpus > 0) {
    facts["live.load_per_cpu"] = fmt::format("{:.2f}", *load / *cpus);
  }
  const Totals totals = totals_of(result);
  if (totals.timed_ns > 0) {
    facts["live.steal"] = fmt::format("{:.4f}", totals.steal_ns / totals.timed_ns);
    facts["live.throttled"] = fmt::format("{:.0f}", totals.throttled_ns);
  }
  if (totals.batches > 0) {
    facts["run.disturbed"] = fmt::format("{:.4f}", totals.disturbed / totals.batches);
  }
  // Only some families look for them: none found is not "none".
  if (const auto programs = foreign_programs(result); !programs.empty()) {
    facts["live.foreign_programs"] = list_of(programs);
  }
  if (const auto commit = facts.find("build.commit"); commit != facts.end()) {
    facts["run.source_tree"] = commit->second.ends_with("-dirty") ? "uncommitted changes" : "clean";
  }
  return facts;
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
    case Weight::kFatal:
      return "fatal";
    case Weight::kUnseen:
      break;
  }
  return "unseen";
}

EnvironmentGrade grade_facts(const Identity& facts) {
  EnvironmentGrade grade;
  for (const Rule& rule : kRules) {
    const auto fact = facts.find(rule.fact);
    if (fact == facts.end() && rule.fact.starts_with("run.")) continue;
    EnvironmentFinding& finding = grade.findings.emplace_back();
    finding.subject = rule.subject;
    finding.why = rule.why;
    if (fact == facts.end()) continue;
    finding.value = fact->second;
    finding.unit = rule.unit;
    finding.weight = rule.weigh(fact->second);
    if (finding.weight != Weight::kGood) finding.remedy = rule.remedy;
  }
  grade.letter = letter_of(grade.findings);
  return grade;
}

std::vector<ForeignOnHooks> foreign_programs(const ResultSet& result) {
  std::vector<ForeignOnHooks> programs;
  std::map<DetailRecord::Texts, std::size_t> places;
  for (const BenchmarkSamples& benchmark : result.benchmarks) {
    for (const DetailRecord& program : benchmark.details.foreign_programs) {
      const auto [place, is_new] = places.try_emplace(program.texts, programs.size());
      if (is_new) programs.push_back({&program, &benchmark.name, 0});
      ++programs[place->second].cases;
    }
  }
  return programs;
}

EnvironmentGrade grade_environment(const ResultSet& result) {
  std::vector<std::string> fatal = defects(result.identity);
  fatal.insert(fatal.end(), result.forced.begin(), result.forced.end());
  EnvironmentGrade grade = grade_facts(facts_of(result));
  for (std::string& text : fatal) {
    grade.findings.push_back(EnvironmentFinding{
        .subject = "not for judging", .value = std::move(text), .weight = Weight::kFatal});
  }
  grade.letter = letter_of(grade.findings);
  return grade;
}

}  // namespace bpfmark
