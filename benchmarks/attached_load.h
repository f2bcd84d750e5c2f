// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <memory>

#include "benchmarks/hook_body.h"
#include "benchmarks/hook_driver.h"
#include "harness/capability.h"
#include "harness/paired.h"

namespace bpfmark {

// A program on a live hook: what it is, where it goes, who passes it.
struct AttachedCase {
  const AttachType* type;
  const HookBody* body;
  DriverMaker driver;
  int verdict = 0;
  bool user_stack = false;
  bool ours_alone = false;      // nobody else passes the hook, so the kernel's own count is exact
  bool stays_attached = false;  // the floor needs the attachment, and does not pass the hook
  std::uint64_t warm_up_ops = 64;  // after the program came or went
  std::uint64_t runs_per_op = 1;   // 2: at the entry and at the return
  bool passed = true;  // false: the program is where the operations do not pass, and must not run
};

// The body of a case, made for the point that its driver passes. Errors: those of BodyProgram.
Result<BodyProgram> load_body(const AttachedCase& attached, const HookDriver& driver);

// Subject: the driver's operations with the program attached. Floor: the same without.
// Errors of the loads: those of the driver and the body, kWrongResult unless the program ran
// exactly as often as the hook was passed.
Result<std::unique_ptr<PairedLoad>> load_attached(const AttachedCase& attached);

// The driver's operations alone; for Pairing::kSlope.
Result<std::unique_ptr<PairedLoad>> load_bare(const DriverMaker& driver);

// Loads, attaches, runs and proves a case: whether this kernel has that way to attach.
ProbeResult probe_attachment(const AttachedCase& attached);

}  // namespace bpfmark
