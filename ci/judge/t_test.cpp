// SPDX-License-Identifier: BSD-2-Clause
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "ci/judge/significance.h"

namespace bpfmark {
namespace {

// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
double beta_fraction(double a, double b, double x) {
  constexpr int kMaxTerms = 1000;
  constexpr double kTiny = 1e-300;
  const auto away_from_zero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int m = 1; m <= kMaxTerms; ++m) {
    double factor = 1;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    for (const double term : {even, odd}) {
      d = 1 / away_from_zero(1 + term * d);
      c = away_from_zero(1 + term / c);
      factor = c * d;
      fraction *= factor;
    }
    if (std::abs(factor - 1) < 1e-15) break;
  }
  return fraction;
}

// I_x(a, b). The fraction converges fast below the mean of the distribution; above it the mirror
// image is taken.
double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) -
                                std::lgamma(a) - std::lgamma(b));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double sum_of_squares(Values values, double around) {
  return std::transform_reduce(values.begin(), values.end(), 0.0, std::plus(),
                               [around](double v) { return (v - around) * (v - around); });
}

double mean_of(Values values) {
  return std::reduce(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::optional<double> t_test_p(Values left, Values right) {
  if (left.size() < 2 || right.size() < 2) return std::nullopt;
  // Scaled, so that no square overflows.
  double scale = 0;
  for (const Values side : {left, right}) {
    for (const double value : side) {
      if (!std::isfinite(value)) return std::nullopt;
      scale = std::max(scale, std::abs(value));
    }
  }
  if (scale == 0) return 1;
  std::vector<double> scaled;
  scaled.reserve(left.size() + right.size());
  for (const Values side : {left, right}) {
    for (const double value : side) scaled.push_back(value / scale);
  }
  const Values a = Values(scaled).first(left.size());
  const Values b = Values(scaled).subspan(left.size());
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  const double freedom = static_cast<double>(scaled.size() - 2);
  const double variance = (sum_of_squares(a, mean_a) + sum_of_squares(b, mean_b)) / freedom;
  const double distance = mean_a - mean_b;
  // What rounding makes of equal values is no variance and no distance.
  constexpr double kRounding = 16 * std::numeric_limits<double>::epsilon();
  if (variance <= kRounding * kRounding) return std::abs(distance) <= kRounding ? 1 : 0;
  const double t_squared =
      distance * distance /
      (variance * (1 / static_cast<double>(a.size()) + 1 / static_cast<double>(b.size())));
  return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t_squared));
}

}  // namespace bpfmark
