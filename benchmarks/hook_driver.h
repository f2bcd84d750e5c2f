// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "bpf/shared/hook_body.h"
#include "fixtures/attachment.h"
#include "fixtures/hook_event.h"
#include "fixtures/system_call.h"
#include "harness/findings.h"
#include "harness/paired.h"
#include "harness/result.h"

namespace bpfmark {

// The filter of a program under test, opened for the operations of a batch and closed around them.
class Gate {
 public:
  Gate() = default;  // leads nowhere
  Gate(volatile hook_filter* filter, hook_filter open) : filter_(filter), open_(open) {}

  void open() const { set(open_); }
  void close() const { set({.tgid = ~0ULL, .mask = ~0ULL}); }

 private:
  void set(const hook_filter& value) const {
    if (filter_ == nullptr) return;
    filter_->tgid = value.tgid;
    filter_->mask = value.mask;
  }

  volatile hook_filter* filter_ = nullptr;
  hook_filter open_{};
};

// Passes a hook over and over. Used by one thread.
class HookDriver {
 public:
  struct Work {
    Arm arm;
    std::uint64_t ops;
    Gate gate;
    int link_fd;  // of the attachment, -1 where there is none
  };

  virtual ~HookDriver() = default;

  virtual Result<Batch> run(const Work& work) = 0;

  // Errors: kWrongResult unless `runs` of the program is right for a batch of the subject.
  virtual Result<void> check_runs(std::uint64_t ops, const Batch& batch, std::uint64_t runs) const;

  virtual const HookPoint& point() const = 0;

  // The process that passes the hook, as the kernel numbers it.
  virtual std::uint64_t tgid() const = 0;

  // Adds what only this way of passing a hook knows.
  virtual void report(Findings& /*findings*/) const {}
};

using DriverMaker = std::function<Result<std::unique_ptr<HookDriver>>()>;

// By one of the system calls, at the place that is given. `every_call` says that the program also
// sees the caller's other system calls.
DriverMaker drive_by_system_call(const SystemCallKind& kind, HookPoint point,
                                 bool every_call = false);

// By an event of its own.
DriverMaker drive_by_event(const HookEventKind& kind);

// From inside the kernel, by a test-run that calls bpf_get_numa_node_id(), or
// bpf_modify_return_test_tp(), which has the tracepoint bpf_trigger_tp in it.
enum class KernelCallee { kHelper, kFunction };
DriverMaker drive_by_test_run(KernelCallee callee, HookPoint point);

// By reading an iterator over the elements of a map. `ops` of a batch is a multiple of this.
inline constexpr std::uint64_t kIteratedElements = 1024;
DriverMaker drive_by_iterator();

// By the software clock of perf, every so many ns; an operation is kSpinSteps steps of arithmetic
// meanwhile.
inline constexpr std::uint64_t kSamplePeriodNs = 20'000;
inline constexpr std::uint64_t kSpinSteps = 1000;
DriverMaker drive_by_clock();

}  // namespace bpfmark
