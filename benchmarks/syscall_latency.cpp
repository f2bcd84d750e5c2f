// SPDX-License-Identifier: BSD-2-Clause
// Measures:         how long one system call takes, each call by itself: by the caller's clock, and
//                   inside the kernel from its entry to its exit; and what a monitor, a model of a
//                   security agent's program, adds to it.
// Timed region:     user-space clock right before and after every single call. The kernel's times
//                   come from calls of their own after the rounds, with an observer attached:
//                   attached during the rounds, it would itself send all calls down the slow path
//                   that the first tracepoint of a monitor is blamed for.
// Floor:            with a monitor the same calls without it; without one the two clock readings.
// Does not measure: what a call leaves to be done after its exit; the consumer of a monitor's
//                   events, which are drained between the batches.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/foreign.h"
#include "benchmarks/syscall_probe.h"
#include "bpf/shared/syscall_latency.h"
#include "fixtures/attachment.h"
#include "fixtures/foreign_programs.h"
#include "fixtures/system_call.h"
#include "harness/clock.h"
#include "harness/interrupt.h"
#include "harness/trial.h"

namespace bpfmark {
namespace {

using Samples = std::vector<std::uint64_t>;

// No system call: what remains are the two readings of the caller's clock.
class NoCall : public SystemCall {
 public:
  bool call() override { return true; }
  Error failure() const override { return {}; }
};

// As NoCall, for a caller without the C library, which reads the clock by a system call.
class NoCallByChild : public SystemCall {
 public:
  bool call() override {
    times_.before_ns = read_clock();
    times_.after_ns = read_clock();
    return true;
  }
  Error failure() const override { return {}; }
  std::optional<CallTimes> own_times() const override { return times_; }

 private:
  static std::uint64_t read_clock() {
    timespec now{};
    ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
  }

  CallTimes times_;
};

// Makes `calls` calls and adds the time of each by its caller's clock to `samples`.
Result<void> time_calls(SystemCall& call, std::uint64_t calls, std::uint64_t most_calls,
                        Samples& samples) {
  while (calls > 0) {
    const std::uint64_t now = std::min(calls, most_calls);
    if (Result<void> prepared = call.prepare(now); !prepared) return prepared;
    bool right = true;
    for (std::uint64_t i = 0; right && i < now; ++i) {
      CallTimes times;
      times.before_ns = now_ns();
      right = call.call();
      times.after_ns = now_ns();
      times = call.own_times().value_or(times);
      samples.push_back(times.after_ns - times.before_ns);
    }
    const Result<void> undone = call.undo();
    if (!right) return stop_signal() != 0 ? interrupted() : std::unexpected(call.failure());
    if (!undone) return undone;
    calls -= now;
  }
  return {};
}

class LatencyLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const SystemCallKind& kind,
                                                    const SyscallMonitor& monitor) {
    Result<std::unique_ptr<SyscallProbe>> probe = SyscallProbe::load(kind, monitor);
    if (!probe) return std::unexpected(probe.error());
    Result<std::unique_ptr<SystemCall>> call =
        kind.create([&probe] { return (*probe)->caller_is_me(); });
    if (!call) return std::unexpected(call.error());
    return std::unique_ptr<PairedLoad>(
        new LatencyLoad(kind, monitor, std::move(*probe), std::move(*call)));
  }

  void start() override { caller_ns_.clear(); }

