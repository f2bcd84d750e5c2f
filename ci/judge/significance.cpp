// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/significance.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

namespace bpfmark {
namespace {

// "bootstra" in ASCII: any number would do, as long as it never changes.
constexpr std::uint64_t kSeed = 0x626f6f7473747261u;

bool usable(Values values) {
  return !values.empty() && std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

std::vector<double> sorted_copy(Values values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  return sorted;
}

// Mid-ranks of the pooled samples. They are doubled, which makes them whole numbers.
struct PooledRanks {
  std::vector<std::size_t> doubled_ranks;  // of all values in ascending order
  std::size_t doubled_new_sum = 0;
  double tie_term = 0;  // sum over the groups of equal values of t^3 - t
};

PooledRanks pooled_ranks(Values old_values, Values new_values) {
  struct Value {
    double value;
    bool is_new;
  };
  std::vector<Value> pooled;
  pooled.reserve(old_values.size() + new_values.size());
  for (const double value : old_values) pooled.push_back({value, false});
  for (const double value : new_values) pooled.push_back({value, true});
  std::ranges::sort(pooled, {}, &Value::value);
  PooledRanks ranks;
  for (std::size_t first = 0; first < pooled.size();) {
    std::size_t end = first;
    while (end < pooled.size() && pooled[end].value == pooled[first].value) ++end;
    const std::size_t doubled_rank = first + 1 + end;
    for (std::size_t i = first; i < end; ++i) {
      ranks.doubled_ranks.push_back(doubled_rank);
      if (pooled[i].is_new) ranks.doubled_new_sum += doubled_rank;
    }
    const auto tied = static_cast<double>(end - first);
    ranks.tie_term += tied * tied * tied - tied;
    first = end;
  }
  return ranks;
}

// Choices of `chosen` of the ranks whose sum is at most the index. These are whole numbers up to
// C(40, 20) < 2^53, so they are exact.
std::vector<double> cumulative_rank_sums(const std::vector<std::size_t>& ranks,
                                         std::size_t chosen) {
  const std::size_t largest =
      std::accumulate(ranks.end() - static_cast<std::ptrdiff_t>(chosen), ranks.end(), 0uz);
  // ways[k][s]: choices of k among the ranks seen so far with sum s.
  std::vector<std::vector<double>> ways(chosen + 1, std::vector<double>(largest + 1));
  ways[0][0] = 1;
  for (const std::size_t rank : ranks) {
    for (std::size_t k = chosen; k > 0; --k) {
      for (std::size_t sum = rank; sum <= largest; ++sum) ways[k][sum] += ways[k - 1][sum - rank];
    }
  }
  std::vector<double>& cumulative = ways[chosen];
  std::partial_sum(cumulative.begin(), cumulative.end(), cumulative.begin());
  return std::move(cumulative);
}

double exact_p(const std::vector<double>& cumulative, std::size_t sum) {
  const double all = cumulative.back();
  const double up_to = cumulative[sum];
  const double from = all - cumulative[sum - 1];  // No sum is 0: ranks count from 1.
  return std::min(1.0, 2 * std::min(up_to, from) / all);
}

double normal_p(double u, double n_old, double n_new, double tie_term) {
  const double n = n_old + n_new;
  const double variance = n_old * n_new / 12 * (n + 1 - tie_term / (n * (n - 1)));
  if (variance <= 0) return 1;
  const double distance = std::abs(u - n_old * n_new / 2) - 0.5;
  return std::min(1.0, std::erfc(distance / std::sqrt(2 * variance)));
}

double pooled_stddev(Values a, Values b) {
  const double stddev_a = sample_stddev(a).value_or(0);
  const double stddev_b = sample_stddev(b).value_or(0);
  const auto freedom_a = static_cast<double>(a.size() - 1);
  const auto freedom_b = static_cast<double>(b.size() - 1);
  return std::sqrt((freedom_a * stddev_a * stddev_a + freedom_b * stddev_b * stddev_b) /
                   (freedom_a + freedom_b));
}

}  // namespace

std::optional<RankTest> MannWhitney::test(Values old_values, Values new_values) {
  if (!usable(old_values) || !usable(new_values)) return std::nullopt;
  const std::size_t n_old = old_values.size();
  const std::size_t n_new = new_values.size();
  const PooledRanks ranks = pooled_ranks(old_values, new_values);
  const auto pairs = static_cast<double>(n_old * n_new);
  const double u = static_cast<double>(ranks.doubled_new_sum - n_new * (n_new + 1)) / 2;
  RankTest result{.u = u, .p = 1, .cliffs_delta = 2 * u / pairs - 1};
  if (std::max(n_old, n_new) > kMaxExactSamples) {
    result.p = normal_p(u, static_cast<double>(n_old), static_cast<double>(n_new), ranks.tie_term);
  } else if (ranks.tie_term > 0) {
    // Tie patterns are too many to keep.
    result.p = exact_p(cumulative_rank_sums(ranks.doubled_ranks, n_new), ranks.doubled_new_sum);
  } else {
    std::vector<double>& cumulative = untied_[{n_old, n_new}];
    if (cumulative.empty()) cumulative = cumulative_rank_sums(ranks.doubled_ranks, n_new);
    result.p = exact_p(cumulative, ranks.doubled_new_sum);
  }
  return result;
}

std::optional<std::vector<double>> holm_adjusted(Values p_values) {
  if (!std::ranges::all_of(p_values, [](double p) { return p >= 0 && p <= 1; })) {
    return std::nullopt;
  }
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), 0uz);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return p_values[i]; });
  std::vector<double> adjusted(p_values.size());
  double at_least = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto hypotheses_left = static_cast<double>(order.size() - rank);
    at_least = std::max(at_least, std::min(1.0, hypotheses_left * p_values[order[rank]]));
    adjusted[order[rank]] = at_least;
  }
  return adjusted;
}

