// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/change_points.h"

#include <algorithm>
#include <cmath>

#include "ci/judge/significance.h"

namespace bpfmark {
namespace {

bool all_finite(Values values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

struct Split {
  std::size_t index = 0;
  double energy = 0;
};

// The split of `values` with the largest m n / (m + n) * E(left, right), E with the exponent 1.
// When one value passes from right to left, the three sums of distances change by its distances to
// all others, so all splits together cost one pass over the pairs.
Split best_split(Values values, std::size_t min_segment) {
  const std::size_t n = values.size();
  double within_left = 0, within_right = 0, between = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) within_right += std::abs(values[i] - values[j]);
  }
  Split best;
  for (std::size_t i = 0; i + 1 < n; ++i) {
    double to_left = 0, to_right = 0;
    for (std::size_t j = 0; j < i; ++j) to_left += std::abs(values[i] - values[j]);
    for (std::size_t j = i + 1; j < n; ++j) to_right += std::abs(values[i] - values[j]);
    within_left += to_left;
    within_right -= to_right;
    between += to_right - to_left;
    const std::size_t left = i + 1, right = n - left;
    if (left < min_segment || right < min_segment) continue;
    const auto m = static_cast<double>(left), k = static_cast<double>(right);
    const double energy = m * k / (m + k) *
                          (2 / (m * k) * between - 2 / (m * (m - 1)) * within_left -
                           2 / (k * (k - 1)) * within_right);
    if (best.index == 0 || energy > best.energy) best = {.index = left, .energy = energy};
  }
  return best;
}

// Splits [first, end) of the series, then its parts, while the sides of the best split differ.
void split_window(Values series, std::size_t first, std::size_t end, const ChangePointRules& rules,
                  std::vector<std::size_t>& found) {
  if (end - first < 2 * rules.min_segment) return;
  const Values part = series.subspan(first, end - first);
  const std::size_t index = best_split(part, rules.min_segment).index;
  if (*t_test_p(part.first(index), part.subspan(index)) > std::max(rules.max_p, rules.weak_p)) {
    return;
  }
  split_window(series, first, first + index, rules, found);
  found.push_back(first + index);
  split_window(series, first + index, end, rules, found);
}

// Windows overlap by half; one that found a change is followed by one that starts at its last.
std::vector<std::size_t> candidates(Values series, const ChangePointRules& rules) {
  std::vector<std::size_t> found;
  for (std::size_t start = 0; start < series.size();) {
    const std::size_t end = std::min(start + rules.window, series.size());
    split_window(series, start, end, rules, found);
    if (end == series.size()) break;
    start = std::max(start + rules.window / 2, found.empty() ? 0 : found.back());
  }
  return found;
}

// The point at position `i` of `indices`, between its neighbours.
ChangePoint point_at(Values series, const std::vector<std::size_t>& indices, std::size_t i,
                     std::size_t window) {
  const std::size_t index = indices[i];
  const std::size_t previous = i == 0 ? 0 : indices[i - 1];
  const std::size_t next = i + 1 == indices.size() ? series.size() : indices[i + 1];
  return {.index = index,
          .first = std::max(previous, index - std::min(index, window)),
          .end = std::min(next, index + window),
          .p = 1};
}

// By how much the step between the medians is larger than what is no change.
double step_margin(Values before, Values after, const ChangePointRules& rules) {
  const double from = *median(before), to = *median(after);
  return std::abs(to - from) - std::max(rules.relative_step * std::abs(from), rules.absolute_step);
}

// Takes back the weakest point until all are strong enough: first by p, then by the size of the
// step. Every point is placed anew between its neighbours, and again when one of them is gone.
std::vector<ChangePoint> keep_strong(Values series, std::vector<std::size_t> indices,
                                     const ChangePointRules& rules) {
  struct Judged {
    ChangePoint point;
    double margin;
  };
  const auto judged_at = [&](std::size_t i) {
    Judged judged{.point = point_at(series, indices, i, rules.window), .margin = 0};
    const std::size_t first = judged.point.first, end = judged.point.end;
    // A split of what held two changes can be off by some runs.
    const std::size_t index =
        first + best_split(series.subspan(first, end - first), rules.min_segment).index;
    judged.point.index = indices[i] = index;
    const Values before = series.subspan(first, index - first);
    const Values after = series.subspan(index, end - index);
    judged.point.p = *t_test_p(before, after);
    judged.margin = step_margin(before, after, rules);
    return judged;
  };
  std::vector<Judged> points;
  for (std::size_t i = 0; i < indices.size(); ++i) points.push_back(judged_at(i));
  while (!points.empty()) {
    auto weakest = std::ranges::max_element(points, {}, [](const Judged& j) { return j.point.p; });
    if (weakest->point.p < rules.max_p) {
      weakest = std::ranges::min_element(points, {}, &Judged::margin);
      if (weakest->margin > 0) break;
    }
    const auto at = weakest - points.begin();
    points.erase(weakest);
    indices.erase(indices.begin() + at);
    const auto i = static_cast<std::size_t>(at);
    if (i > 0) points[i - 1] = judged_at(i - 1);
    if (i < points.size()) points[i] = judged_at(i);
  }
  std::vector<ChangePoint> strong;
  for (const Judged& judged : points) strong.push_back(judged.point);
  return strong;
}

}  // namespace

std::optional<std::vector<ChangePoint>> find_change_points(Values series,
                                                           const ChangePointRules& rules) {
  if (!all_finite(series)) return std::nullopt;
  return keep_strong(series, candidates(series, rules), rules);
}

std::optional<std::vector<ChangePoint>> find_exact_changes(Values series, std::size_t window) {
  if (!all_finite(series)) return std::nullopt;
  std::vector<std::size_t> indices;
  for (std::size_t i = 1; i < series.size(); ++i) {
    if (series[i] != series[i - 1]) indices.push_back(i);
  }
  std::vector<ChangePoint> points;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    points.push_back(point_at(series, indices, i, window));
    points.back().p = 0;
  }
  return points;
}

}  // namespace bpfmark
