// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "harness/statistics.h"

namespace bpfmark {

// One of several cases that differ in the value of one key alone.
struct LadderCase {
  std::string value;
  std::vector<double> net_ns;  // of its loads, in the order in which they were made
};

// What a case costs, and what it costs more than the next cheaper one.
struct LadderStep {
  std::string value;
  double net_ns = 0;
  double above_ns = 0;                     // 0 for the first
  std::optional<Interval> above_interval;  // 95 %; absent for the first, and with few loads

  // The interval excludes 0.
  bool resolved() const { return above_interval && above_interval->lo > 0; }
};

// The cases in ascending order of their nets, which are medians over the loads. Loads of all cases
// are made in turn, so the n-th of one stands beside the n-th of another: a step is the median of
// the differences of such pairs, its interval that of order_statistic_interval_median(). Cases
// without loads are left out.
std::vector<LadderStep> ladder_steps(std::vector<LadderCase> cases);

}  // namespace bpfmark