const char* cliffs_delta_class(double cliffs_delta) {
  const double size = std::abs(cliffs_delta);
  return size < 0.147 ? "negligible" : size < 0.33 ? "small" : size < 0.474 ? "medium" : "large";
}

const MedianBootstrap::RankCounts& MedianBootstrap::draws(std::size_t n) {
  RankCounts& counts = draws_[n];
  if (!counts.empty()) return counts;
  // The standard fixes what this generator gives, but not what its distributions make of it.
  std::mt19937_64 generator(kSeed);
  std::map<MedianRanks, std::uint32_t> tally;
  std::vector<std::uint32_t> resample(n);
  const auto lower = resample.begin() + static_cast<std::ptrdiff_t>((n - 1) / 2);
  const auto upper = resample.begin() + static_cast<std::ptrdiff_t>(n / 2);
  for (std::uint32_t i = 0; i < kResamples; ++i) {
    for (std::uint32_t& rank : resample) {
      rank = static_cast<std::uint32_t>(((generator() >> 32) * n) >> 32);
    }
    std::nth_element(resample.begin(), upper, resample.end());
    if (lower != upper) std::nth_element(resample.begin(), lower, upper);
    ++tally[{*lower, *upper}];
  }
  counts.assign(tally.begin(), tally.end());
  return counts;
}

std::vector<MedianBootstrap::WeightedValue> MedianBootstrap::medians(Values values) {
  const std::vector<double> sorted = sorted_copy(values);
  std::vector<WeightedValue> medians;
  for (const auto& [ranks, resamples] : draws(values.size())) {
    medians.push_back({std::midpoint(sorted[ranks.first], sorted[ranks.second]), resamples});
  }
  std::ranges::sort(medians, {}, &WeightedValue::value);
  return medians;
}

