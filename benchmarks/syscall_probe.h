// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fixtures/system_call.h"
#include "harness/histogram.h"
#include "harness/measurement.h"
#include "harness/result.h"

namespace bpfmark {

// A model of what a security agent attaches to a system call.
struct SyscallMonitor {
  // Where a program is attached: at the tracepoints of the measured call, at those of all calls, or
  // at the LSM hook that the call passes.
  enum class Place { kCallEnter, kCallExit, kAnyEnter, kAnyExit, kLsm };
  // What proves that the programs saw every call, and no more of the caller's than that.
  enum class Proof { kNone, kRuns, kCount, kWatched, kWanted, kEvents, kSeen };

  std::string_view name;
  std::string_view what;  // one line
  std::string_view program;
  std::span<const Place> places;
  Proof proof;
};

std::span<const SyscallMonitor> syscall_monitors();

// nullptr if there is none of that name.
const SyscallMonitor* find_syscall_monitor(std::string_view name);

// The LSM hook that a system call passes exactly once; empty where there is none.
std::string_view lsm_hook_of(std::string_view call);

// Whether a call hands over a path, an address or a buffer that a monitor can copy.
bool has_copied_argument(std::string_view call);

// The BPF side of one case: an observer, which measures the calls of one task from entry to exit,
// and a monitor. Not for concurrent use. Detaches when it goes.
class SyscallProbe {
 public:
  // `ring_bytes`: room for the events of a monitor. Errors: kSystem.
  static Result<std::unique_ptr<SyscallProbe>> load(const SystemCallKind& call,
                                                    const SyscallMonitor& monitor,
                                                    std::uint32_t ring_bytes = kRingBytes);
  virtual ~SyscallProbe() = default;

  // To be called by the task that will make the calls: it is the one that counts from here on.
  // Neither allocates nor locks.
  virtual bool caller_is_me() = 0;

  // --- the monitor

  virtual Result<void> attach_monitor() = 0;
  virtual void detach_monitor() = 0;
  // Between these two the caller makes exactly `calls` of its calls, or some other number for which
  // the second is an error. Drains the events, as an agent's consumer would, but in this thread and
  // not while calls are timed. Errors: kWrongResult.
  virtual Result<void> expect_calls() = 0;
  virtual Result<void> check_calls(std::uint64_t calls) = 0;
  // Events that found no room since the load.
  virtual std::uint64_t lost() const = 0;
  // That the kernel ran the programs of a monitor without counts of its own: makes `calls` calls
  // by `make` under BPF statistics. Errors: kWrongResult, those of `make`.
  virtual Result<void> prove_runs(std::uint64_t calls,
                                  const std::function<Result<void>()>& make) = 0;

  // --- the observer

  // Around the monitor, so that its work lies between the two clock readings: its programs are run
  // in the order in which they were attached. The monitor must be detached.
  virtual Result<void> attach_observed_monitor() = 0;
  // Only what happens while it is armed is a sample.
  virtual void arm(bool armed) = 0;
  // The time of every call since the last take, in order. Errors: kWrongResult unless there were
  // exactly `calls`.
  virtual Result<std::vector<std::uint64_t>> take_samples(std::uint64_t calls) = 0;
  // Adds what the observer recorded in the kernel since the load.
  virtual Result<void> add_durations(Histogram& histogram) const = 0;

  virtual std::vector<ProgramIdentity> programs() const = 0;

  static constexpr std::uint32_t kRingBytes = 1024 * 1024;
};

// What happens inside a call cannot take longer than the call: no time in the kernel may be above
// that of the same call by its caller's clock. Errors: kWrongResult.
Result<void> check_within(std::span<const std::uint64_t> kernel_ns,
                          std::span<const std::uint64_t> caller_ns);

}  // namespace bpfmark
