// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ci/judge/result_parser.h"

namespace bpfmark {

// The trials of one clock and filter, as they stand in a result.
using TrialGroup = std::vector<const DetailRecord*>;

struct MeanAndDeviation {
  double mean;
  double deviation;  // of the population
};

// Of one figure over all trials. Nothing where one of them lacks it: a mean over some of the trials
// would pass for one over all.
std::optional<MeanAndDeviation> over_trials(const TrialGroup& trials, std::string_view figure);

// A figure of one trial; nothing where there is no value.
std::optional<double> figure_of(const DetailRecord& trial, std::string_view figure);

}  // namespace bpfmark
