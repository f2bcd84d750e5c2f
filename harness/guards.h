// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// What the scheduler did to this thread; differences over a batch tell whether it was left alone.
struct SchedulerCounts {
  long context_switches = 0;
  int cpu = -1;

  static SchedulerCounts read();
  bool same_as(const SchedulerCounts& other) const {
    return context_switches == other.context_switches && cpu == other.cpu;
  }
};

// Time the hypervisor or a CPU quota took away, machine-wide counters, in ns. Steal has the
// kernel's resolution (10 ms), so it is read per load, not per batch.
struct StolenTime {
  std::uint64_t steal_ns = 0;      // of one CPU, /proc/stat
  std::uint64_t throttled_ns = 0;  // of our cgroup; 0 where there is no quota

  static StolenTime read(int cpu);
};

// Writes dirty pages back and makes the kernel forget the page cache, directory entries and inodes
// that it can: of the whole machine. Errors: kSystem.
Result<void> drop_caches();

// The CPUs this process may run on, ascending.
std::vector<int> allowed_cpus();

struct CpuChoice {
  int cpu = -1;
  std::string reason;
};

// The allowed CPU with the fewest device interrupts so far; among equals the highest number, and
// CPU 0 only if there is no other.
CpuChoice quietest_cpu();

// Device interrupts that `cpu` has taken since boot, of the /proc below `root`. Absent if they
// cannot be read.
std::optional<double> device_interrupts_of(int cpu, const std::string& root = "");

// Pins the calling thread and checks that it took effect. Errors: kSystem.
Result<void> pin_to_cpu(int cpu);

}  // namespace bpfmark
