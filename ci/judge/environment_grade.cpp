// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/environment_grade.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "ci/judge/comparability.h"

namespace bpfmark {
namespace {

using Weight = EnvironmentFinding::Weight;

std::string_view value_of(const Identity& identity, std::string_view field) {
  const auto found = identity.find(field);
  return found == identity.end() ? std::string_view() : std::string_view(found->second);
}

std::optional<double> number_of(const Identity& identity, std::string_view field) {
  const std::string_view text = value_of(identity, field);
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc()) return std::nullopt;
  return value;
}

// What a field of the identity says, if it is there and `bad` takes it.
struct FieldRule {
  std::string_view field;
  std::string_view value;
  bool bad_if_equal;
  Weight weight;
  const char* what;
  const char* remedy;
};

constexpr std::array<FieldRule, 6> kFieldRules = {{
    {"kernel.bpf.jit_enable", "0", true, Weight::kMajor, "programs are interpreted, not compiled",
     "sysctl net.core.bpf_jit_enable=1"},
    {"kernel.bpf.jit_harden", "0", false, Weight::kMinor, "the JIT hardens programs, which costs",
     "sysctl net.core.bpf_jit_harden=0, if the machine may"},
    {"kernel.bpf.stats_enabled", "1", true, Weight::kMajor,
     "BPF statistics are on: every run of a program reads the clock twice",
     "sysctl kernel.bpf_stats_enabled=0"},
    {"kernel.clock_source", "tsc", false, Weight::kMajor, "the clock source is slow or coarse",
     "boot with clocksource=tsc, if the machine's is stable"},
    {"cpu.governor", "performance", false, Weight::kMinor,
     "the frequency governor may change speed", "cpupower frequency-set -g performance"},
    {"cpu.smt_active", "1", true, Weight::kMinor,
     "hardware threads share cores: a busy sibling takes half",
     "echo off > /sys/devices/system/cpu/smt/control, or keep the sibling idle"},
}};

struct Totals {
  double batches = 0, disturbed = 0, steal_ns = 0, timed_ns = 0;
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
      totals.timed_ns += batches * at(benchmark, "batch_ns", i);
    }
  }
  return totals;
}

void add_share(std::vector<EnvironmentFinding>& findings, double part, double whole, double minor,
               double major, const char* what, const char* remedy) {
  if (whole <= 0 || part <= 0) return;
  const double share = part / whole;
  findings.push_back({.weight = share > major   ? Weight::kMajor
                                : share > minor ? Weight::kMinor
                                                : Weight::kNote,
                      .what = fmt::format("{:.1f} % {}", 100 * share, what),
                      .remedy = share > minor ? remedy : ""});
}

}  // namespace

EnvironmentGrade grade_of(std::vector<EnvironmentFinding> findings) {
  const auto count = [&](Weight weight) {
    return std::ranges::count(findings, weight, &EnvironmentFinding::weight);
  };
  const auto minor = count(Weight::kMinor), major = count(Weight::kMajor);
  const char grade = count(Weight::kFatal) > 0 ? 'F'
                     : major > 1               ? 'D'
                     : major == 1 || minor > 2 ? 'C'
                     : minor > 0               ? 'B'
                                               : 'A';
  std::ranges::stable_sort(findings, std::ranges::greater(), &EnvironmentFinding::weight);
  return {.grade = grade, .findings = std::move(findings)};
}

EnvironmentGrade grade_environment(const ResultSet& result) {
  const Identity& identity = result.identity;
  std::vector<EnvironmentFinding> findings;
  for (const std::string& defect : defects(identity)) {
    findings.push_back({.weight = Weight::kFatal, .what = defect});
  }
  for (const std::string& forced : result.forced) {
    findings.push_back({.weight = Weight::kFatal, .what = forced});
  }
  for (const FieldRule& rule : kFieldRules) {
    const std::string_view value = value_of(identity, rule.field);
    if (value.empty()) {
      findings.push_back({.what = fmt::format("{} is not known", rule.field)});
    } else if ((value == rule.value) == rule.bad_if_equal) {
      findings.push_back({.weight = rule.weight,
                          .what = fmt::format("{}: {} ({})", rule.field, value, rule.what),
                          .remedy = rule.remedy});
    }
  }
  if (const auto hypervisor = value_of(identity, "cpu.hypervisor"); !hypervisor.empty()) {
    findings.push_back(
        {.weight = Weight::kMinor,
         .what = fmt::format("a virtual machine ({}): other tenants take cycles and cache unseen",
                             hypervisor),
         .remedy = "measure on bare metal, or repeat at different times"});
  }
  const auto load = number_of(result.stock, "load_avg[0]");
  const auto cpus = number_of(result.stock, "num_cpus");
  if (load && cpus && *cpus > 0 && *load / *cpus > 0.2) {
    findings.push_back(
        {.weight = *load / *cpus > 0.5 ? Weight::kMajor : Weight::kMinor,
         .what = fmt::format("load average {:.2f} on {:g} CPUs at the start", *load, *cpus),
         .remedy = "end what else is running"});
  }
  const Totals totals = totals_of(result);
  add_share(findings, totals.disturbed, totals.batches, 0.02, 0.1,
            "of the batches were disturbed by the scheduler", "run again on a quieter machine");
  add_share(findings, totals.steal_ns, totals.timed_ns, 0.001, 0.01,
            "of the time was stolen by the host", "run again, or on bare metal");
  if (value_of(identity, "build.commit").ends_with("-dirty")) {
    findings.push_back({.what = "the measured source tree had uncommitted changes"});
  }
  return grade_of(std::move(findings));
}

}  // namespace bpfmark
