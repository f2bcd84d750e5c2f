// SPDX-License-Identifier: BSD-2-Clause
#include "harness/statistics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace bpfmark {
namespace {

bool usable(Values values) {
  return !values.empty() && std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

// Empty where the input is refused, for no usable input is empty.
std::vector<double> sorted_copy(Values values) {
  if (!usable(values)) return {};
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  return sorted;
}

std::optional<double> if_finite(long double value) {
  const auto narrowed = static_cast<double>(value);
  if (!std::isfinite(narrowed)) return std::nullopt;
  return narrowed;
}

// long double keeps sums (and squares) of huge values finite.
long double mean_of(Values values) {
  return std::accumulate(values.begin(), values.end(), 0.0L) /
         static_cast<long double>(values.size());
}

double median_of_sorted(Values sorted) {
  const std::size_t n = sorted.size();
  return std::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
}

}  // namespace

std::optional<double> mean(Values values) {
  if (!usable(values)) return std::nullopt;
  return if_finite(mean_of(values));
}

std::optional<double> median(Values values) {
  const auto sorted = sorted_copy(values);
  if (sorted.empty()) return std::nullopt;
  return median_of_sorted(sorted);
}

std::optional<double> sample_stddev(Values values) {
  if (values.size() < 2 || !usable(values)) return std::nullopt;
  const long double centre = mean_of(values);
  long double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return if_finite(std::sqrt(squares / static_cast<long double>(values.size() - 1)));
}

std::optional<double> quantile(Values values, double q) {
  return quantile_sorted(sorted_copy(values), q);
}

std::optional<double> quantile_sorted(Values sorted, double q) {
  if (!usable(sorted) || !std::ranges::is_sorted(sorted)) return std::nullopt;
  if (!(q >= 0 && q <= 1)) return std::nullopt;
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], position - static_cast<double>(below));
}

std::optional<Interval> order_statistic_interval_median(Values values) {
  const auto sorted = sorted_copy(values);
  const std::size_t n = sorted.size();
  // Binomial probabilities relative to the largest: nothing overflows, and what underflows in the
  // tails has no weight. An odd n has two largest.
  const double centre = n % 2 == 0 ? 1 : 2;
  const auto next_weight = [n](double weight, std::size_t k) {
    return weight * static_cast<double>(k) / static_cast<double>(n - k + 1);
  };
  double total = centre;
  double weight = 1;
  for (std::size_t k = n / 2; k > 0; --k) {
    weight = next_weight(weight, k);
    total += 2 * weight;
  }
  // The k-th value from either end encloses the median where k to n - k values lie below it.
  double covered = centre;
  weight = 1;
  std::size_t k = n / 2;
  while (k > 0 && covered < 0.95 * total) {
    weight = next_weight(weight, k);
    covered += 2 * weight;
    --k;
  }
  if (k == 0) return std::nullopt;
  return Interval{.lo = sorted[k - 1], .hi = sorted[n - k]};
}

}  // namespace bpfmark
