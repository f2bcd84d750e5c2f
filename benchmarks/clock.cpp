// SPDX-License-Identifier: BSD-2-Clause
// Measures:         reading each clock that BPF programs can read, and the user-space clock; one
// empty
//                   pass of each loop shape; one test-run call. These are the costs that stand
//                   inside or around every other number of the suite.
// Timed region:     a batch inside a TC program with bpf_ktime_get_ns() around the loop; for the
//                   user-space clock and for test-run calls a batch between two user-space
//                   readings.
// Floor:            for clocks the same loop without the reading; loops and calls have no form
// without
//                   themselves, so twice the passes are compared with once.
// Does not measure: the clocks' resolution or drift.
#include <fmt/format.h>
#include <time.h>

#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/clock.h"
#include "bpf/shared/histogram.h"
#include "clock.skel.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/histogram.h"
#include "harness/in_kernel_batch.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using ClockSkeleton = Skeleton<clock_bpf>;

// A program of the object, named by where its skeleton keeps it.
using ProgramSlot = bpf_program* decltype(clock_bpf::progs)::*;

Result<ClockSkeleton> load_only(std::initializer_list<ProgramSlot> wanted) {
  auto skeleton = ClockSkeleton::open();
  if (!skeleton) return skeleton;
  std::vector<const bpf_program*> programs;
  for (const ProgramSlot slot : wanted) programs.push_back((*skeleton)->progs.*slot);
  skeleton->select(programs);
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return skeleton;
}

InKernelBatch batch_of(ClockSkeleton& skeleton, ProgramSlot slot) {
  return {bpf_program__fd(skeleton->progs.*slot), find_program_type("tc")->input(),
          skeleton->bss->request, skeleton->bss->result};
}

std::vector<ProgramIdentity> programs_of(ClockSkeleton& skeleton, ProgramSlot subject,
                                         ProgramSlot floor) {
  return identify_pair(bpf_program__fd(skeleton->progs.*subject),
                       bpf_program__fd(skeleton->progs.*floor));
}

// --- clocks read by a program

struct KernelClock {
  const char* name;
  const char* helper;
  ProgramSlot program;
  std::optional<clockid_t> user_clock;  // the same clock for user space; jiffies have none
  bool pair = false;
};

const KernelClock kKernelClocks[] = {
    {"ktime", "bpf_ktime_get_ns()", &decltype(clock_bpf::progs)::clock_ktime, CLOCK_MONOTONIC},
    {"ktime_pair", "a pair of bpf_ktime_get_ns()", &decltype(clock_bpf::progs)::clock_pair,
     CLOCK_MONOTONIC, true},
    {"boot", "bpf_ktime_get_boot_ns()", &decltype(clock_bpf::progs)::clock_boot, CLOCK_BOOTTIME},
    {"tai", "bpf_ktime_get_tai_ns()", &decltype(clock_bpf::progs)::clock_tai, CLOCK_TAI},
    {"coarse", "bpf_ktime_get_coarse_ns()", &decltype(clock_bpf::progs)::clock_coarse,
     CLOCK_MONOTONIC_COARSE},
    {"jiffies64", "bpf_jiffies64()", &decltype(clock_bpf::progs)::clock_jiffies, std::nullopt},
};

class KernelClockLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const KernelClock& clock) {
    auto skeleton = clock.pair
                        ? load_only({clock.program, &decltype(clock_bpf::progs)::clock_floor,
                                     &decltype(clock_bpf::progs)::clock_pair_hist})
                        : load_only({clock.program, &decltype(clock_bpf::progs)::clock_floor});
    if (!skeleton) return std::unexpected(skeleton.error());
    return std::unique_ptr<PairedLoad>(new KernelClockLoad(std::move(*skeleton), clock));
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (arm == Arm::kFloor) {
      const Result<Batch> done = floor_.run(ops);
      if (!done) return done;
      if (Result<void> right = check_counts(floor_.result(), {.hits = ops, .sum = 0}); !right) {
        return std::unexpected(right.error());
      }
      return done;
    }
    const std::uint64_t before = clock_.user_clock ? now_ns(*clock_.user_clock) : 0;
    const Result<Batch> done = subject_.run(ops);
    if (!done) return done;
    const std::uint64_t last = subject_.result().sum;
    // Read backwards in no step, and the last reading lies between ours of the same clock.
    if (Result<void> right = check_counts(subject_.result(), {.hits = ops, .sum = last}); !right) {
      return std::unexpected(right.error());
    }
    if (last == 0 || (clock_.user_clock && (last < before || last > now_ns(*clock_.user_clock)))) {
      return wrong_result(
          fmt::format("{} read {}, outside of what user space read before and after (a time "
                      "namespace shifts clocks for user space only)",
                      clock_.helper, last));
    }
    return done;
  }

  // The distribution of a pair's own reading, from a program that times nothing else.
  Result<void> finish(Findings& findings) override {
    if (!clock_.pair) return {};
    constexpr std::uint64_t kSamples = 100'000;
    const InKernelBatch recorder =
        batch_of(skeleton_, &decltype(clock_bpf::progs)::clock_pair_hist);
    if (Result<Batch> done = recorder.run(kSamples); !done) return std::unexpected(done.error());
    Histogram histogram;
    histogram.merge(skeleton_->bss->ktime_pair_ns);
    if (histogram.count() != kSamples) {
      return wrong_result(
          fmt::format("{} of {} samples in the histogram", histogram.count(), kSamples));
    }
    findings.histogram("kernel").merge(histogram);
    return {};
  }

  std::vector<ProgramIdentity> programs() const override { return programs_; }

 private:
  KernelClockLoad(ClockSkeleton skeleton, const KernelClock& clock)
      : skeleton_(std::move(skeleton)),
        clock_(clock),
        subject_(batch_of(skeleton_, clock.program)),
        floor_(batch_of(skeleton_, &decltype(clock_bpf::progs)::clock_floor)),
        programs_(programs_of(skeleton_, clock.program, &decltype(clock_bpf::progs)::clock_floor)) {
  }

  ClockSkeleton skeleton_;
  const KernelClock& clock_;
  InKernelBatch subject_;
  InKernelBatch floor_;
  std::vector<ProgramIdentity> programs_;
};

// --- the user-space clock

class UserClockLoad : public PairedLoad {
 public:
  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    std::uint64_t last = 0, forward = 0;
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i < ops; ++i) {
      std::uint64_t now = last;
      if (arm == Arm::kSubject) now = now_ns();
      asm volatile("" : "+r"(now));
      forward += now >= last;
      last = now;
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    if (forward != ops) return wrong_result("CLOCK_MONOTONIC ran backwards");
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }
};

// --- loop shapes

struct LoopShape {
  const char* name;
  const char* what;
  ProgramSlot program;
  const char* first_kernel;
  std::uint64_t ops_per_batch;
};

const LoopShape kLoopShapes[] = {
    {"bounded", "a bounded for", &decltype(clock_bpf::progs)::loop_bounded, "5.3",
     BPFMARK_BOUNDED_LOOP_MAX / 4},
    {"bpf_loop", "bpf_loop()", &decltype(clock_bpf::progs)::loop_bpf_loop, "5.17", 32768},
    {"iter_num", "the open-coded iterator", &decltype(clock_bpf::progs)::loop_iter_num, "6.4",
     32768},
    {"may_goto", "may_goto", &decltype(clock_bpf::progs)::loop_may_goto, "6.9", 32768},
};

ProbeResult probe_loop(const LoopShape& shape) {
  Result<ClockSkeleton> skeleton = load_only({shape.program});
  const Result<void> loaded =
      skeleton ? Result<void>{} : Result<void>(std::unexpected(skeleton.error()));
  return classify(loaded, shape.first_kernel, "");
}

class LoopLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const LoopShape& shape) {
    auto skeleton = load_only({shape.program});
    if (!skeleton) return std::unexpected(skeleton.error());
    return std::unique_ptr<PairedLoad>(new LoopLoad(std::move(*skeleton), shape));
  }

  Result<Batch> run(Arm /*arm*/, std::uint64_t ops) override { return batch_.run(ops); }

  std::vector<ProgramIdentity> programs() const override { return programs_; }

 private:
  LoopLoad(ClockSkeleton skeleton, const LoopShape& shape)
      : skeleton_(std::move(skeleton)),
        batch_(batch_of(skeleton_, shape.program)),
        programs_(programs_of(skeleton_, shape.program, shape.program)) {
    programs_.resize(
        std::min<std::size_t>(programs_.size(), 1));  // subject and floor are one program
  }

  ClockSkeleton skeleton_;
  InKernelBatch batch_;
  std::vector<ProgramIdentity> programs_;
};

// --- the test-run call

class TestRunCallLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create() {
    auto skeleton = load_only({&decltype(clock_bpf::progs)::clock_nop});
    if (!skeleton) return std::unexpected(skeleton.error());
    return std::unique_ptr<PairedLoad>(new TestRunCallLoad(std::move(*skeleton)));
  }

  Result<Batch> run(Arm /*arm*/, std::uint64_t ops) override {
    TestRunOutcome outcome;
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i < ops; ++i) {
      if (const int err = call_.call(1, outcome); err != 0) {
        return system_error(-err, "BPF_PROG_TEST_RUN");
      }
      if (outcome.retval != BPFMARK_NOP_VERDICT) {
        return wrong_result(fmt::format("the program returned {} instead of {}", outcome.retval,
                                        BPFMARK_NOP_VERDICT));
      }
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

 private:
  explicit TestRunCallLoad(ClockSkeleton skeleton)
      : skeleton_(std::move(skeleton)),
        call_(bpf_program__fd(skeleton_->progs.clock_nop), find_program_type("tc")->input()) {}

  ClockSkeleton skeleton_;
  TestRun call_;
};

}  // namespace

void register_clock(Registry& registry, Capabilities& capabilities) {
  constexpr const char* kSlopeFloor = "the same program with half the passes";
  for (const LoopShape& shape : kLoopShapes) {
    capabilities.add({fmt::format("loop_{}", shape.name),
                      fmt::format("load a program that loops by {}", shape.what),
                      [&shape] { return probe_loop(shape); }});
  }
  for (const KernelClock& clock : kKernelClocks) {
    registry.add({.name = fmt::format("clock/read:{}", clock.name),
                  .question = fmt::format("What does {} cost in a BPF program?", clock.helper),
                  .floor = "the same loop without the reading",
                  .needs = {"test_run_tc", "loop_bpf_loop", "jit"},
                  .plan = {.ops_per_batch = 4096, .rounds = 60, .loads = 12},
                  .load = [&clock] { return KernelClockLoad::create(clock); }});
  }
  registry.add({.name = "clock/read:user_monotonic",
                .question = "What does clock_gettime(CLOCK_MONOTONIC) cost in user space?",
                .floor = "the same loop without the reading",
                .needs = {},
                .plan = {.ops_per_batch = 4096, .rounds = 60, .loads = 12},
                .load = []() -> Result<std::unique_ptr<PairedLoad>> {
                  return std::make_unique<UserClockLoad>();
                }});
  for (const LoopShape& shape : kLoopShapes) {
    registry.add({.name = fmt::format("clock/loop:{}", shape.name),
                  .question = fmt::format("What does one empty pass of {} cost?", shape.what),
                  .floor = kSlopeFloor,
                  .needs = {"test_run_tc", fmt::format("loop_{}", shape.name), "jit"},
                  .plan = {.ops_per_batch = shape.ops_per_batch,
                           .rounds = 60,
                           .loads = 12,
                           .pairing = Pairing::kSlope},
                  .load = [&shape] { return LoopLoad::create(shape); }});
  }
  registry.add(
      {.name = "clock/call:test_run_tc",
       .question = "What does one BPF_PROG_TEST_RUN call of an empty TC program cost?",
       .floor = "half as many calls",
       .needs = {"test_run_tc", "jit"},
       .plan = {.ops_per_batch = 64, .rounds = 60, .loads = 12, .pairing = Pairing::kSlope},
       .load = [] { return TestRunCallLoad::create(); }});
}

}  // namespace bpfmark
