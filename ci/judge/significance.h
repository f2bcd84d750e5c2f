// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "harness/statistics.h"

// Whether, and by how much, two sets of samples differ. As in harness/statistics.h: results depend
// on the arguments only, and an empty input, or one with a NaN or an infinity, gives std::nullopt.
// The two classes keep what the rows of one comparison share; an object belongs to one thread.
namespace bpfmark {

// Up to this many samples a side the rank test is exact, above it an approximation.
inline constexpr std::size_t kMaxExactSamples = 20;

struct RankTest {
  double u;             // pairs in which the new value is the larger one; ties count one half
  double p;             // two-sided
  double cliffs_delta;  // -1: every new value is smaller ... 1: every new value is larger
};

// The Mann-Whitney U test. Exact: the distribution over all ways to deal the pooled values to the
// two sides, with mid-ranks for ties, p being twice the smaller tail. Otherwise: the normal
// approximation with tie and continuity correction.
class MannWhitney {
 public:
  std::optional<RankTest> test(Values old_values, Values new_values);

 private:
  // Ways to reach at most the doubled rank sum that is the index, by the sizes of untied samples.
  std::map<std::pair<std::size_t, std::size_t>, std::vector<double>> untied_;
};

// p of Student's two-sided t-test for two independent samples of equal variance. Two constant
// samples differ with certainty (p = 0) or not at all (1). A sample of one value is refused.
std::optional<double> t_test_p(Values left, Values right);

// Holm-Bonferroni: p values of which any that is below alpha is significant though all of them were
// looked at. In the order of the input; NaN and what is outside [0, 1] are refused.
std::optional<std::vector<double>> holm_adjusted(Values p_values);

// Romano et al. (2006): "negligible" below 0.147, "small" below 0.33, "medium" below 0.474,
// "large" from there on.
const char* cliffs_delta_class(double cliffs_delta);

// Resamples of each side.
inline constexpr std::uint32_t kResamples = 10'000;

// 95 % percentile bootstrap of the medians of two independent samples. Each side is resampled
// kResamples times from a fixed seed, and because the sides are independent every old resample
// counts with every new one. Which ranks are drawn depends on the number of samples only, so all
// rows share the draws. The ends are values that occurred, so that the interval of the ratio is the
// same whether it is formed on the log scale or not.
class MedianBootstrap {
 public:
  // Of median(new) / median(old); values that are not above zero are refused.
  std::optional<Interval> ratio(Values old_values, Values new_values);

  // Of median(new) - median(old).
  std::optional<Interval> difference(Values old_values, Values new_values);

 private:
  // A resample has its median half-way between these ranks of the sorted sample.
  using MedianRanks = std::pair<std::uint32_t, std::uint32_t>;
  using RankCounts = std::vector<std::pair<MedianRanks, std::uint32_t>>;
  struct WeightedValue {
    double value;
    std::uint32_t resamples;
  };

  const RankCounts& draws(std::size_t n);
  std::vector<WeightedValue> medians(Values values);
  template <class NewAt>
  static std::optional<Interval> percentile_interval(const std::vector<WeightedValue>& old_medians,
                                                     const std::vector<WeightedValue>& new_medians,
                                                     std::array<double, 2> bounds, NewAt new_at);

  std::map<std::size_t, RankCounts> draws_;
};

// The shift that would be called a change with 80 % probability, in the scale of the samples:
//
//   max((z(1 - alpha_per_row / 2) + z(0.8)) * sqrt(pi / 3),             the rank test
//       (z(0.975) + z(0.8)) * sqrt(pi / 2))  * s * sqrt(1/n1 + 1/n2)    the interval of the medians
//   + noise_floor
//
// with s the pooled sample standard deviation; the roots are what rank test and median lose against
// the mean where the noise is normal. An estimate: it knows neither tails nor small n. Needs two
// values a side. `alpha_per_row` must be in (0, 1).
std::optional<double> minimum_detectable_shift(Values old_values, Values new_values,
                                               double noise_floor, double alpha_per_row);

// Quantile of the standard normal distribution; q outside (0, 1) is refused.
std::optional<double> normal_quantile(double q);

// p of two samples that do not overlap at all: 2 / C(n_old + n_new, n_old). Holds for the exact
// test.
double smallest_p(std::size_t n_old, std::size_t n_new);

// The fewest samples a side with which the rank test can reach alpha in each of `rows` rows after
// Holm's correction.
std::size_t samples_needed(std::size_t rows, double alpha);

}  // namespace bpfmark
