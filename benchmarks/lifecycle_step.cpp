// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/lifecycle_step.h"

#include <fmt/format.h>

#include <cerrno>

#include "fixtures/unique_fd.h"
#include "harness/clock.h"

namespace bpfmark {
namespace {

class StepLoad : public PairedLoad {
 public:
  explicit StepLoad(std::unique_ptr<LifecycleStep> step) : step_(std::move(step)) {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    std::uint64_t elapsed_ns = 0;
    for (std::uint64_t i = 0; i < ops; ++i) {
      const Result<std::uint64_t> time_ns =
          arm == Arm::kSubject ? time_of(*step_) : time_of_nothing();
      if (!time_ns) return std::unexpected(time_ns.error());
      elapsed_ns += *time_ns;
    }
    const auto sum_ns = static_cast<double>(elapsed_ns);
    return Batch{.elapsed_ns = sum_ns, .user_elapsed_ns = sum_ns};
  }

  Result<void> finish(Findings& findings) override { return step_->report(findings); }

  std::vector<ProgramIdentity> programs() const override { return step_->programs(); }

 private:
  static Result<std::uint64_t> time_of(LifecycleStep& step) {
    if (Result<void> ready = step.before(); !ready) return std::unexpected(ready.error());
    const std::uint64_t start_ns = now_ns();
    const Result<void> done = step.perform();
    const std::uint64_t end_ns = now_ns();
    if (!done) return std::unexpected(done.error());
    if (Result<void> right = step.after(); !right) return std::unexpected(right.error());
    return end_ns - start_ns;
  }

  static std::uint64_t time_of_nothing() {
    const std::uint64_t start_ns = now_ns();
    return now_ns() - start_ns;
  }

  std::unique_ptr<LifecycleStep> step_;
};

}  // namespace

Result<void> check_gone(int again, const char* object) {
  const UniqueFd close(again);
  if (again == -ENOENT) return {};
  return wrong_result(fmt::format("a {} is there after its close()", object));
}

Loader step_loader(StepMaker step) {
  return [make = std::move(step)]() -> Result<std::unique_ptr<PairedLoad>> {
    Result<std::unique_ptr<LifecycleStep>> made = make();
    if (!made) return std::unexpected(made.error());
    return std::make_unique<StepLoad>(std::move(*made));
  };
}

}  // namespace bpfmark