// The pairs of resamples whose effect is at most t are those in which the new median is at most
// new_at(old median, t), which grows with both; so they are counted in one walk along the two
// sorted lists, and t is bisected between `bounds`.
template <class NewAt>
std::optional<Interval> MedianBootstrap::percentile_interval(
    const std::vector<WeightedValue>& old_medians, const std::vector<WeightedValue>& new_medians,
    std::array<double, 2> bounds, NewAt new_at) {
  if (!std::isfinite(bounds[0]) || !std::isfinite(bounds[1])) return std::nullopt;
  const auto pairs_up_to = [&](double t) {
    std::uint64_t pairs = 0, new_resamples = 0;
    auto next = new_medians.begin();
    for (const WeightedValue& old_median : old_medians) {
      const double limit = new_at(old_median.value, t);
      for (; next != new_medians.end() && next->value <= limit; ++next) {
        new_resamples += next->resamples;
      }
      pairs += new_resamples * old_median.resamples;
    }
    return pairs;
  };
  constexpr double kAllPairs = static_cast<double>(kResamples) * kResamples;
  const double resolution = 1e-12 * (std::abs(bounds[0]) + std::abs(bounds[1]));
  const auto quantile_of = [&](double q) {
    auto [lo, hi] = bounds;
    while (hi - lo > resolution) {
      const double middle = std::midpoint(lo, hi);
      if (middle == lo || middle == hi) break;
      (static_cast<double>(pairs_up_to(middle)) >= q * kAllPairs ? hi : lo) = middle;
    }
    return hi;
  };
  return Interval{.lo = quantile_of(0.025), .hi = quantile_of(0.975)};
}

std::optional<Interval> MedianBootstrap::ratio(Values old_values, Values new_values) {
  const auto refused = [](Values values) {
    return !usable(values) || std::ranges::min(values) <= 0;
  };
  if (refused(old_values) || refused(new_values)) return std::nullopt;
  const auto old_medians = medians(old_values);
  const auto new_medians = medians(new_values);
  return percentile_interval(old_medians, new_medians,
                             {new_medians.front().value / old_medians.back().value,
                              new_medians.back().value / old_medians.front().value},
                             [](double old_median, double ratio) { return old_median * ratio; });
}

std::optional<Interval> MedianBootstrap::difference(Values old_values, Values new_values) {
  if (!usable(old_values) || !usable(new_values)) return std::nullopt;
  const auto old_medians = medians(old_values);
  const auto new_medians = medians(new_values);
  return percentile_interval(
      old_medians, new_medians,
      {new_medians.front().value - old_medians.back().value,
       new_medians.back().value - old_medians.front().value},
      [](double old_median, double difference) { return old_median + difference; });
}

std::optional<double> minimum_detectable_shift(Values old_values, Values new_values,
                                               double noise_floor, double alpha_per_row) {
  if (!usable(old_values) || !usable(new_values)) return std::nullopt;
  if (old_values.size() < 2 || new_values.size() < 2) return std::nullopt;
  if (!(alpha_per_row > 0 && alpha_per_row < 1)) return std::nullopt;
  const double power = *normal_quantile(0.8);
  const double rank_test =
      (-*normal_quantile(alpha_per_row / 2) + power) * std::sqrt(std::numbers::pi / 3);
  const double interval = (*normal_quantile(0.975) + power) * std::sqrt(std::numbers::pi / 2);
  const double standard_error =
      pooled_stddev(old_values, new_values) * std::sqrt(1 / static_cast<double>(old_values.size()) +
                                                        1 / static_cast<double>(new_values.size()));
  return noise_floor + std::max(rank_test, interval) * standard_error;
}

std::optional<double> normal_quantile(double q) {
  if (!(q > 0 && q < 1)) return std::nullopt;
  // 40 standard deviations below the mean the probability underflows.
  double lo = -40, hi = 40;
  while (hi - lo > 1e-12) {
    const double middle = std::midpoint(lo, hi);
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < q ? lo : hi) = middle;
  }
  return hi;
}

double smallest_p(std::size_t n_old, std::size_t n_new) {
  double p = 2;
  for (std::size_t i = 1; i <= n_old; ++i) {
    p *= static_cast<double>(i) / static_cast<double>(n_new + i);
  }
  return std::min(1.0, p);
}

std::size_t samples_needed(std::size_t rows, double alpha) {
  std::size_t n = 1;
  // In the end the smallest p underflows.
  for (double p = 1; p > 0 && p * static_cast<double>(rows) >= alpha; p = smallest_p(n, n)) ++n;
  return n;
}

}  // namespace bpfmark
