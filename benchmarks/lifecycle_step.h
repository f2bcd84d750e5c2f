// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "harness/findings.h"
#include "harness/measurement.h"
#include "harness/paired.h"
#include "harness/result.h"

namespace bpfmark {

// One event in the life of a kernel object, which is timed alone.
class LifecycleStep {
 public:
  virtual ~LifecycleStep() = default;

  // What must be there first.
  virtual Result<void> before() { return {}; }
  // The event, and nothing else: the clock runs.
  virtual Result<void> perform() = 0;
  // Proves what the event did, and takes it back.
  virtual Result<void> after() { return {}; }

  // After the last event: what is known of the object besides times.
  virtual Result<void> report(Findings& /*findings*/) { return {}; }
  virtual std::vector<ProgramIdentity> programs() const { return {}; }
};

using StepMaker = std::function<Result<std::unique_ptr<LifecycleStep>>()>;

inline constexpr const char* kClockFloor = "the two readings of the clock";

// The last reference went: `again` is what asking the kernel for the object by its number gave, a
// descriptor (which is closed) or the negative errno. Errors: kWrongResult.
Result<void> check_gone(int again, const char* object);

// Subject: the step, over and over. Floor: two readings of the clock. Only the time inside of
// perform() counts.
Loader step_loader(StepMaker step);

}  // namespace bpfmark
