// SPDX-License-Identifier: BSD-2-Clause
// Measures:         making and ending a process or a thread, bare and with probes attached: a count
//                   at sched_process_fork, or a record in a ring buffer at sched_process_exec and
//                   sched_process_exit.
// Timed region:     a batch of whole lives, one after the other, until the parent has reaped the
//                   child; user-space clock. The process that forks is this one, with its memory.
// Floor:            bare: half as many; with probes: the same lives with nothing attached.
// Does not measure: a dynamic loader (the program that is executed is one page in memory without
//                   libraries); the consumer of the records, which are read between the batches.
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "benchmarks/foreign.h"
#include "bpf/shared/process_lifecycle.h"
#include "fixtures/attachment.h"
#include "fixtures/kernel_tgid.h"
#include "fixtures/mapping.h"
#include "fixtures/record_reader.h"
#include "fixtures/skeleton.h"
#include "fixtures/tiny_program.h"
#include "harness/clock.h"
#include "harness/interrupt.h"
#include "harness/program_identity.h"
#include "process_lifecycle.skel.h"

namespace bpfmark {
namespace {

using LifecycleSkeleton = Skeleton<process_lifecycle_bpf>;
using ProgramSlot = bpf_program* decltype(process_lifecycle_bpf::progs)::*;

constexpr int kChildStatus = 41;
constexpr std::size_t kPage_bytes = 4096;
constexpr std::size_t kTouchedPages = 64;
// How long a record that was not lost may take, and a thread that was joined: on kernels before
// 6.16 that is before its last tracepoint.
constexpr std::uint64_t kPatience_ns = 2'000'000'000;

// --- lives

// What the operations need, made before the clock starts.
struct Nursery {
  TinyProgram program;
  Mapping memory;  // present in the parent: a touch of the child copies the page

  static Result<Nursery> create() {
    Result<TinyProgram> program = TinyProgram::create();
    if (!program) return std::unexpected(program.error());
    Result<Mapping> memory = Mapping::anonymous(kTouchedPages * kPage_bytes, kPage_bytes);
    if (!memory) return std::unexpected(memory.error());
    std::memset(memory->data(), 1, memory->size());
    return Nursery{std::move(*program), std::move(*memory)};
  }
};

// Waits for the child, which must end by itself with that status.
Result<void> reap(pid_t child, int wanted) {
  int status = 0;
  while (::waitpid(child, &status, 0) != child) {
    if (errno != EINTR) return system_error(errno, "wait for a child");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == wanted) return {};
  if (stop_signal() != 0) return interrupted();  // a terminal sends it to the child as well
  return wrong_result(
      WIFSIGNALED(status)
          ? fmt::format("a child was ended by signal {} instead of by itself", WTERMSIG(status))
          : fmt::format("a child ended with status {} instead of {}", WEXITSTATUS(status), wanted));
}

// Forks; the child does its work and exits, unless the work replaces it.
template <class Work>
Result<void> in_child(int wanted, const Work& work) {
  const pid_t child = ::fork();
  if (child < 0) return system_error(errno, "fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work();
    ::_exit(kChildStatus);
  }
  return reap(child, wanted);
}

Result<void> fork_exit(const Nursery& /*nursery*/) {
  return in_child(kChildStatus, [] {});
}

Result<void> fork_touch_exit(const Nursery& nursery) {
  return in_child(kChildStatus, [&] {
    volatile std::byte* const memory = nursery.memory.data();
    for (std::size_t page = 0; page < kTouchedPages; ++page) {
      memory[page * kPage_bytes] = std::byte{2};
    }
  });
}

Result<void> fork_exec(const Nursery& nursery) {
  return in_child(TinyProgram::kStatus, [&] { nursery.program.execute(); });
}

Result<void> thread_create(const Nursery& /*nursery*/) {
  std::atomic<bool> ran = false;
  pthread_t thread{};
  const auto live = [](void* flag) -> void* {
    *static_cast<std::atomic<bool>*>(flag) = true;
    return nullptr;
  };
  if (const int err = ::pthread_create(&thread, nullptr, live, &ran); err != 0) {
    return system_error(err, "create a thread");
  }
  if (const int err = ::pthread_join(thread, nullptr); err != 0) {
    return system_error(err, "join a thread");
  }
  if (!ran) return wrong_result("a thread ended before it ran");
  return {};
}

// Of this process, with those that were joined and are not gone yet (proc_task_getattr()).
Result<nlink_t> count_threads() {
  struct stat tasks{};
  if (::stat("/proc/self/task", &tasks) != 0) return system_error(errno, "stat /proc/self/task");
  return tasks.st_nlink;
}

struct Operation {
  const char* name;
  const char* what;
  Result<void> (*perform)(const Nursery& nursery);
  std::uint64_t execs;  // of one operation; each has one fork and one exit
  std::uint64_t ops_per_batch;
};

constexpr Operation kOperations[] = {
    {"fork_exit", "a process that exits", fork_exit, 0, 4},
    {"fork_touch_exit", "a process that copies 64 pages and exits", fork_touch_exit, 0, 4},
    {"fork_exec", "a process that executes a one-page program and exits", fork_exec, 1, 4},
    {"thread_create", "a thread that returns", thread_create, 0, 32},
};

// --- probes

struct Hook {
  ProgramSlot program;
  const char* event;
};

constexpr Hook kFork{&decltype(process_lifecycle_bpf::progs)::count_fork, "sched_process_fork"};
constexpr Hook kExec{&decltype(process_lifecycle_bpf::progs)::send_exec, "sched_process_exec"};
constexpr Hook kExit{&decltype(process_lifecycle_bpf::progs)::send_exit, "sched_process_exit"};

struct Probe {
  const char* name;
  const char* capability;
  const char* what;
  std::vector<Hook> hooks;
};

const Probe kProbes[] = {
    {"none", nullptr, "no probe", {}},
    {"fork", "lifecycle_fork", "a probe that counts forks", {kFork}},
    {"exec_exit_ringbuf",
     "lifecycle_exec_exit",
     "probes that send exec and exit over a ring buffer",
     {kExec, kExit}},
};

// As agents attach to these events; and a tracepoint of perf takes two grace periods of RCU to let
// go.
const AttachType& way() { return *find_attach_type("raw_tp"); }

// What the probes saw.
struct Seen {
  std::uint64_t forks = 0;
  std::uint64_t execs = 0;
  std::uint64_t exits = 0;
  std::uint64_t lost = 0;
  std::uint64_t strange = 0;  // records of another process, or that are none

