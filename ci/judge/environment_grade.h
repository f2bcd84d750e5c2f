// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ci/judge/result_file.h"

namespace bpfmark {

// How much one thing about a machine or a run matters to its numbers.
enum class Weight {
  kUnseen,  // not among the facts
  kGood,
  kNote,   // to be known, no fault
  kMinor,  // makes numbers noisier, or shifts them a little
  kMajor,  // makes numbers wrong, or not to be repeated
  kFatal,  // the numbers are not for judging
};

std::string_view weight_name(Weight weight);

// The verdict of one rule on one fact.
struct EnvironmentFinding {
  std::string subject;      // "governor"
  std::string value, unit;  // the value is empty where unseen
  Weight weight = Weight::kUnseen;
  std::string why, remedy;  // what to do is only said where something is to be done
};

// The letter: A, nothing against it; B, one or two minor findings; C, more of them, or one that is
// major; D, several major ones; F, not for judging. What cannot be seen does not count, and is
// shown.
struct EnvironmentGrade {
  char letter = 'A';
  std::vector<EnvironmentFinding> findings;
};

// A finding for each rule, in the order of the table, from what is known of a machine or a run.
// Facts have the names of a result file's identity ("cpu.governor"); "live." begins what only holds
// for a moment, "run." what only a result can tell: where it is not among the facts there is no
// finding.
EnvironmentGrade grade_facts(const Identity& facts);

// From what a result says of itself, by the same rules; last, what forbids to judge it. It must
// have been read with kGradedMetrics and details.
EnvironmentGrade grade_environment(const ResultSet& result);

// A program of others, and how many cases measured a hook with it. Points into the result.
struct ForeignOnHooks {
  const DetailRecord* program;
  const std::string* first_case;
  std::size_t cases;
};

// In the order in which they first occur.
std::vector<ForeignOnHooks> foreign_programs(const ResultSet& result);

inline constexpr std::array<const char*, 5> kGradedMetrics = {
    "batches", "disturbed_batches", "steal_ns", "throttled_ns", "batch_ns"};

}  // namespace bpfmark
