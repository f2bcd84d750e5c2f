// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "ci/machine/tune_state.h"
#include "harness/result.h"

namespace bpfmark {

struct TuneOptions {
  std::string root;  // before /proc and /sys; "" is this machine
  int cpu = 0;       // to be measured on
  bool offline_sibling = false;
};

// What became of one setting.
struct TuneStep {
  enum class Outcome {
    kPlanned,    // would be done
    kDone,       // done, and read back
    kFailed,     // could not be done; `detail` says why
    kForeign,    // somebody else changed it since; left as it is
    kUnchanged,  // it already was as it should be
  };
  Outcome outcome = Outcome::kPlanned;
  TunedSetting setting;
  std::string detail;
};

// What bench tune would change now: only settings that exist and are not as they should be.
std::vector<TunedSetting> tune_plan(const TuneOptions& options);

// Records each former value, then changes the setting. What the record already holds is not
// recorded again: the first former value stays. Errors: those of the record; what was done until
// then is in `steps`.
Result<void> tune(const std::vector<TunedSetting>& plan, TuneState& state,
                  std::vector<TuneStep>& steps);

// Restores what the record holds, last change first. A setting that is neither as it was nor as we
// made it belongs to somebody else: reported, not touched, and no longer recorded. What could not
// be restored stays recorded. Errors: those of the record.
Result<void> untune(TuneState& state, std::vector<TuneStep>& steps);

}  // namespace bpfmark
