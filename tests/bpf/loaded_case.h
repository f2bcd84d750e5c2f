// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {

// A case by name, loaded, after one good batch of each arm: whatever is refused later was accepted
// before. After load() a test looks at IsSkipped().
class LoadedCase : public ::testing::Test {
 protected:
  void load(const std::string& name) {
    case_ = find_case(name);
    ASSERT_NE(case_, nullptr) << name;
    auto loaded = load_case(*case_);
    if (!loaded) BPFMARK_SKIP_OR_FAIL(loaded.error());
    load_ = std::move(*loaded);
    ASSERT_THAT(run(Arm::kSubject), IsOk());
    ASSERT_THAT(run(Arm::kFloor), IsOk());
  }

  Result<Batch> run(Arm arm) {
    if (Result<void> ready = load_->prepare(arm); !ready) return std::unexpected(ready.error());
    return load_->run(arm, case_->plan.ops_of(arm, 1));
  }

  Result<void> finish() {
    Findings findings;
    return load_->finish(findings);
  }

  const Case* case_ = nullptr;
  std::unique_ptr<PairedLoad> load_;
};

inline auto refused(const auto& what) { return ErrorIs(ErrorKind::kWrongResult, what); }

}  // namespace bpfmark
