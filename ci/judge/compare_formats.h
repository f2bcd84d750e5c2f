// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

#include "ci/judge/compare.h"

// The forms of a comparison for programs; see render().
namespace bpfmark {

std::string comparison_json(const Comparison& comparison, const ExitRules& rules);

// RFC 4180, one line a row. Rows without a number have the verdict "missing" or "unmeasured".
std::string comparison_csv(const Comparison& comparison);

// One testcase a row. A regression is a failure, and so is a missing benchmark unless allowed;
// inconclusive rows and skips are skipped, with the reason.
std::string comparison_junit(const Comparison& comparison, const ExitRules& rules);

}  // namespace bpfmark