  Result<void> prepare(Arm arm) override {
    const bool wanted = monitored() && arm == Arm::kSubject;
    if (wanted == attached_) return {};
    attached_ = wanted;
    if (wanted) return probe_->attach_monitor();
    probe_->detach_monitor();
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    const bool subject = arm == Arm::kSubject;
    SystemCall& call = subject || monitored() ? *call_ : *no_call_;
    batch_ns_.clear();
    if (Result<void> done = make_calls(call, ops, attached_, batch_ns_); !done) {
      return std::unexpected(done.error());
    }
    if (batch_ns_.size() != ops) {
      return wrong_result(fmt::format("{} samples of {} calls", batch_ns_.size(), ops));
    }
    if (subject) caller_ns_.insert(caller_ns_.end(), batch_ns_.begin(), batch_ns_.end());
    const auto elapsed_ns =
        static_cast<double>(std::accumulate(batch_ns_.begin(), batch_ns_.end(), std::uint64_t{0}));
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    probe_->detach_monitor();
    attached_ = false;
    if (Result<void> observed = observe(caller_ns_.size()); !observed) return observed;
    if (monitored()) findings.counters["lost"] += static_cast<double>(probe_->lost());
    if (Result<void> checked = add_histograms(findings); !checked) return checked;
    if (Result<void> added = add_foreign(findings); !added) return added;
    const int trial = findings.trials.empty() ? 1 : findings.trials.back().trial + 1;
    for (const auto& [clock, samples] :
         {std::pair{"caller", &caller_ns_}, std::pair{"kernel", &kernel_ns_}}) {
      for (Trial& row : trial_rows(trial, clock, *samples)) {
        findings.trials.push_back(std::move(row));
      }
    }
    return {};
  }

  std::vector<ProgramIdentity> programs() const override { return probe_->programs(); }

 private:
  LatencyLoad(const SystemCallKind& kind, const SyscallMonitor& monitor,
              std::unique_ptr<SyscallProbe> probe, std::unique_ptr<SystemCall> call)
      : kind_(kind), monitor_(monitor), probe_(std::move(probe)), call_(std::move(call)) {
    if (kind.name == "execve") {
      no_call_ = std::make_unique<NoCallByChild>();
    } else {
      no_call_ = std::make_unique<NoCall>();
    }
  }

  bool monitored() const { return !monitor_.places.empty(); }

  // Every call counted by the monitor, if one is attached.
  Result<void> make_calls(SystemCall& call, std::uint64_t calls, bool counted, Samples& samples) {
    samples.reserve(samples.size() + calls);  // by what may be the call that is counted
    if (counted) {
      if (Result<void> expected = probe_->expect_calls(); !expected) return expected;
    }
    if (Result<void> made = time_calls(call, calls, kind_.most_calls, samples); !made) return made;
    return counted ? probe_->check_calls(calls) : Result<void>();
  }

  // As many calls again as were timed, with the observer around them.
  Result<void> observe(std::uint64_t calls) {
    if (calls == 0) return wrong_result("no call was timed");
    if (Result<void> attached = probe_->attach_observed_monitor(); !attached) return attached;
    while (calls > 0) {
      const std::uint64_t now = std::min<std::uint64_t>(
          {calls, kind_.most_calls, std::uint64_t{BPFMARK_SYSCALL_MAX_SAMPLES}});
      if (Result<void> seen = observe_batch(now); !seen) return seen;
      calls -= now;
    }
    const Result<void> proven = prove_runs();
    probe_->detach_monitor();
    return proven;
  }

  // Only while BPF statistics are on, which is not while something is timed.
  Result<void> prove_runs() {
    constexpr std::uint64_t kProvenCalls = 16;
    return probe_->prove_runs(kProvenCalls, [&]() -> Result<void> {
      Samples unused;
      return make_calls(*call_, kProvenCalls, monitored(), unused);
    });
  }

  Result<void> observe_batch(std::uint64_t calls) {
    batch_ns_.clear();
    probe_->arm(true);
    const Result<void> made = make_calls(*call_, calls, monitored(), batch_ns_);
    probe_->arm(false);
    if (!made) return made;
    const Result<Samples> kernel_ns = probe_->take_samples(calls);
    if (!kernel_ns) return std::unexpected(kernel_ns.error());
    if (Result<void> within = check_within(*kernel_ns, batch_ns_); !within) return within;
    observed_caller_ns_.insert(observed_caller_ns_.end(), batch_ns_.begin(), batch_ns_.end());
    kernel_ns_.insert(kernel_ns_.end(), kernel_ns->begin(), kernel_ns->end());
    return {};
  }

