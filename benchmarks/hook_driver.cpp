// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/hook_driver.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fixtures/kernel_tgid.h"
#include "fixtures/skeleton.h"
#include "fixtures/unique_fd.h"
#include "harness/clock.h"
#include "harness/in_kernel_batch.h"
#include "harness/program_type.h"
#include "hook_driver.skel.h"

namespace bpfmark {
namespace {

using Made = Result<std::unique_ptr<HookDriver>>;

std::unexpected<Error> wrong_count(std::uint64_t runs, const std::string& expected) {
  return wrong_result(fmt::format("the program ran {} times instead of {}", runs, expected));
}

// --- system calls and other calls

class CallDriver : public HookDriver {
 public:
  CallDriver(std::unique_ptr<SystemCall> call, HookPoint point, std::uint64_t most_calls,
             std::uint64_t tgid, bool every_call)
      : call_(std::move(call)),
        point_(std::move(point)),
        most_calls_(most_calls),
        tgid_(tgid),
        every_call_(every_call) {}

  Result<Batch> run(const Work& work) override {
    double elapsed_ns = 0;
    for (std::uint64_t done = 0; done < work.ops;) {
      const std::uint64_t calls = std::min(most_calls_, work.ops - done);
      if (Result<void> ready = call_->prepare(calls); !ready) return std::unexpected(ready.error());
      bool right = true;
      // The gate is opened inside the times: where the clock is no vDSO's, to read it is a system
      // call.
      const std::uint64_t start = now_ns();
      work.gate.open();
      for (std::uint64_t i = 0; i < calls && right; ++i) {
        right = call_->call();
        if (right && by_another_task_) elapsed_ns += time_of_the_call();
      }
      work.gate.close();
      if (!by_another_task_) elapsed_ns += static_cast<double>(now_ns() - start);
      if (!right) return std::unexpected(call_->failure());
      if (Result<void> undone = call_->undo(); !undone) return std::unexpected(undone.error());
      done += calls;
    }
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> check_runs(std::uint64_t ops, const Batch& batch,
                          std::uint64_t runs) const override {
    if (!every_call_) return HookDriver::check_runs(ops, batch, runs);
    if (runs < ops) return wrong_count(runs, fmt::format("{} or more", ops));
    return {};
  }

  const HookPoint& point() const override { return point_; }
  std::uint64_t tgid() const override { return tgid_; }

  // The first call tells who makes them.
  Result<void> look_who_calls() {
    if (Result<void> ready = call_->prepare(1); !ready) return ready;
    if (!call_->call()) return std::unexpected(call_->failure());
    by_another_task_ = call_->own_times().has_value();
    return call_->undo();
  }
  bool by_another_task() const { return by_another_task_; }

 private:
  double time_of_the_call() const {
    const std::optional<CallTimes> times = call_->own_times();
    return times ? static_cast<double>(times->after_ns - times->before_ns) : 0;
  }

  std::unique_ptr<SystemCall> call_;
  HookPoint point_;
  std::uint64_t most_calls_;
  std::uint64_t tgid_;
  bool every_call_;
  bool by_another_task_ = false;
};

// A word that a child process can write.
class SharedWord {
 public:
  static Result<SharedWord> create() {
    void* const page = ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return system_error(errno, "map a shared page");
    return SharedWord(static_cast<volatile std::uint64_t*>(page));
  }
  SharedWord(SharedWord&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}
  SharedWord& operator=(SharedWord&&) = delete;
  ~SharedWord() {
    if (word_ != nullptr) ::munmap(const_cast<std::uint64_t*>(word_), sizeof(*word_));
  }
  volatile std::uint64_t& operator*() const { return *word_; }

 private:
  explicit SharedWord(volatile std::uint64_t* word) : word_(word) {}

