// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/trials.h"

#include <cmath>

namespace bpfmark {

std::optional<double> figure_of(const DetailRecord& trial, std::string_view figure) {
  const auto found = trial.figures.find(figure);
  return found == trial.figures.end() ? std::nullopt : std::optional(found->second);
}

std::optional<MeanAndDeviation> over_trials(const TrialGroup& trials, std::string_view figure) {
  if (trials.empty()) return std::nullopt;
  const auto n = static_cast<double>(trials.size());
  double sum = 0, squares = 0;
  for (const DetailRecord* trial : trials) {
    const auto value = figure_of(*trial, figure);
    if (!value) return std::nullopt;
    sum += *value;
  }
  const double mean = sum / n;
  for (const DetailRecord* trial : trials) {
    const double distance = *figure_of(*trial, figure) - mean;
    squares += distance * distance;
  }
  return MeanAndDeviation{.mean = mean, .deviation = std::sqrt(squares / n)};
}

}  // namespace bpfmark
