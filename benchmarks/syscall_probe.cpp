// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/syscall_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/shared/histogram.h"
#include "bpf/shared/syscall_latency.h"
#include "fixtures/attachment.h"
#include "fixtures/bpf_stats.h"
#include "fixtures/skeleton.h"
#include "harness/program_identity.h"
#include "syscall_latency.skel.h"

namespace bpfmark {
namespace {

using Place = SyscallMonitor::Place;
using Proof = SyscallMonitor::Proof;
using SyscallSkeleton = Skeleton<syscall_latency_bpf>;

constexpr std::array kCallBoth{Place::kCallEnter, Place::kCallExit};
constexpr std::array kAnyBoth{Place::kAnyEnter, Place::kAnyExit};
constexpr std::array kCallEnter{Place::kCallEnter};
constexpr std::array kCallExit{Place::kCallExit};
constexpr std::array kAnyEnter{Place::kAnyEnter};
constexpr std::array kLsm{Place::kLsm};

constexpr SyscallMonitor kMonitors[] = {
    {"none", "nothing attached", "", {}, Proof::kNone},
    {"external", "whatever others have attached to this machine", "", {}, Proof::kNone},
    {"tp_noop", "an empty program on the call's tracepoints, entry and exit", "monitor_tp_noop",
     kCallBoth, Proof::kRuns},
    {"raw_tp_noop", "an empty program on the raw tracepoints of all calls, entry and exit",
     "monitor_raw_noop", kAnyBoth, Proof::kRuns},
    {"tp_count", "a count in a per-CPU map at the call's entry", "monitor_tp_count", kCallEnter,
     Proof::kCount},
    {"tp_hash_filter", "a look into a hash of watched processes, and a count, at the call's entry",
     "monitor_tp_hash", kCallEnter, Proof::kWatched},
    {"tp_ringbuf", "an event with time, task, name and result in a ring buffer at the call's exit",
     "monitor_tp_ring", kCallExit, Proof::kEvents},
    {"raw_tp_all_syscalls",
     "a look into a table of wanted calls, and a count, at every call's entry", "monitor_raw_all",
     kAnyEnter, Proof::kWanted},
    {"argcopy_ringbuf",
     "an event with a copy of the path, address or buffer in a ring buffer at the call's entry",
     "monitor_argcopy", kCallEnter, Proof::kEvents},
    {"lsm_allow", "a count and a consent at the LSM hook of the call", "monitor_lsm", kLsm,
     Proof::kSeen},
};

struct LsmHook {
  std::string_view call;
  std::string_view hook;
};
constexpr LsmHook kLsmHooks[] = {
    {"read", "file_permission"},   {"write", "file_permission"}, {"openat", "file_open"},
    {"mmap", "mmap_file"},         {"socket", "socket_create"},  {"bind", "socket_bind"},
    {"connect", "socket_connect"}, {"accept", "socket_accept"},  {"execve", "bprm_check_security"},
    {"fork", "task_alloc"},        {"clone", "task_alloc"},
};

struct CopiedArgument {
  std::string_view call;
  std::uint32_t index;
  std::uint32_t as;
};
constexpr CopiedArgument kCopiedArguments[] = {
    {"write", 1, BPFMARK_SYSCALL_COPY_BYTES},   {"openat", 1, BPFMARK_SYSCALL_COPY_STRING},
    {"bind", 1, BPFMARK_SYSCALL_COPY_BYTES},    {"connect", 1, BPFMARK_SYSCALL_COPY_BYTES},
    {"execve", 0, BPFMARK_SYSCALL_COPY_STRING},
};

template <class Table>
const auto* find_call(const Table& table, std::string_view call) {
  const auto* const found =
      std::ranges::find_if(table, [call](const auto& entry) { return entry.call == call; });
  return found == std::end(table) ? nullptr : found;
}

// What the caller did while calls were expected.
struct Counted {
  std::uint64_t calls = 0;
  std::uint64_t lost = 0;
};

class LoadedProbe : public SyscallProbe {
 public:
  LoadedProbe(SyscallSkeleton skeleton, const SystemCallKind& call, const SyscallMonitor& monitor)
      : skeleton_(std::move(skeleton)),
        call_(call),
        monitor_(monitor),
        program_(bpf_object__find_program_by_name(skeleton_->obj,
                                                  std::string(monitor.program).c_str())) {}
  ~LoadedProbe() override { ring_buffer__free(ring_); }