  volatile std::uint64_t* word_;
};

Made make_system_call(const SystemCallKind& kind, const HookPoint& point, bool every_call) {
  const Result<std::uint32_t> own = kernel_tgid();
  if (!own) return std::unexpected(own.error());
  const Result<SharedWord> caller = SharedWord::create();
  if (!caller) return std::unexpected(caller.error());
  Result<std::unique_ptr<SystemCall>> call = kind.create([&] {
    **caller = static_cast<std::uint64_t>(::syscall(SYS_getpid));
    return true;
  });
  if (!call) return std::unexpected(call.error());
  const auto pid = static_cast<std::uint64_t>(::getpid());
  const bool child = **caller != pid;
  if (child && *own != pid) {
    return std::unexpected(
        Error{.kind = ErrorKind::kUnknown,
              .what = "in a PID namespace the kernel's number of a child process is not known",
              .remedy = "run outside of the container",
              .capability = "pid_namespace"});
  }
  auto driver = std::make_unique<CallDriver>(std::move(*call), point, kind.most_calls,
                                             child ? **caller : *own, every_call);
  if (Result<void> known = driver->look_who_calls(); !known) return std::unexpected(known.error());
  return driver;
}

Made make_event(const HookEventKind& kind) {
  constexpr std::uint64_t kAnyNumber = 1u << 20;
  const Result<std::uint32_t> own = kernel_tgid();
  if (!own) return std::unexpected(own.error());
  Result<std::unique_ptr<HookEvent>> event = kind.create();
  if (!event) return std::unexpected(event.error());
  const HookPoint point = (*event)->point();
  return std::make_unique<CallDriver>(std::move(*event), point, kAnyNumber, *own, false);
}

// --- from inside the kernel

class TestRunDriver : public HookDriver {
 public:
  TestRunDriver(Skeleton<hook_driver_bpf> skeleton, const bpf_program* program, HookPoint point,
                std::uint64_t tgid)
      : skeleton_(std::move(skeleton)),
        batch_(bpf_program__fd(program), find_program_type("raw_tp")->input(),
               skeleton_->bss->request, skeleton_->bss->result),
        point_(std::move(point)),
        tgid_(tgid) {}

  Result<Batch> run(const Work& work) override {
    work.gate.open();
    Result<Batch> batch = batch_.run(work.ops);
    work.gate.close();
    return batch;
  }
  const HookPoint& point() const override { return point_; }
  std::uint64_t tgid() const override { return tgid_; }

 private:
  Skeleton<hook_driver_bpf> skeleton_;
  InKernelBatch batch_;
  HookPoint point_;
  std::uint64_t tgid_;
};

Made make_test_run(KernelCallee callee, const HookPoint& point) {
  const Result<std::uint32_t> own = kernel_tgid();
  if (!own) return std::unexpected(own.error());
  auto skeleton = Skeleton<hook_driver_bpf>::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  const auto& programs = (*skeleton)->progs;
  const bpf_program* const program =
      callee == KernelCallee::kHelper ? programs.drive_helper : programs.drive_kfunc;
  skeleton->select({program});
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return std::make_unique<TestRunDriver>(std::move(*skeleton), program, point, *own);
}

// --- iterator

class IteratorDriver : public HookDriver {
 public:
  IteratorDriver(UniqueFd map, std::uint64_t tgid)
      : map_(std::move(map)), point_{.function = "bpf_map_elem", .fd = map_.get()}, tgid_(tgid) {}

  // The floor makes the iterator and closes it unread.
  Result<Batch> run(const Work& work) override {
    const std::uint64_t start = now_ns();
    for (std::uint64_t done = 0; done < work.ops; done += kIteratedElements) {
      const UniqueFd iterator(bpf_iter_create(work.link_fd));
      if (!iterator) return system_error(errno, "create an iterator");
      if (work.arm == Arm::kFloor) continue;
      char byte = 0;
      work.gate.open();
      const ssize_t got = ::read(iterator.get(), &byte, 1);
      work.gate.close();
      if (got != 0) return system_error(got < 0 ? errno : EIO, "read an iterator");
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  // Once more for each iterator, to say that there is no element left.
  Result<void> check_runs(std::uint64_t ops, const Batch& batch,
                          std::uint64_t runs) const override {
    return HookDriver::check_runs(ops + ops / kIteratedElements, batch, runs);
  }
  const HookPoint& point() const override { return point_; }
  std::uint64_t tgid() const override { return tgid_; }

 private:
  UniqueFd map_;
  HookPoint point_;
  std::uint64_t tgid_;
};

Made make_iterator() {
  const Result<std::uint32_t> own = kernel_tgid();
  if (!own) return std::unexpected(own.error());
  UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "bpfmark_elems", sizeof(std::uint32_t),
                              sizeof(std::uint64_t), kIteratedElements, nullptr));
  if (!map) return system_error(errno, "create the map to iterate over");
  return std::make_unique<IteratorDriver>(std::move(map), *own);
}

// --- the software clock

class ClockDriver : public HookDriver {
 public:
  ClockDriver(UniqueFd event, std::uint64_t tgid)
      : event_(std::move(event)), point_{.fd = event_.get()}, tgid_(tgid) {}

