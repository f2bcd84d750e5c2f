// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <span>

// Location, spread and interval estimates over one set of samples.
//
// The functions are pure and unit-neutral: a result has the unit of its input. Input need not be
// sorted unless the name says so. An empty input, or one with a NaN or an infinity, gives
// std::nullopt, as does a result that a double cannot hold. Functions that need the values in order
// copy and sort them once: O(n) memory, O(n log n) time. All may be called from any thread.
namespace bpfmark {

using Values = std::span<const double>;

struct Interval {
  double lo;
  double hi;
};

std::optional<double> mean(Values values);

// The middle value, or the middle of the two middle values.
std::optional<double> median(Values values);

// With Bessel's correction (n - 1); needs two values.
std::optional<double> sample_stddev(Values values);

// Quantile by linear interpolation at position (n - 1) * q of the order statistics: type 7 of
// Hyndman and Fan (1996), the default of R and NumPy. `q` outside [0, 1] is refused.
std::optional<double> quantile(Values values, double q);

// As quantile(), without the copy. Input that is not in ascending order is refused.
std::optional<double> quantile_sorted(Values sorted, double q);

// The narrowest symmetric pair of order statistics that covers the median of the population with
// at least 95 % probability, by the binomial distribution with p = 1/2: assumes independence and
// no shape. Even the full range covers too little below six values.
std::optional<Interval> order_statistic_interval_median(Values values);

}  // namespace bpfmark
