// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "fixtures/attachment.h"
#include "fixtures/foreign_programs.h"
#include "harness/findings.h"
#include "harness/result.h"

namespace bpfmark {

// Names in `findings` who else has a program at `point`; `own` is the id of ours. Who may not list
// programs finds none: a case that needs no privilege must not fail for want of it.
// Errors: kAbsent for a tracepoint that is not there, kSystem.
inline Result<void> add_foreign_programs(const AttachType& type, const HookPoint& point,
                                         std::uint32_t own, Findings& findings) {
  const auto programs = foreign_programs(type, point, own);
  if (!programs && programs.error().kind == ErrorKind::kNotPermitted) return {};
  if (!programs) return std::unexpected(programs.error());
  for (const AttachedProgram& p : *programs) {
    findings.add_foreign({p.id, p.type, p.name, p.tag, p.way + " " + p.target});
  }
  return {};
}

}  // namespace bpfmark
