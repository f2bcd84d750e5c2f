// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ci/judge/result_file.h"

namespace bpfmark {

// One thing about a machine or a run that matters to its numbers.
struct EnvironmentFinding {
  enum class Weight { kNote, kMinor, kMajor, kFatal };
  Weight weight = Weight::kNote;
  std::string what;
  std::string remedy;  // empty where there is none
};

// How far the circumstances of a result can be trusted: A nothing speaks against it, B one or two
// minor things, C more, or a major one, D several major ones, F not for judging at all.
struct EnvironmentGrade {
  char grade = 'A';
  std::vector<EnvironmentFinding> findings;
};

EnvironmentGrade grade_of(std::vector<EnvironmentFinding> findings);

// From what a result says of itself; the metrics kGradedMetrics must have been read.
EnvironmentGrade grade_environment(const ResultSet& result);

inline constexpr std::array<const char*, 4> kGradedMetrics = {"batches", "disturbed_batches",
                                                              "steal_ns", "batch_ns"};

}  // namespace bpfmark
