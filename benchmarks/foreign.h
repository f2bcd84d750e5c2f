// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <vector>

#include "fixtures/foreign_programs.h"
#include "harness/findings.h"
#include "harness/result.h"

namespace bpfmark {

// Names in `findings` the programs of others that were found on a hook. Who may not list programs
// finds none: a case that needs no privilege must not fail for want of it.
// Errors: those of the search but kNotPermitted.
inline Result<void> add_foreign_programs(const Result<std::vector<AttachedProgram>>& programs,
                                         Findings& findings) {
  if (!programs && programs.error().kind == ErrorKind::kNotPermitted) return {};
  if (!programs) return std::unexpected(programs.error());
  for (const AttachedProgram& p : *programs) {
    findings.add_foreign({p.id, p.type, p.name, p.tag, p.way + " " + p.target});
  }
  return {};
}

}  // namespace bpfmark
