// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/findings.h"

// Trials: sums of single samples, by the definitions that published tables of system-call latency
// use (scripts around bpftrace and awk). They differ from ours, and stand beside them, so that
// numbers can be compared: quantiles are order statistics of a truncated rank, and outliers are
// dropped in one of two rows. All pure.
namespace bpfmark {

// The value of rank floor(n * q), counted from 1 and at least 1, of samples in ascending order; so
// the median of 2 is the smaller, and p99 of 100 the 99th. nullopt when empty.
std::optional<std::uint64_t> truncated_rank_quantile(std::span<const std::uint64_t> sorted,
                                                     double q);

// Of samples in ascending order those from Q1 - 1.5 IQR to Q3 + 1.5 IQR, both included, with the
// quartiles of truncated_rank_quantile(). What is left is a run without gaps.
std::span<const std::uint64_t> within_iqr_fences(std::span<const std::uint64_t> sorted);

// The two rows of a trial, "raw" and "iqr"; the raw one keeps the samples in the order in which
// they were taken. None where there are no samples.
std::vector<Trial> trial_rows(int trial, const std::string& clock,
                              std::vector<std::uint64_t> samples_ns);

// One of the two checks that such tables come with, over all trials of a clock.
struct TrialCheck {
  std::string check;  // "trial_stddev", "iqr_kept"
  std::string clock;
  double value_pct = 0;
  double limit_pct = 0;
  bool passed = false;
};

// "trial_stddev": the standard deviation (of the population) of the trials' avg_ns, in per cent of
// their mean, outliers dropped; at most 10. Needs two trials. "iqr_kept": the smallest share of its
// samples that a trial keeps when outliers are dropped, in per cent; at least 80.
std::vector<TrialCheck> check_trials(const std::vector<Trial>& trials);

}  // namespace bpfmark
