// SPDX-License-Identifier: BSD-2-Clause
// Measures:         putting one sample into the histogram that latencies are kept in.
// Timed region:     by:bpf a batch inside a TC program; by:user a batch in user space. The samples
//                   are a stream of numbers below 2^20, of which each is as likely as any other.
// Floor:            the same numbers, thrown away.
// Does not measure: cold caches; the clock that gives the sample (clock/read:*).
#include <fmt/format.h>

#include <memory>

#include "benchmarks/families.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/histogram.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/histogram.h"
#include "harness/in_kernel_batch.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"
#include "histogram_record.skel.h"

namespace bpfmark {
namespace {

Result<void> check_recorded(std::uint64_t recorded, std::uint64_t expected) {
  if (recorded == expected) return {};
  return wrong_result(fmt::format("{} samples were recorded instead of {}", recorded, expected));
}

class BpfLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create() {
    auto skeleton = Skeleton<histogram_record_bpf>::open();
    if (!skeleton) return std::unexpected(skeleton.error());
    if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
    return std::unique_ptr<PairedLoad>(new BpfLoad(std::move(*skeleton)));
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    const bool subject = arm == Arm::kSubject;
    const std::uint64_t before = skeleton_->bss->recorded.count;
    Result<Batch> batch = (subject ? subject_ : floor_).run(ops);
    if (!batch) return batch;
    const Result<void> right =
        check_recorded(skeleton_->bss->recorded.count - before, subject ? ops : 0);
    if (!right) return std::unexpected(right.error());
    return batch;
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_pair(bpf_program__fd(skeleton_->progs.record),
                         bpf_program__fd(skeleton_->progs.record_floor));
  }

 private:
  explicit BpfLoad(Skeleton<histogram_record_bpf> skeleton)
      : skeleton_(std::move(skeleton)),
        subject_(batch_of(skeleton_->progs.record)),
        floor_(batch_of(skeleton_->progs.record_floor)) {}

  InKernelBatch batch_of(const bpf_program* program) {
    return {bpf_program__fd(program), find_program_type("tc")->input(), skeleton_->bss->request,
            skeleton_->bss->result};
  }

  Skeleton<histogram_record_bpf> skeleton_;
  InKernelBatch subject_;
  InKernelBatch floor_;
};

class UserLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create() { return std::make_unique<UserLoad>(); }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    const std::uint64_t before = histogram_.count();
    std::uint64_t state = 0;
    const auto next = [&state] {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return state >> (64 - 20);
    };
    const std::uint64_t start = now_ns();
    if (arm == Arm::kSubject) {
      for (std::uint64_t i = 0; i < ops; ++i) histogram_.record(next());
    } else {
      for (std::uint64_t i = 0; i < ops; ++i) {
        std::uint64_t value = next();
        asm volatile("" : "+r"(value));
      }
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    const Result<void> right =
        check_recorded(histogram_.count() - before, arm == Arm::kSubject ? ops : 0);
    if (!right) return std::unexpected(right.error());
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

 private:
  Histogram histogram_;
};

}  // namespace

void register_histogram(Registry& registry) {
  const Plan plan{.ops_per_batch = 8192, .rounds = 60, .loads = 12, .pairing = Pairing::kTwin};
  registry.add({.name = "histogram/record:bpf",
                .question = "What does a program pay to record a sample?",
                .floor = "the same samples, thrown away",
                .needs = {"test_run_tc", "loop_bpf_loop", "jit"},
                .plan = plan,
                .load = BpfLoad::create});
  registry.add({.name = "histogram/record:user",
                .question = "What does recording a sample cost in user space?",
                .floor = "the same samples, thrown away",
                .needs = {},
                .plan = plan,
                .load = UserLoad::create});
}

}  // namespace bpfmark