  Result<void> configure(std::uint32_t ring_bytes) {
    skeleton_->rodata->first_number = call_.first_number;
    skeleton_->rodata->last_number = call_.last_number;
    if (const auto* const copied = find_call(kCopiedArguments, call_.name)) {
      skeleton_->rodata->copied_argument = copied->index;
      skeleton_->rodata->copied_as = copied->as;
    }
    bpf_map__set_max_entries(skeleton_->maps.events, ring_bytes);
    bpf_map__set_max_entries(skeleton_->maps.durations,
                             static_cast<std::uint32_t>(libbpf_num_possible_cpus()));
    if (program_ == nullptr) return {};
    bpf_program__set_autoload(program_, true);
    if (monitor_.places.front() != Place::kLsm) return {};
    return set_attach_target(skeleton_->obj, program_, *find_attach_type("lsm"),
                             point_of(Place::kLsm));
  }

  Result<void> load() {
    if (Result<void> loaded = skeleton_.load(); !loaded) return loaded;
    if (monitor_.proof == Proof::kEvents) {
      ring_ = ring_buffer__new(bpf_map__fd(skeleton_->maps.events), on_event, this, nullptr);
      if (ring_ == nullptr) return system_error(errno, "open the ring buffer");
    }
    for (const SystemCallKind& kind : system_call_kinds()) {
      const auto number = static_cast<std::uint32_t>(kind.first_number);
      const std::uint64_t wanted = 1;
      if (const int err =
              bpf_map_update_elem(bpf_map__fd(skeleton_->maps.wanted), &number, &wanted, BPF_ANY);
          err != 0) {
        return system_error(-err, "fill the table of wanted calls");
      }
    }
    return {};
  }

  bool caller_is_me() override {
    LIBBPF_OPTS(bpf_test_run_opts, options);
    return bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.caller_is_me), &options) == 0;
  }

  Result<void> attach_monitor() override {
    for (const Place place : monitor_.places) {
      if (Result<void> attached = attach_at(program_, place); !attached) return attached;
    }
    return {};
  }

  void detach_monitor() override { attachments_.clear(); }

  Result<void> expect_calls() override {
    if (Result<void> watched = watch_caller(); !watched) return watched;
    const Result<Counted> counted = count();
    if (!counted) return std::unexpected(counted.error());
    before_ = *counted;
    event_fault_.clear();  // of calls that were none of ours
    return {};
  }

  Result<void> check_calls(std::uint64_t calls) override {
    const Result<Counted> now = count();
    if (!now) return std::unexpected(now.error());
    if (!event_fault_.empty()) return wrong_result(event_fault_);
    const std::uint64_t seen = now->calls - before_.calls;
    const std::uint64_t lost = now->lost - before_.lost;
    lost_ += lost;
    const bool counts = monitor_.proof != Proof::kNone && monitor_.proof != Proof::kRuns;
    if (!counts || seen + lost == calls) return {};
    return wrong_result(fmt::format("monitor {} saw {} calls and lost {} instead of {} in all",
                                    monitor_.name, seen, lost, calls));
  }

  std::uint64_t lost() const override { return lost_; }

  Result<void> prove_runs(std::uint64_t calls, const std::function<Result<void>()>& make) override {
    if (monitor_.proof != Proof::kRuns) return {};
    const Result<BpfStats> stats = BpfStats::enable();
    if (!stats) return std::unexpected(stats.error());
    const Result<std::uint64_t> before = program_run_count(bpf_program__fd(program_));
    if (!before) return std::unexpected(before.error());
    if (Result<void> made = make(); !made) return made;
    const Result<std::uint64_t> after = program_run_count(bpf_program__fd(program_));
    if (!after) return std::unexpected(after.error());
    // Other processes make such calls too, and the program does not look who calls.
    if (*after - *before < calls * monitor_.places.size()) {
      return wrong_result(fmt::format("monitor {} ran {} times for {} calls with {} events each",
                                      monitor_.name, *after - *before, calls,
                                      monitor_.places.size()));
    }
    return {};
  }