  Seen since(const Seen& before) const {
    return {.forks = forks - before.forks,
            .execs = execs - before.execs,
            .exits = exits - before.exits,
            .lost = lost - before.lost,
            .strange = strange - before.strange};
  }
};

class LifecycleLoad : public PairedLoad {
 public:
  LifecycleLoad(Nursery nursery, const Operation& operation, const Probe& probe)
      : nursery_(std::move(nursery)), operation_(operation), probe_(probe) {}

  Result<void> open() {
    if (probe_.hooks.empty()) return {};
    Result<nlink_t> threads = count_threads();
    if (!threads) return std::unexpected(threads.error());
    threads_ = *threads;
    auto skeleton = LifecycleSkeleton::open();
    if (!skeleton) return std::unexpected(skeleton.error());
    std::vector<const bpf_program*> programs;
    for (const Hook& hook : probe_.hooks) programs.push_back((*skeleton)->progs.*hook.program);
    skeleton->select(programs);
    const Result<std::uint32_t> tgid = kernel_tgid();
    if (!tgid) return std::unexpected(tgid.error());
    tgid_ = *tgid;
    (*skeleton)->rodata->owner_tgid = tgid_;
    if (Result<void> loaded = skeleton->load(); !loaded) return loaded;
    skeleton_.emplace(std::move(*skeleton));
    auto reader = RecordReader::of_ring_buffer(
        bpf_map__fd((*skeleton_)->maps.events),
        [this](const void* record, std::size_t bytes) { take(record, bytes); });
    if (!reader) return std::unexpected(reader.error());
    reader_ = std::move(*reader);
    return {};
  }

  Result<void> prepare(Arm arm) override {
    if (arm == Arm::kFloor) attachments_.clear();
    if (arm == Arm::kFloor || !attachments_.empty() || probe_.hooks.empty()) return {};
    if (Result<void> gone = wait_for_joined_threads(); !gone) return gone;
    for (const Hook& hook : probe_.hooks) {
      Result<Attachment> attached =
          attach((*skeleton_)->progs.*hook.program, way(), {.event = hook.event});
      if (!attached) return std::unexpected(attached.error());
      attachments_.push_back(std::move(*attached));
    }
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
    // What came in since the last batch is none of this one's.
    if (Result<void> read = read_records(); !read) return std::unexpected(read.error());
    const Seen before = seen();
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i < ops; ++i) {
      if (Result<void> lived = operation_.perform(nursery_); !lived) {
        return std::unexpected(lived.error());
      }
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    if (Result<void> right = check(arm, ops, before); !right) {
      return std::unexpected(right.error());
    }
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    attachments_.clear();
    if (reader_) findings.counters["lost"] += static_cast<double>(seen_.lost);
    // Whoever looks at lives slows them down, whatever this case attaches.
    for (const Hook& hook : {kFork, kExec, kExit}) {
      const Result<void> named =
          add_foreign_programs(foreign_programs(way(), {.event = hook.event}, 0), findings);
      if (!named) return named;
    }
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    std::vector<ProgramIdentity> programs;
    for (const Hook& hook : probe_.hooks) {
      if (auto known =
              identify_program(bpf_program__fd((*skeleton_)->progs.*hook.program), "subject")) {
        programs.push_back(*known);
      }
    }
    return programs;
  }

 private:
  // Those of the floor must not meet the probe on their way out. Where others have come meanwhile
  // this waits in vain, and the counts tell.
  Result<void> wait_for_joined_threads() {
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (now_ns() < deadline_ns) {
      const Result<nlink_t> threads = count_threads();
      if (!threads) return std::unexpected(threads.error());
      if (*threads <= threads_) {
        threads_ = *threads;  // at the start, one of the load before may have been on its way out
        return {};
      }
      ::sched_yield();
    }
    return {};
  }

