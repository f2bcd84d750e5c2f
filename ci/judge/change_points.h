// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "harness/statistics.h"

// Where a series of runs changes its level. Pure functions: the same series gives the same points.
//
// The method is E-divisive (Matteson and James, arXiv 1306.4933: the split with the largest energy
// distance between its two sides) as Hunter changed it (Fleming et al., arXiv 2301.03034): a t-test
// in the place of permutations, a window that slides over the series, and a second pass that takes
// back the weak ones among the points of a first, more generous one.
namespace bpfmark {

struct ChangePointRules {
  // Runs that are looked at together, and the most that are taken of either side of a point.
  std::size_t window = 50;
  // A level needs this many runs, at least 2: fewer could be outliers.
  std::size_t min_segment = 3;
  double max_p = 0.001;
  // The first pass takes points up to this, or two changes that nearly cancel would hide each
  // other.
  double weak_p = 0.01;
  // Steps between the medians up to the larger of the two are no change: a fraction of the median
  // before, and an amount in the unit of the series.
  double relative_step = 0;
  double absolute_step = 0;
};

struct ChangePoint {
  std::size_t index = 0;  // the first value of the new level
  // The values that were compared with each other: [first, index) and [index, end).
  std::size_t first = 0;
  std::size_t end = 0;
  double p = 1;
};

// In ascending order. std::nullopt where a value is not finite. A series shorter than two segments
// has none.
std::optional<std::vector<ChangePoint>> find_change_points(Values series,
                                                           const ChangePointRules& rules);

// Of a series that noise does not touch: every value that differs from the one before.
std::optional<std::vector<ChangePoint>> find_exact_changes(Values series, std::size_t window);

}  // namespace bpfmark