  Result<void> add_histograms(Findings& findings) const {
    for (const std::uint64_t sample : caller_ns_) findings.histogram("caller").record(sample);
    Histogram recorded;
    if (Result<void> added = probe_->add_durations(recorded); !added) return added;
    const auto [least, most] = std::ranges::minmax(kernel_ns_);
    if (recorded.count() != kernel_ns_.size() || recorded.count() != caller_ns_.size() ||
        recorded.min_ns() != least || recorded.max_ns() != most) {
      return wrong_result(fmt::format(
          "the kernel's histogram holds {} samples from {} to {} ns instead of {} from {} to {} ns",
          recorded.count(), recorded.min_ns().value_or(0), recorded.max_ns().value_or(0),
          kernel_ns_.size(), least, most));
    }
    findings.histogram("kernel").merge(recorded);
    for (const std::uint64_t sample : observed_caller_ns_) {
      findings.histogram("caller_observed").record(sample);
    }
    for (const auto& [name, q] : {std::pair{"kernel_p50_ns", 0.5}, {"kernel_p99_ns", 0.99}}) {
      if (const auto value = findings.histogram("kernel").quantile_ns(q)) {
        findings.counters[name] = *value;
      }
    }
    return {};
  }

  // Nothing of ours is attached any more. monitor:external lists all programs of the machine, for
  // an agent does its work in many places; the others those that every call passes.
  Result<void> add_foreign(Findings& findings) const {
    const bool external = monitor_.name == "external";
    if (external) {
      Result<void> added = add_foreign_programs(attached_programs(), findings);
      if (!added) return added;
    }
    // To ask for programs without a link takes as long as to detach from a tracepoint: once.
    const bool with_tracepoint = external && findings.trials.empty();
    for (const char* const event : {"sys_enter", "sys_exit"}) {
      const HookPoint point{.category = "syscalls",
                            .event = fmt::format("{}_{}", event, kind_.tracepoint)};
      const auto there =
          foreign_programs(*find_attach_type(with_tracepoint ? "tp" : "raw_tp"), point, 0);
      // Without such a tracepoint nobody is there.
      if (!there && there.error().kind == ErrorKind::kAbsent) continue;
      if (Result<void> added = add_foreign_programs(there, findings); !added) return added;
    }
    return {};
  }

  const SystemCallKind& kind_;
  const SyscallMonitor& monitor_;
  std::unique_ptr<SyscallProbe> probe_;
  // After the probe, so that it ends first: a child of it still runs the probe's programs.
  std::unique_ptr<SystemCall> call_;
  std::unique_ptr<SystemCall> no_call_;
  bool attached_ = false;
  Samples batch_ns_;
  Samples caller_ns_;           // of the rounds
  Samples observed_caller_ns_;  // of the calls with the observer around them
  Samples kernel_ns_;           // of the same calls
};

// Calls that take long, or that switch to another task, in smaller batches.
struct Size {
  std::string_view call;
  std::uint64_t ops_per_batch;
  int rounds;
  bool waits;
};
constexpr Size kSizes[] = {{"execve", 4, 8, true},   {"fork", 2, 4, true},
                           {"clone", 8, 16, true},   {"futex_wake", 8, 16, true},
                           {"pipe", 16, 16, true},   {"connect", 16, 16, false},
                           {"accept", 16, 16, false}};
constexpr Size kUsualSize{"", 64, 16, false};

Plan plan_of(std::string_view call, bool monitored) {
  const Size* const found = std::ranges::find(kSizes, call, &Size::call);
  const Size& size = found == std::end(kSizes) ? kUsualSize : *found;
  // To detach from a tracepoint takes 20 to 60 ms, and every round does it once: fewer and larger.
  return {.ops_per_batch = size.ops_per_batch * (monitored ? 4 : 1),
          .rounds = monitored ? 2 : size.rounds,
          .loads = monitored ? 6 : 12,
          .waits = size.waits};
}

bool is_default(std::string_view call, std::string_view monitor) {
  constexpr std::array kBare = {"getppid", "read", "openat", "connect", "execve"};
  constexpr std::array kMonitored = {"tp_noop", "tp_ringbuf"};
  if (monitor == "none") return std::ranges::find(kBare, call) != kBare.end();
  return std::ranges::find(kMonitored, monitor) != kMonitored.end() && call == "openat";
}

