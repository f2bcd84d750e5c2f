// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// A BPF program that the kernel has loaded.
struct LoadedProgram {
  std::uint32_t id = 0;
  std::string type, name;
};

// All of them. Errors: kNotPermitted for who may not list them, kSystem.
Result<std::vector<LoadedProgram>> loaded_programs();

// Counters of a CPU that only say something as a difference. What cannot be read is absent.
struct EnvironmentCounters {
  std::optional<double> steal_ticks, all_ticks;
  std::optional<double> interrupts;  // of devices
  double throttled_ns = 0;

  // `root` stands before /proc and /sys; "" is this machine.
  static EnvironmentCounters read(const std::string& root, int cpu);
};

// What the machine says of itself just now, under the names of the result file's identity, or
// with "live." before it; what cannot be read is left out. `before` and `after` lie `seconds`
// apart. All of it is text for people as well: several values are separated by ", ".
std::map<std::string, std::string, std::less<>> live_environment(const std::string& root, int cpu,
                                                                 const EnvironmentCounters& before,
                                                                 const EnvironmentCounters& after,
                                                                 double seconds);

// CPUs of a list as sysfs writes it ("0-2,8"), ascending. Nothing for what is no list.
std::optional<std::vector<int>> parse_cpu_list(const std::string& text);

}  // namespace bpfmark
