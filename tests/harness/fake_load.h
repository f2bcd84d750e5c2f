// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "harness/clock.h"
#include "harness/paired.h"

namespace bpfmark {

// What stands in for a subject and its floor; runs in user space and needs no privilege.
struct FakeWork {
  std::function<Result<Batch>(Arm, std::uint64_t)> run;
  std::function<Result<void>(Findings&)> finish;
};

class FakeLoad : public PairedLoad {
 public:
  explicit FakeLoad(FakeWork work) : work_(std::move(work)) {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override { return work_.run(arm, ops); }
  Result<void> finish(Findings& findings) override {
    return work_.finish ? work_.finish(findings) : Result<void>();
  }

 private:
  FakeWork work_;
};

// Loads the same work again and again.
inline Loader loader_of(FakeWork work) {
  return [work = std::move(work)]() -> Result<std::unique_ptr<PairedLoad>> {
    return std::make_unique<FakeLoad>(work);
  };
}

// Keeps the CPU busy for that long; it returns late where the thread is switched out.
inline void spin_for(double duration_ns) {
  const std::uint64_t start = now_ns();
  while (static_cast<double>(now_ns() - start) < duration_ns) {
  }
}

// Really takes the time that `duration_ns` says, and measures it.
inline FakeWork spinning(std::function<double(Arm, std::uint64_t)> duration_ns) {
  return {
      .run = [duration_ns = std::move(duration_ns)](Arm arm, std::uint64_t ops) -> Result<Batch> {
        const std::uint64_t start = now_ns();
        spin_for(duration_ns(arm, ops));
        const auto elapsed_ns = static_cast<double>(now_ns() - start);
        return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
      },
      .finish = {}};
}

// Only says that it took the time: for what must not depend on the machine.
inline FakeWork claiming(std::function<double(Arm, std::uint64_t)> duration_ns) {
  return {
      .run = [duration_ns = std::move(duration_ns)](Arm arm, std::uint64_t ops) -> Result<Batch> {
        const double elapsed_ns = duration_ns(arm, ops);
        return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
      },
      .finish = {}};
}

}  // namespace bpfmark