  Result<void> attach_observed_monitor() override {
    if (Result<void> entry = attach_at(skeleton_->progs.observe_enter, Place::kAnyEnter); !entry) {
      return entry;
    }
    if (Result<void> inner = attach_monitor(); !inner) return inner;
    return attach_at(skeleton_->progs.observe_exit, Place::kAnyExit);
  }

  void arm(bool armed) override {
    std::atomic_ref(skeleton_->bss->armed).store(armed ? 1 : 0, std::memory_order_release);
  }

  Result<std::vector<std::uint64_t>> take_samples(std::uint64_t calls) override {
    const bpfmark_syscall_observed seen =
        std::exchange(skeleton_->bss->observed, bpfmark_syscall_observed{});
    if (seen.enters != calls || seen.samples != calls) {
      return wrong_result(fmt::format("the kernel saw {} entries and {} exits of {} calls of {}",
                                      seen.enters, seen.samples, calls, call_.name));
    }
    if (calls > BPFMARK_SYSCALL_MAX_SAMPLES) {
      return wrong_result(fmt::format("{} samples do not fit", calls));
    }
    return std::vector<std::uint64_t>(skeleton_->bss->samples_ns,
                                      skeleton_->bss->samples_ns + calls);
  }

  Result<void> add_durations(Histogram& histogram) const override {
    const auto copy = std::make_unique<bpfmark_histogram>();
    const std::uint32_t cpus = bpf_map__max_entries(skeleton_->maps.durations);
    for (std::uint32_t cpu = 0; cpu < cpus; ++cpu) {
      if (const int err =
              bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.durations), &cpu, copy.get());
          err != 0) {
        return system_error(-err, "read the kernel's histogram");
      }
      histogram.merge(*copy);
    }
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    std::vector<ProgramIdentity> programs;
    const auto add = [&programs](const bpf_program* program, const char* role) {
      if (program == nullptr) return;
      if (auto identity = identify_program(bpf_program__fd(program), role)) {
        programs.push_back(std::move(*identity));
      }
    };
    add(program_, "subject");
    add(skeleton_->progs.observe_enter, "observer");
    add(skeleton_->progs.observe_exit, "observer");
    return programs;
  }

 private:
  HookPoint point_of(Place place) const {
    const bool enter = place == Place::kCallEnter || place == Place::kAnyEnter;
    const char* const event = enter ? "sys_enter" : "sys_exit";
    switch (place) {
      case Place::kCallEnter:
      case Place::kCallExit:
        return {.category = "syscalls", .event = fmt::format("{}_{}", event, call_.tracepoint)};
      case Place::kLsm:
        return {.function = std::string(lsm_hook_of(call_.name))};
      default:
        return {.event = event};
    }
  }

  Result<void> attach_at(const bpf_program* program, Place place) {
    const bool any = place == Place::kAnyEnter || place == Place::kAnyExit;
    const AttachType& type = *find_attach_type(place == Place::kLsm ? "lsm"
                                               : any                ? "raw_tp"
                                                                    : "tp");
    Result<Attachment> attached = attach(program, type, point_of(place));
    if (!attached) return std::unexpected(attached.error());
    attachments_.push_back(std::move(*attached));
    return {};
  }

  // The agent learns of the process that it is to watch.
  Result<void> watch_caller() {
    if (monitor_.proof != Proof::kWatched || watching_) return {};
    const auto tgid = static_cast<std::uint32_t>(skeleton_->bss->caller >> 32);
    const std::uint64_t none = 0;
    if (const int err =
            bpf_map_update_elem(bpf_map__fd(skeleton_->maps.watched), &tgid, &none, BPF_ANY);
        err != 0) {
      return system_error(-err, "watch the caller");
    }
    watching_ = true;
    return {};
  }

  Result<Counted> count() {
    Counted counted{.lost = skeleton_->bss->lost};
    const auto read = [&counted](const bpf_map* map, const void* key,
                                 const char* what) -> Result<Counted> {
      if (const int err = bpf_map_lookup_elem(bpf_map__fd(map), key, &counted.calls); err != 0) {
        return system_error(-err, what);
      }
      return counted;
    };
    switch (monitor_.proof) {
      case Proof::kCount:
        return count_of_all_cpus();
      case Proof::kWatched: {
        const auto tgid = static_cast<std::uint32_t>(skeleton_->bss->caller >> 32);
        return read(skeleton_->maps.watched, &tgid, "read the count of a watched process");
      }
      case Proof::kWanted: {
        const auto number = static_cast<std::uint32_t>(call_.first_number);
        return read(skeleton_->maps.wanted, &number, "read the count of a wanted call");
      }
      case Proof::kEvents:
        if (const int err = ring_buffer__consume(ring_); err < 0) {
          return system_error(-err, "drain the ring buffer");
        }
        counted.calls = events_;
        return counted;
      case Proof::kSeen:
        counted.calls = skeleton_->bss->seen;
        return counted;
      default:
        return counted;
    }
  }

  Result<Counted> count_of_all_cpus() {
    std::vector<std::uint64_t> copies(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    const std::uint32_t key = 0;
    if (const int err =
            bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counts), &key, copies.data());
        err != 0) {
      return system_error(-err, "read the counts of all CPUs");
    }
    Counted counted;
    for (const std::uint64_t copy : copies) counted.calls += copy;
    return counted;
  }

  static int on_event(void* self, void* data, std::size_t bytes) {
    return static_cast<LoadedProbe*>(self)->take_event(data, bytes);
  }

  // An event is worth its name only if it says what happened.
  int take_event(const void* data, std::size_t bytes) {
    bpfmark_syscall_event event{};
    if (bytes < sizeof(event)) {
      event_fault_ = fmt::format("an event of {} bytes", bytes);
      return 0;
    }
    std::memcpy(&event, data, sizeof(event));
    ++events_;
    if (event.number != call_.first_number || event.pid_tgid != skeleton_->bss->caller ||
        event.value < 0) {
      event_fault_ = fmt::format("an event of call {} by task {:x} with value {}", event.number,
                                 event.pid_tgid, event.value);
    }
    return 0;
  }

  SyscallSkeleton skeleton_;
  const SystemCallKind& call_;
  const SyscallMonitor& monitor_;
  bpf_program* program_;
  ring_buffer* ring_ = nullptr;
  std::vector<Attachment> attachments_;
  bool watching_ = false;
  std::uint64_t events_ = 0;
  std::string event_fault_;
  Counted before_;
  std::uint64_t lost_ = 0;
};

}  // namespace

