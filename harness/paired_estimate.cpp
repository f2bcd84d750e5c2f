// SPDX-License-Identifier: BSD-2-Clause
// The arithmetic of a paired measurement, free of clocks and kernel objects. harness/README.md says
// why these estimators and not others.
#include <algorithm>
#include <cmath>
#include <limits>

#include "harness/paired.h"

namespace bpfmark {
namespace {

// Where a set of batch times, or of loads, lies; chosen by measured A/A error.
std::optional<double> location(Values values) { return median(values); }

double sum_of(const double (&pair)[2]) { return pair[0] + pair[1]; }

std::uint64_t subject_ops(const Plan& plan, unsigned scale) {
  return plan.ops_of(Arm::kSubject, scale);
}

// Per-operation series of one load, one value per round.
struct Series {
  std::vector<double> raw, floor, net, net_user;
  std::vector<double> net_at_n,
      net_at_2n;  // whole-batch differences, for the N-against-2N estimate
};

// Rounds of scale 1 give the estimate. Disturbed rounds are left out, unless that would leave fewer
// than half of the load's rounds.
Series series_of(const Plan& plan, const LoadSample& sample) {
  const auto plain = [](const Round& round) { return round.scale == 1; };
  const auto quiet = [](const Round& round) { return round.scale == 1 && !round.disturbed; };
  const bool keep_disturbed =
      2 * std::ranges::count_if(sample.rounds, quiet) < std::ranges::count_if(sample.rounds, plain);
  Series series;
  for (const Round& round : sample.rounds) {
    if (round.disturbed && !keep_disturbed) continue;
    const double difference = (sum_of(round.subject_ns) - sum_of(round.floor_ns)) / 2;
    if (round.scale == 2) {
      series.net_at_2n.push_back(difference);
      continue;
    }
    const auto ops = static_cast<double>(plan.ops_per_batch);
    const double user = (sum_of(round.subject_user_ns) - sum_of(round.floor_user_ns)) / 2;
    series.net_at_n.push_back(difference);
    series.net.push_back(difference / ops);
    series.net_user.push_back(user / ops);
    series.raw.push_back(sum_of(round.subject_ns) / 2 / static_cast<double>(subject_ops(plan, 1)));
    series.floor.push_back(plan.pairing == Pairing::kSlope ? series.raw.back() - series.net.back()
                                                           : sum_of(round.floor_ns) / 2 / ops);
  }
  return series;
}

// What N more operations cost, per operation. With twins the differences at N and at 2N each still
// hold what differs once per batch, and their difference does not. With a slope each difference is
// already free of it, and the one at 2N covers twice the operations.
std::optional<double> net_from_n_against_2n(const Plan& plan, const Series& series) {
  const std::optional<double> at_n = location(series.net_at_n);
  const std::optional<double> at_2n = location(series.net_at_2n);
  if (!at_n || !at_2n) return std::nullopt;
  const auto ops = static_cast<double>(plan.ops_per_batch);
  return plan.pairing == Pairing::kSlope ? *at_2n / (2 * ops) : (*at_2n - *at_n) / ops;
}

std::vector<double> column(const std::vector<LoadEstimate>& loads, double LoadEstimate::* member) {
  std::vector<double> values;
  for (const LoadEstimate& load : loads) values.push_back(load.*member);
  return values;
}

std::optional<Overhead> overhead_of(const std::vector<LoadEstimate>& loads) {
  std::vector<double> percents;
  for (const LoadEstimate& load : loads) percents.push_back(100 * load.net_ns / load.floor_ns);
  const std::optional<double> percent = location(percents);
  if (!percent) return std::nullopt;
  return Overhead{
      .percent = *percent,
      .percent_interval = order_statistic_interval_median(percents),
      .raw_interval = order_statistic_interval_median(column(loads, &LoadEstimate::raw_ns))};
}

}  // namespace

std::optional<Measurement> estimate(const Plan& plan, const std::vector<LoadSample>& samples) {
  Measurement result;
  std::size_t rounds = 0, disturbed_rounds = 0;
  for (const LoadSample& sample : samples) {
    rounds += sample.rounds.size();
    for (const Round& round : sample.rounds) disturbed_rounds += round.disturbed;
  }
  const bool disturbed = 2 * disturbed_rounds > rounds;

  result.min_ns = std::numeric_limits<double>::infinity();
  for (const LoadSample& sample : samples) {
    const Series series = series_of(plan, sample);
    const auto raw = location(series.raw);
    const auto floor = location(series.floor);
    const auto net = location(series.net);
    const auto user = location(series.net_user);
    if (!raw || !floor || !net || !user) return std::nullopt;
    result.loads.push_back(
        {.raw_ns = *raw,
         .floor_ns = *floor,
         .net_ns = *net,
         .net_user_ns = *user,
         .net_2n_ns =
             net_from_n_against_2n(plan, series).value_or(std::numeric_limits<double>::quiet_NaN()),
         .reference_step_ns = sample.reference_step_ns});
    for (const Round& round : sample.rounds) {
      const auto ops = static_cast<double>(subject_ops(plan, round.scale));
      result.min_ns =
          std::min({result.min_ns, round.subject_ns[0] / ops, round.subject_ns[1] / ops});
      result.ops += 2 * subject_ops(plan, round.scale);
    }
    result.steal_ns += sample.steal_ns;
    result.throttled_ns += sample.throttled_ns;
  }

  const std::vector<double> nets = column(result.loads, &LoadEstimate::net_ns);
  const std::vector<double> raws = column(result.loads, &LoadEstimate::raw_ns);
  const std::vector<double> floors = column(result.loads, &LoadEstimate::floor_ns);
  const auto raw = location(raws);
  const auto floor = location(floors);
  const auto net = location(nets);
  if (!raw || !floor || !net) return std::nullopt;
  result.raw_ns = *raw;
  result.floor_ns = *floor;
  result.net_ns = *net;
  result.least_net_ns = std::ranges::min(raws) - std::ranges::min(floors);
  result.batch_ns = *raw * static_cast<double>(subject_ops(plan, 1));
  result.net_interval = order_statistic_interval_median(nets);
  if (plan.overhead) result.overhead = overhead_of(result.loads);
  result.net_user_ns = location(column(result.loads, &LoadEstimate::net_user_ns));
  result.net_2n_ns = location(column(result.loads, &LoadEstimate::net_2n_ns));
  result.reference_step_ns =
      location(column(result.loads, &LoadEstimate::reference_step_ns)).value_or(0);
  result.batches = 4 * rounds;
  result.disturbed_batches = 4 * disturbed_rounds;
  if (disturbed) {
    result.verdict = Verdict::kDisturbed;
  } else if (result.net_interval && (result.net_interval->lo > 0 || result.net_interval->hi < 0)) {
    result.verdict = Verdict::kResolved;
  }
  return result;
}

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kResolved:
      return "resolved";
    case Verdict::kNotResolved:
      return "not resolved";
    case Verdict::kDisturbed:
      return "disturbed";
  }
  return "unknown";
}

}  // namespace bpfmark
