// SPDX-License-Identifier: BSD-2-Clause
#include "harness/environment.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

#include "harness/first_line.h"
#include "harness/guards.h"

namespace bpfmark {
namespace {

class Facts {
 public:
  explicit Facts(const std::string& root) : root_(root) {}

  void add(const char* name, const std::optional<std::string>& value) {
    if (value) values_[name] = *value;
  }
  std::optional<std::string> file(const std::string& path) const {
    return first_line(root_ + path);
  }

  std::map<std::string, std::string, std::less<>> take() { return std::move(values_); }

 private:
  std::string root_;
  std::map<std::string, std::string, std::less<>> values_;
};

// Intel's switch says "no turbo", the generic one says "boost".
std::optional<std::string> turbo(const Facts& facts) {
  const auto off_if = [](const std::optional<std::string>& value, const char* off) {
    return value ? std::optional<std::string>(*value == off ? "off" : "on") : std::nullopt;
  };
  if (auto intel = off_if(facts.file("/sys/devices/system/cpu/intel_pstate/no_turbo"), "1")) {
    return intel;
  }
  return off_if(facts.file("/sys/devices/system/cpu/cpufreq/boost"), "0");
}

std::optional<std::string> smt_siblings(const Facts& facts, int cpu) {
  const auto list =
      facts.file(fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
  if (!list) return std::nullopt;
  auto siblings = parse_cpu_list(*list);
  if (!siblings) return std::nullopt;
  std::erase(*siblings, cpu);
  return siblings->empty() ? "none" : fmt::format("{}", fmt::join(*siblings, ", "));
}

std::optional<std::string> load_per_cpu(const Facts& facts) {
  const auto line = facts.file("/proc/loadavg");
  const auto online = facts.file("/sys/devices/system/cpu/online");
  const auto cpus = online ? parse_cpu_list(*online) : std::nullopt;
  double load = 0;
  if (!line || !cpus || cpus->empty() || !(std::istringstream(*line) >> load)) return std::nullopt;
  return fmt::format("{:.2f}", load / static_cast<double>(cpus->size()));
}

// "some avg10=1.25 avg60=...": in % of the last ten seconds.
std::optional<std::string> memory_pressure(const Facts& facts) {
  const auto line = facts.file("/proc/pressure/memory");
  constexpr std::string_view kField = "avg10=";
  const auto start = line ? line->find(kField) : std::string::npos;
  if (start == std::string::npos) return std::nullopt;
  return line->substr(start + kField.size(), line->find(' ', start) - start - kField.size());
}

std::optional<std::string> foreign_programs() {
  const auto programs = loaded_programs();
  if (!programs) return std::nullopt;
  std::string list;
  for (const LoadedProgram& program : *programs) {
    list += fmt::format("{}{} {} ({})", list.empty() ? "" : ", ", program.id,
                        program.name.empty() ? "-" : program.name, program.type);
  }
  return list.empty() ? "none" : list;
}

std::optional<double> difference(const std::optional<double>& before,
                                 const std::optional<double>& after) {
  return before && after ? std::optional(*after - *before) : std::nullopt;
}

}  // namespace

std::optional<std::vector<int>> parse_cpu_list(const std::string& text) {
  std::vector<int> cpus;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    int first = 0, last = 0;
    const char* const end = part.data() + part.size();
    auto [stop, error] = std::from_chars(part.data(), end, first);
    last = first;
    if (error == std::errc() && stop != end && *stop == '-') {
      std::tie(stop, error) = [&] {
        const auto result = std::from_chars(stop + 1, end, last);
        return std::pair(result.ptr, result.ec);
      }();
    }
    constexpr int kMaxCpus = 1 << 16;
    if (error != std::errc() || stop != end || first < 0 || last < first || last > kMaxCpus) {
      return std::nullopt;
    }
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
  }
  std::ranges::sort(cpus);
  return cpus;
}

Result<std::vector<LoadedProgram>> loaded_programs() {
  std::vector<LoadedProgram> programs;
  for (__u32 id = 0;;) {
    if (const int err = bpf_prog_get_next_id(id, &id); err == -ENOENT) {
      return programs;
    } else if (err != 0) {
      return std::unexpected(
          Error{.kind = err == -EPERM ? ErrorKind::kNotPermitted : ErrorKind::kSystem,
                .errnum = -err,
                .what = "list BPF programs"});
    }
    const int fd = bpf_prog_get_fd_by_id(id);
    if (fd < 0) continue;  // It went in between.
    bpf_prog_info info{};
    __u32 length = sizeof(info);
    if (bpf_prog_get_info_by_fd(fd, &info, &length) == 0) {
      const char* const type = libbpf_bpf_prog_type_str(static_cast<bpf_prog_type>(info.type));
      programs.push_back({id, type == nullptr ? fmt::format("{}", info.type) : type, info.name});
    }
    ::close(fd);
  }
}

EnvironmentCounters EnvironmentCounters::read(const std::string& root, int cpu) {
  EnvironmentCounters counters{.throttled_ns =
                                   static_cast<double>(StolenTime::read(cpu).throttled_ns)};
  std::ifstream stat(root + "/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    std::istringstream fields(line);
    std::string name;
    if (!(fields >> name) || name != fmt::format("cpu{}", cpu)) continue;
    constexpr std::size_t kSteal = 7, kFields = 8;  // user ... softirq, steal
    std::vector<double> ticks;
    for (double value = 0; ticks.size() < kFields && fields >> value;) ticks.push_back(value);
    if (ticks.size() < kFields) break;
    double all = 0;
    for (const double value : ticks) all += value;
    counters.steal_ticks = ticks[kSteal];
    counters.all_ticks = all;
  }
  counters.interrupts = device_interrupts_of(cpu, root);
  return counters;
}

std::map<std::string, std::string, std::less<>> live_environment(const std::string& root, int cpu,
                                                                 const EnvironmentCounters& before,
                                                                 const EnvironmentCounters& after,
                                                                 double seconds) {
  Facts facts(root);
  const std::string sys_cpu = "/sys/devices/system/cpu/";
  facts.add("cpu.governor",
            facts.file(fmt::format("{}cpu{}/cpufreq/scaling_governor", sys_cpu, cpu)));
  facts.add("cpu.isolated", facts.file(sys_cpu + "isolated"));
  facts.add("kernel.clock_source",
            facts.file("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  facts.add("kernel.bpf.stats_enabled", facts.file("/proc/sys/kernel/bpf_stats_enabled"));
  facts.add("kernel.bpf.jit_enable", facts.file("/proc/sys/net/core/bpf_jit_enable"));
  facts.add("kernel.bpf.jit_harden", facts.file("/proc/sys/net/core/bpf_jit_harden"));
  facts.add("kernel.aslr", facts.file("/proc/sys/kernel/randomize_va_space"));
  facts.add("live.nmi_watchdog", facts.file("/proc/sys/kernel/nmi_watchdog"));
  facts.add("live.turbo", turbo(facts));
  facts.add("live.smt_siblings", smt_siblings(facts, cpu));
  facts.add("live.load_per_cpu", load_per_cpu(facts));
  facts.add("live.memory_pressure", memory_pressure(facts));
  facts.add("live.foreign_programs", foreign_programs());
  const auto steal = difference(before.steal_ticks, after.steal_ticks);
  const auto ticks = difference(before.all_ticks, after.all_ticks);
  if (steal && ticks && *ticks > 0) {
    facts.add("live.steal", fmt::format("{:.3f}", std::max(0.0, *steal / *ticks)));
  }
  if (const auto count = difference(before.interrupts, after.interrupts); count && seconds > 0) {
    facts.add("live.interrupts", fmt::format("{:.0f}", *count / seconds));
  }
  facts.add("live.throttled", fmt::format("{:.0f}", after.throttled_ns - before.throttled_ns));
  return facts.take();
}

}  // namespace bpfmark