  Result<Batch> run(const Work& work) override {
    const Result<std::uint64_t> before = counted_ns();
    if (!before) return std::unexpected(before.error());
    const std::uint64_t start = now_ns();
    work.gate.open();
    std::uint64_t state = 1;
    for (std::uint64_t step = 0; step < work.ops * kSpinSteps; ++step) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    }
    asm volatile("" : : "r"(state));  // or there would be nothing to compute
    work.gate.close();
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    const Result<std::uint64_t> after = counted_ns();
    if (!after) return std::unexpected(after.error());
    counted_in_batch_ns_ = *after - *before;
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  // Not so often per operation, but per time that the event itself says it has counted. Each time
  // the thread is switched in the first tick comes early, and what the hypervisor takes away comes
  // back as one tick.
  Result<void> check_runs(std::uint64_t /*ops*/, const Batch& /*batch*/,
                          std::uint64_t runs) const override {
    const std::uint64_t ticks = counted_in_batch_ns_ / kSamplePeriodNs;
    constexpr std::uint64_t kAtLeastOneIn = 10;
    if (runs > ticks + ticks / 4 + 10 || runs < ticks / kAtLeastOneIn || runs == 0) {
      return wrong_count(runs, fmt::format("about {}, by the time that perf counted", ticks));
    }
    return {};
  }
  const HookPoint& point() const override { return point_; }
  std::uint64_t tgid() const override { return tgid_; }
  void report(Findings& findings) const override {
    findings.counters["sample_period_ns"] = static_cast<double>(kSamplePeriodNs);
  }

 private:
  Result<std::uint64_t> counted_ns() const {
    std::uint64_t value = 0;
    if (::read(event_.get(), &value, sizeof(value)) != sizeof(value)) {
      return system_error(errno, "read a perf event");
    }
    return value;
  }

  UniqueFd event_;
  HookPoint point_;
  std::uint64_t tgid_;
  std::uint64_t counted_in_batch_ns_ = 0;
};

Made make_clock() {
  const Result<std::uint32_t> own = kernel_tgid();
  if (!own) return std::unexpected(own.error());
  perf_event_attr attr{};
  attr.type = PERF_TYPE_SOFTWARE;
  attr.size = sizeof(attr);
  attr.config = PERF_COUNT_SW_CPU_CLOCK;
  attr.sample_period = kSamplePeriodNs;
  attr.disabled = 1;
  UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attr, /*pid=*/0, /*cpu=*/-1,
                                            /*group=*/-1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) return system_error(errno, "open the software clock of perf");
  return std::make_unique<ClockDriver>(std::move(event), *own);
}

}  // namespace

Result<void> HookDriver::check_runs(std::uint64_t ops, const Batch& /*batch*/,
                                    std::uint64_t runs) const {
  if (runs != ops) return wrong_count(runs, fmt::format("{}", ops));
  return {};
}

DriverMaker drive_by_system_call(const SystemCallKind& kind, HookPoint point, bool every_call) {
  return [&kind, point = std::move(point), every_call] {
    return make_system_call(kind, point, every_call);
  };
}

DriverMaker drive_by_event(const HookEventKind& kind) {
  return [&kind] { return make_event(kind); };
}

DriverMaker drive_by_test_run(KernelCallee callee, HookPoint point) {
  return [callee, point = std::move(point)] { return make_test_run(callee, point); };
}

DriverMaker drive_by_iterator() { return make_iterator; }

DriverMaker drive_by_clock() { return make_clock; }

}  // namespace bpfmark