std::span<const SyscallMonitor> syscall_monitors() { return kMonitors; }

const SyscallMonitor* find_syscall_monitor(std::string_view name) {
  const auto* const found = std::ranges::find(kMonitors, name, &SyscallMonitor::name);
  return found == std::end(kMonitors) ? nullptr : found;
}

std::string_view lsm_hook_of(std::string_view call) {
  const LsmHook* const found = find_call(kLsmHooks, call);
  return found == nullptr ? "" : found->hook;
}

bool has_copied_argument(std::string_view call) {
  return find_call(kCopiedArguments, call) != nullptr;
}

Result<void> check_within(std::span<const std::uint64_t> kernel_ns,
                          std::span<const std::uint64_t> caller_ns) {
  if (kernel_ns.size() != caller_ns.size()) {
    return wrong_result(fmt::format("{} samples of the kernel for {} of the caller",
                                    kernel_ns.size(), caller_ns.size()));
  }
  for (std::size_t i = 0; i < kernel_ns.size(); ++i) {
    if (kernel_ns[i] > caller_ns[i]) {
      return wrong_result(fmt::format("call {} took {} ns in the kernel and {} ns for its caller",
                                      i, kernel_ns[i], caller_ns[i]));
    }
  }
  return {};
}

Result<std::unique_ptr<SyscallProbe>> SyscallProbe::load(const SystemCallKind& call,
                                                         const SyscallMonitor& monitor,
                                                         std::uint32_t ring_bytes) {
  auto skeleton = SyscallSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  auto probe = std::make_unique<LoadedProbe>(std::move(*skeleton), call, monitor);
  if (Result<void> configured = probe->configure(ring_bytes); !configured) {
    return std::unexpected(configured.error());
  }
  if (Result<void> loaded = probe->load(); !loaded) return std::unexpected(loaded.error());
  return probe;
}

}  // namespace bpfmark