  Result<void> read_records() { return reader_ ? reader_->consume() : Result<void>(); }

  void take(const void* record, std::size_t bytes) {
    bpfmark_process_event event{};
    if (bytes == sizeof(event)) std::memcpy(&event, record, sizeof(event));
    if (event.tgid != tgid_ && event.parent_tgid != tgid_) {
      ++seen_.strange;
    } else if (event.type == BPFMARK_PROCESS_EXEC) {
      ++seen_.execs;
    } else if (event.type == BPFMARK_PROCESS_EXIT) {
      ++seen_.exits;
    } else {
      ++seen_.strange;
    }
  }

  const Seen& seen() {
    if (!skeleton_) return seen_;
    seen_.forks = std::atomic_ref((*skeleton_)->bss->forks).load();
    seen_.lost = std::atomic_ref((*skeleton_)->bss->lost).load();
    return seen_;
  }

  // Every life was seen exactly once by every probe that is attached.
  Result<void> check(Arm arm, std::uint64_t ops, const Seen& before) {
    if (!skeleton_) return {};
    const std::uint64_t lives = arm == Arm::kSubject ? ops : 0;
    const bool counts_forks = probe_.hooks.front().program == kFork.program;
    const std::uint64_t forks = counts_forks ? lives : 0;
    const std::uint64_t execs = counts_forks ? 0 : lives * operation_.execs;
    const std::uint64_t exits = counts_forks ? 0 : lives;
    Seen now;
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    do {
      if (Result<void> read = read_records(); !read) return read;
      now = seen().since(before);
    } while (now.execs + now.exits + now.lost < execs + exits && now_ns() < deadline_ns);
    if (now.forks != forks) {
      return wrong_result(fmt::format("{} forks were counted instead of {}", now.forks, forks));
    }
    const bool complete = now.execs + now.exits + now.lost == execs + exits;
    if (!complete || now.execs > execs || now.exits > exits || now.strange > 0) {
      return wrong_result(fmt::format(
          "{} execs, {} exits and {} strange records arrived and {} were lost instead of {} execs "
          "and {} exits",
          now.execs, now.exits, now.strange, now.lost, execs, exits));
    }
    return {};
  }

  Nursery nursery_;
  const Operation& operation_;
  const Probe& probe_;
  std::optional<LifecycleSkeleton> skeleton_;  // without a probe there is none
  std::unique_ptr<RecordReader> reader_;
  std::vector<Attachment> attachments_;
  std::uint32_t tgid_ = 0;
  nlink_t threads_ = 0;  // of the process, without those of the operation
  Seen seen_;
};

Result<std::unique_ptr<PairedLoad>> load_lifecycle(const Operation& operation, const Probe& probe) {
  Result<Nursery> nursery = Nursery::create();
  if (!nursery) return std::unexpected(nursery.error());
  auto load = std::make_unique<LifecycleLoad>(std::move(*nursery), operation, probe);
  if (Result<void> opened = load->open(); !opened) return std::unexpected(opened.error());
  return load;
}

Suite suite_of(const Operation& operation, const Probe& probe) {
  const bool counts = !probe.hooks.empty() && probe.hooks.front().program == kFork.program;
  return operation.perform == fork_exec && !counts ? Suite::kDefault : Suite::kFull;
}

ProbeResult try_probe(const Probe& probe) {
  Result<std::unique_ptr<PairedLoad>> load = load_lifecycle(kOperations[0], probe);
  const Result<void> outcome =
      load ? (*load)->prepare(Arm::kSubject) : Result<void>(std::unexpected(load.error()));
  return classify(outcome, "5.11", "CONFIG_BPF_EVENTS");
}

}  // namespace

void register_process_lifecycle(Registry& registry, Capabilities& capabilities) {
  for (const Probe& probe : kProbes) {
    if (probe.hooks.empty()) continue;
    capabilities.add({probe.capability, fmt::format("load and attach {}", probe.what),
                      [&probe] { return try_probe(probe); }});
  }
  for (const Operation& operation : kOperations) {
    for (const Probe& probe : kProbes) {
      const bool bare = probe.hooks.empty();
      std::vector<std::string> needs;
      if (!bare) needs = {probe.capability, "jit"};
      registry.add(
          {.name = fmt::format("process_lifecycle/op:{}/probe:{}", operation.name, probe.name),
           .question = bare ? fmt::format("What does {} cost?", operation.what)
                            : fmt::format("What does {} pay for {}?", operation.what, probe.what),
           .floor = bare ? "half as many" : "the same with nothing attached",
           .needs = std::move(needs),
           .suite = suite_of(operation, probe),
           .plan = {.ops_per_batch = operation.ops_per_batch,
                    .rounds = 8,
                    .loads = 12,
                    .pairing = bare ? Pairing::kSlope : Pairing::kTwin,
                    .waits = true},
           .load = [&operation, &probe] { return load_lifecycle(operation, probe); }});
    }
  }
}

}  // namespace bpfmark