// What a monitor needs of the kernel depends on where it is attached; the first of a kind stands
// for all.
struct Way {
  SyscallMonitor::Place place;
  const char* capability;
  const char* what;
  const char* monitor;
  const char* first_kernel;
  const char* config;
};
constexpr Way kWays[] = {
    {SyscallMonitor::Place::kCallEnter, "syscall_monitor_tp",
     "attach programs to the tracepoints of a system call", "tp_noop", "4.7",
     "CONFIG_FTRACE_SYSCALLS"},
    {SyscallMonitor::Place::kAnyEnter, "syscall_monitor_raw_tp",
     "attach programs to the raw tracepoints of all system calls", "raw_tp_noop", "4.17",
     "CONFIG_BPF_EVENTS"},
    {SyscallMonitor::Place::kLsm, "syscall_monitor_lsm", "attach programs to LSM hooks",
     "lsm_allow", "5.7", "CONFIG_BPF_LSM"},
};
constexpr const char* kObserver = "syscall_observer";
constexpr const char* kIoUring = "io_uring_enter";

const Way& way_of(const SyscallMonitor& monitor) {
  using Place = SyscallMonitor::Place;
  const Place first = monitor.places.front();
  const Place entry = first == Place::kCallExit  ? Place::kCallEnter
                      : first == Place::kAnyExit ? Place::kAnyEnter
                                                 : first;
  return *std::ranges::find(kWays, entry, &Way::place);
}

std::vector<std::string> needs_of(const SystemCallKind& call, const SyscallMonitor& monitor) {
  std::vector<std::string> needs = {kObserver, "jit"};
  if (!monitor.places.empty()) needs.insert(needs.begin(), way_of(monitor).capability);
  if (call.name == "io_uring_enter") needs.insert(needs.begin(), kIoUring);
  return needs;
}

ProbeResult probe_monitor(const char* monitor, const char* first_kernel, const char* config) {
  // A call that has all of tracepoints, LSM hook and argument.
  auto probe = SyscallProbe::load(*find_system_call("openat"), *find_syscall_monitor(monitor));
  if (!probe) return classify(std::unexpected(probe.error()), first_kernel, config);
  return classify((*probe)->attach_observed_monitor(), first_kernel, config);
}

ProbeResult probe_io_uring() {
  const auto call = find_system_call("io_uring_enter")->create([] { return true; });
  if (call) return {Support::kSupported, "", ""};
  return classify(std::unexpected(call.error()), "5.1", "CONFIG_IO_URING");
}

void add_capabilities(Capabilities& capabilities) {
  capabilities.add({kObserver, "time system calls by raw tracepoints at their entry and exit",
                    [] { return probe_monitor("none", "5.14", "CONFIG_BPF_EVENTS"); }});
  capabilities.add({kIoUring, "create an io_uring", probe_io_uring});
  for (const Way& way : kWays) {
    capabilities.add({way.capability, way.what,
                      [&way] { return probe_monitor(way.monitor, way.first_kernel, way.config); }});
  }
}

bool has_case(const SystemCallKind& call, const SyscallMonitor& monitor) {
  if (monitor.name == "lsm_allow") return !lsm_hook_of(call.name).empty();
  if (monitor.name == "argcopy_ringbuf") return has_copied_argument(call.name);
  return true;
}

}  // namespace

void register_syscall_latency(Registry& registry, Capabilities& capabilities) {
  add_capabilities(capabilities);
  for (const SystemCallKind& call : system_call_kinds()) {
    for (const SyscallMonitor& monitor : syscall_monitors()) {
      if (!has_case(call, monitor)) continue;
      const bool monitored = !monitor.places.empty();
      registry.add(
          {.name = fmt::format("syscall_latency/call:{}/monitor:{}", call.name, monitor.name),
           .question =
               monitored ? fmt::format("What does {} add to {}?", monitor.what, call.what)
                         : fmt::format("How long does {} take, with {}?", call.what, monitor.what),
           .floor = monitored ? "the same calls without the monitor" : "the two clock readings",
           .needs = needs_of(call, monitor),
           .suite = is_default(call.name, monitor.name) ? Suite::kDefault : Suite::kFull,
           .plan = plan_of(call.name, monitored),
           .load = [&call, &monitor] { return LatencyLoad::create(call, monitor); }});
    }
  }
}

}  // namespace bpfmark
