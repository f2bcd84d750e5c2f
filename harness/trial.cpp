// SPDX-License-Identifier: BSD-2-Clause
#include "harness/trial.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/statistics.h"

namespace bpfmark {
namespace {

constexpr double kMostTrialStddevPct = 10;
constexpr double kLeastKeptPct = 80;

double mean_of(std::span<const std::uint64_t> samples) {
  long double sum = 0;
  for (const std::uint64_t sample : samples) sum += static_cast<long double>(sample);
  return static_cast<double>(sum / static_cast<long double>(samples.size()));
}

template <class T>
double population_stddev(std::span<const T> values, double mean) {
  long double squares = 0;
  for (const T value : values) {
    const long double distance = static_cast<long double>(value) - static_cast<long double>(mean);
    squares += distance * distance;
  }
  return static_cast<double>(std::sqrt(squares / static_cast<long double>(values.size())));
}

Trial row_of(int trial, const std::string& clock, const char* filter,
             std::span<const std::uint64_t> sorted) {
  const double avg_ns = mean_of(sorted);
  return {.trial = trial,
          .clock = clock,
          .filter = filter,
          .count = sorted.size(),
          .avg_ns = avg_ns,
          .p50_ns = static_cast<double>(*truncated_rank_quantile(sorted, 0.5)),
          .p99_ns = static_cast<double>(*truncated_rank_quantile(sorted, 0.99)),
          .min_ns = static_cast<double>(sorted.front()),
          .max_ns = static_cast<double>(sorted.back()),
          .stddev_ns = population_stddev(sorted, avg_ns)};
}

void check_clock(const std::vector<Trial>& trials, const std::string& clock,
                 std::vector<TrialCheck>& checks) {
  std::vector<double> averages;
  double least_kept_pct = std::numeric_limits<double>::infinity();
  for (const Trial& row : trials) {
    if (row.clock != clock || row.filter != "iqr") continue;
    averages.push_back(row.avg_ns);
    const auto raw = std::ranges::find_if(trials, [&](const Trial& other) {
      return other.clock == clock && other.filter == "raw" && other.trial == row.trial;
    });
    if (raw == trials.end()) continue;
    least_kept_pct = std::min(
        least_kept_pct, 100 * static_cast<double>(row.count) / static_cast<double>(raw->count));
  }
  const double centre = mean(averages).value_or(0);
  if (averages.size() >= 2 && centre > 0) {
    const double pct = 100 * population_stddev(std::span<const double>(averages), centre) / centre;
    checks.push_back({"trial_stddev", clock, pct, kMostTrialStddevPct, pct <= kMostTrialStddevPct});
  }
  if (std::isfinite(least_kept_pct)) {
    checks.push_back(
        {"iqr_kept", clock, least_kept_pct, kLeastKeptPct, least_kept_pct >= kLeastKeptPct});
  }
}

}  // namespace

std::optional<std::uint64_t> truncated_rank_quantile(std::span<const std::uint64_t> sorted,
                                                     double q) {
  if (sorted.empty()) return std::nullopt;
  const auto rank = static_cast<std::size_t>(static_cast<double>(sorted.size()) * q);
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

std::span<const std::uint64_t> within_iqr_fences(std::span<const std::uint64_t> sorted) {
  if (sorted.empty()) return sorted;
  const auto q1 = static_cast<double>(*truncated_rank_quantile(sorted, 0.25));
  const auto q3 = static_cast<double>(*truncated_rank_quantile(sorted, 0.75));
  const double margin = 1.5 * (q3 - q1);
  const auto first = std::ranges::find_if(
      sorted, [&](std::uint64_t v) { return static_cast<double>(v) >= q1 - margin; });
  const auto last = std::find_if(
      first, sorted.end(), [&](std::uint64_t v) { return static_cast<double>(v) > q3 + margin; });
  return {first, last};
}

std::vector<Trial> trial_rows(int trial, const std::string& clock,
                              std::vector<std::uint64_t> samples_ns) {
  if (samples_ns.empty()) return {};
  std::vector<std::uint64_t> sorted = samples_ns;
  std::ranges::sort(sorted);
  std::vector<Trial> rows = {row_of(trial, clock, "raw", sorted),
                             row_of(trial, clock, "iqr", within_iqr_fences(sorted))};
  rows.front().samples_ns = std::move(samples_ns);
  return rows;
}

std::vector<TrialCheck> check_trials(const std::vector<Trial>& trials) {
  std::vector<TrialCheck> checks;
  std::vector<std::string> clocks;
  for (const Trial& row : trials) {
    if (std::ranges::find(clocks, row.clock) == clocks.end()) clocks.push_back(row.clock);
  }
  for (const std::string& clock : clocks) check_clock(trials, clock, checks);
  return checks;
}

}  // namespace bpfmark
