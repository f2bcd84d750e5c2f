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

// Maps finite doubles to integers of the same order, neighbours to neighbours.
std::int64_t to_ordinal(double value) {
  const auto bits = std::bit_cast<std::int64_t>(value);
  return bits < 0 ? std::numeric_limits<std::int64_t>::min() - bits : bits;
}

double from_ordinal(std::int64_t ordinal) {
  return std::bit_cast<double>(ordinal < 0 ? std::numeric_limits<std::int64_t>::min() - ordinal
                                           : ordinal);
}

std::size_t walsh_averages_up_to(double threshold, Values sorted) {
  std::size_t count = 0;
  std::size_t end = sorted.size();
  for (std::size_t i = 0; i < end; ++i) {
    while (end > i && std::midpoint(sorted[i], sorted[end - 1]) > threshold) --end;
    count += end - i;
  }
  return count;
}

// `rank` counts from 1.
double walsh_average_of_rank(std::size_t rank, Values sorted) {
  std::int64_t lo = to_ordinal(sorted.front());
  std::int64_t hi = to_ordinal(sorted.back());
  while (lo < hi) {
    const std::int64_t middle = std::midpoint(lo, hi);  // Rounds towards lo, so the loop ends.
    if (walsh_averages_up_to(from_ordinal(middle), sorted) >= rank) {
      hi = middle;
    } else {
      lo = middle + 1;
    }
  }
  return from_ordinal(lo);
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

std::optional<double> coefficient_of_variation(Values values) {
  const auto stddev = sample_stddev(values);
  const auto centre = mean(values);
  if (!stddev || !centre || *centre == 0) return std::nullopt;
  return if_finite(*stddev / std::abs(*centre));
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

std::optional<double> trimmed_mean(Values values, double fraction) {
  const auto sorted = sorted_copy(values);
  if (sorted.empty() || !(fraction >= 0 && fraction < 0.5)) return std::nullopt;
  // One representable number up, so that 0.29 of 100 values is 29 and not 28.999...
  const double wanted = std::nextafter(fraction * static_cast<double>(sorted.size()),
                                       std::numeric_limits<double>::infinity());
  const std::size_t dropped = std::min(static_cast<std::size_t>(wanted), (sorted.size() - 1) / 2);
  return mean(Values(sorted).subspan(dropped, sorted.size() - 2 * dropped));
}

std::optional<double> interquartile_mean(Values values) {
  const auto sorted = sorted_copy(values);
  if (sorted.empty()) return std::nullopt;
  const auto n = static_cast<long double>(sorted.size());
  long double sum = 0;
  for (std::size_t i = sorted.size() / 4; i < sorted.size(); ++i) {
    // The value takes the place [i, i + 1) on an axis of length n.
    const auto place = static_cast<long double>(i);
    const long double weight = std::min(place + 1, 3 * n / 4) - std::max(place, n / 4);
    if (weight <= 0) break;
    sum += weight * sorted[i];
  }
  return if_finite(sum / (n / 2));
}

std::optional<double> hodges_lehmann(Values values) {
  const auto sorted = sorted_copy(values);
  if (sorted.empty()) return std::nullopt;
  const std::size_t averages = sorted.size() * (sorted.size() + 1) / 2;
  return std::midpoint(walsh_average_of_rank((averages + 1) / 2, sorted),
                       walsh_average_of_rank(averages / 2 + 1, sorted));
}

std::optional<double> half_sample_mode(Values values) {
  const auto sorted = sorted_copy(values);
  if (sorted.empty()) return std::nullopt;
  Values rest = sorted;
  while (rest.size() > 3) {
    const std::size_t half = (rest.size() + 1) / 2;
    std::size_t best = 0;
    for (std::size_t i = 1; i + half <= rest.size(); ++i) {
      if (rest[i + half - 1] - rest[i] < rest[best + half - 1] - rest[best]) best = i;
    }
    rest = rest.subspan(best, half);
  }
  if (rest.size() == 3) {
    const double lower_gap = rest[1] - rest[0];
    const double upper_gap = rest[2] - rest[1];
    if (lower_gap == upper_gap) return rest[1];
    rest = rest.subspan(lower_gap < upper_gap ? 0 : 1, 2);
  }
  return median_of_sorted(rest);
}

std::optional<double> mad(Values values) {
  auto deviations = sorted_copy(values);
  if (deviations.empty()) return std::nullopt;
  const double centre = median_of_sorted(deviations);
  for (double& value : deviations) value = std::abs(value - centre);
  return median(deviations);
}

std::optional<double> student_t_quantile_975(std::size_t df) {
  constexpr std::array kTable{12.7062047, 4.3026527, 3.1824463, 2.7764451, 2.5705818,
                              2.4469119,  2.3646243, 2.3060041, 2.2621572, 2.2281389};
  if (df == 0) return std::nullopt;
  if (df <= kTable.size()) return kTable[df - 1];
  // Cornish-Fisher expansion in 1/df around the normal quantile, Abramowitz and Stegun 26.7.5.
  constexpr double kNormal = 1.959963984540054;
  constexpr std::array kTerms{2.372271230298562, 2.8224986157396112, 2.555849679507722,
                              1.5895340533938225};
  const auto v = static_cast<double>(df);
  return kNormal + (kTerms[0] + (kTerms[1] + (kTerms[2] + kTerms[3] / v) / v) / v) / v;
}

std::optional<Interval> t_interval(Values values) {
  const auto stddev = sample_stddev(values);
  const auto centre = mean(values);
  if (!stddev || !centre) return std::nullopt;
  const auto half_width = if_finite(*student_t_quantile_975(values.size() - 1) * *stddev /
                                    std::sqrt(static_cast<double>(values.size())));
  if (!half_width) return std::nullopt;
  const auto lo = if_finite(*centre - *half_width);
  const auto hi = if_finite(*centre + *half_width);
  if (!lo || !hi) return std::nullopt;
  return Interval{.lo = *lo, .hi = *hi};
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

std::optional<double> relative_half_width(Interval interval, double centre) {
  if (!(interval.lo <= interval.hi) || !std::isfinite(centre) || centre == 0) return std::nullopt;
  return if_finite((interval.hi / 2 - interval.lo / 2) / std::abs(centre));
}

}  // namespace bpfmark
