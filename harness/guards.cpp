// SPDX-License-Identifier: BSD-2-Clause
#include "harness/guards.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace bpfmark {
namespace {

// Device interrupts per CPU since boot: the numbered lines of /proc/interrupts, one column per
// online CPU. Empty if the file cannot be read.
std::vector<std::uint64_t> device_interrupts(std::vector<int>& cpus, const std::string& root = "") {
  std::ifstream file(root + "/proc/interrupts");
  std::string line;
  if (!std::getline(file, line)) return {};
  std::istringstream header(line);
  for (std::string name; header >> name;) cpus.push_back(std::stoi(name.substr(3)));
  std::vector<std::uint64_t> totals(cpus.size(), 0);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string id;
    fields >> id;
    if (id.empty() || id.front() < '0' || id.front() > '9') continue;
    for (std::uint64_t& total : totals) {
      std::uint64_t count = 0;
      if (!(fields >> count)) break;
      total += count;
    }
  }
  return totals;
}

// Directory of this process's cgroup for the CPU controller; the root directory of the hierarchy
// has no quota and no such file. Empty if /proc/self/cgroup names none.
std::vector<std::string> cpu_cgroups() {
  std::vector<std::string> directories;
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      directories.push_back("/sys/fs/cgroup" + path);          // v2 alone
      directories.push_back("/sys/fs/cgroup/unified" + path);  // v2 beside v1
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      directories.push_back("/sys/fs/cgroup/" + controllers + path);
    }
  }
  return directories;
}

std::uint64_t throttled_ns() {
  std::uint64_t total = 0;
  for (const std::string& directory : cpu_cgroups()) {
    std::ifstream file(directory + "/cpu.stat");
    std::string name;
    std::uint64_t value = 0;
    while (file >> name >> value) {
      if (name == "throttled_time") total += value;         // v1, ns
      if (name == "throttled_usec") total += value * 1000;  // v2
    }
  }
  return total;
}

}  // namespace

SchedulerCounts SchedulerCounts::read() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return {.context_switches = usage.ru_nvcsw + usage.ru_nivcsw, .cpu = sched_getcpu()};
}

StolenTime StolenTime::read(int cpu) {
  StolenTime stolen{.throttled_ns = bpfmark::throttled_ns()};
  std::ifstream file("/proc/stat");
  const std::string wanted = fmt::format("cpu{}", cpu);
  const auto tick_ns = 1'000'000'000u / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    std::uint64_t steal = 0;
    fields >> name;
    if (name != wanted) continue;
    if (fields >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal) {
      stolen.steal_ns = steal * tick_ns;
    }
    break;
  }
  return stolen;
}

Result<void> drop_caches() {
  ::sync();
  std::ofstream file("/proc/sys/vm/drop_caches");
  if (!(file << "3" << std::flush)) return system_error(errno, "write /proc/sys/vm/drop_caches");
  return {};
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

CpuChoice quietest_cpu() {
  std::vector<int> columns;
  const std::vector<std::uint64_t> interrupts = device_interrupts(columns);
  const std::vector<int> allowed = allowed_cpus();
  CpuChoice best;
  std::uint64_t fewest = std::numeric_limits<std::uint64_t>::max();
  for (const int cpu : allowed) {
    if (cpu == 0 && allowed.size() > 1) continue;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < interrupts.size(); ++i) {
      if (columns[i] == cpu) count = interrupts[i];
    }
    if (count <= fewest) {
      fewest = count;
      best = {cpu, fmt::format("{} device interrupts since boot, {} of {} CPUs allowed", count,
                               allowed.size(), columns.size())};
    }
  }
  return best;
}

std::optional<double> device_interrupts_of(int cpu, const std::string& root) {
  std::vector<int> columns;
  const std::vector<std::uint64_t> interrupts = device_interrupts(columns, root);
  const auto column = std::ranges::find(columns, cpu);
  if (interrupts.empty() || column == columns.end()) return std::nullopt;
  return static_cast<double>(interrupts[static_cast<std::size_t>(column - columns.begin())]);
}

Result<void> pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    return system_error(errno, fmt::format("pin to CPU {}", cpu));
  }
  if (const int now = sched_getcpu(); now != cpu) {
    return wrong_result(fmt::format("pinned to CPU {}, but running on CPU {}", cpu, now));
  }
  return {};
}

}  // namespace bpfmark
