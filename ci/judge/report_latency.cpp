// SPDX-License-Identifier: BSD-2-Clause
// The sections of a report about distributions: latency, and trials of single samples.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "ci/judge/html.h"
#include "ci/judge/report_page.h"
#include "ci/judge/report_table.h"
#include "ci/judge/svg_plot.h"
#include "ci/judge/trials.h"
#include "harness/histogram.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;

// More would make the page heavy, and nobody looks at them; a line says what was left out.
constexpr std::size_t kMostLatencies = 100;

// Only quantiles with enough samples above them; the largest sample stands beside the name.
QuantileLine quantile_line(const Distribution& distribution) {
  QuantileLine line{.label = distribution.name};
  double all = 0, below = 0;
  for (const auto& bucket : distribution.buckets) all += bucket.count;
  if (all == 0) return line;
  line.label +=
      fmt::format(" (n {:g}, max {})", all, shown_ns(distribution.buckets.back().upper_ns));
  for (const auto& bucket : distribution.buckets) {
    const double above = all - below - bucket.count;
    // The samples of a bucket lie somewhere in it, so it is a step at its middle.
    line.points.push_back({below / all, std::midpoint(bucket.lower_ns, bucket.upper_ns)});
    if (above < static_cast<double>(Histogram::kMinSamplesAbove)) {
      const double last = 1 - static_cast<double>(Histogram::kMinSamplesAbove) / all;
      if (last > below / all) line.points.push_back({last, line.points.back().ns});
      break;
    }
    below += bucket.count;
  }
  return line;
}

ordered_json quantile_data(const std::vector<QuantileLine>& lines) {
  std::vector<double> nines;
  for (const QuantileLine& line : lines) {
    for (const QuantilePoint& point : line.points) nines.push_back(-std::log10(1 - point.q));
  }
  std::ranges::sort(nines);
  nines.erase(std::ranges::unique(nines).begin(), nines.end());
  ordered_json labels = ordered_json::array(), data = ordered_json::array({nines});
  double lo = 1e300, hi = 0;
  for (const QuantileLine& line : lines) {
    ordered_json column(nines.size(), nullptr);
    for (const QuantilePoint& point : line.points) {
      const auto place = std::ranges::lower_bound(nines, -std::log10(1 - point.q)) - nines.begin();
      column[static_cast<std::size_t>(place)] = point.ns;
      lo = std::min(lo, point.ns);
      hi = std::max(hi, point.ns);
    }
    data.push_back(std::move(column));
    labels.push_back(line.label);
  }
  return {{"labels", labels}, {"log", lo > 0 && hi / lo > 20}, {"data", data}};
}

Values samples_of(const BenchmarkSamples& benchmark, const char* metric) {
  const auto found = benchmark.metrics.find(metric);
  return found == benchmark.metrics.end() ? Values() : Values(found->second);
}

// Of several launches: the median of a quantile, all samples and losses, the largest maximum.
std::string latency_row(const BenchmarkSamples& benchmark) {
  const auto total = [&](const char* metric) {
    const Values values = samples_of(benchmark, metric);
    return values.empty() ? std::nullopt
                          : std::optional(std::accumulate(values.begin(), values.end(), 0.0));
  };
  const auto count_cell = [](const std::optional<double>& count) {
    return count ? number_cell(*count, fmt::format("{:.0f}", *count), "") : number_cell(count);
  };
  std::string html = "<tr>" + name_cell(benchmark.name) + count_cell(total("samples"));
  for (const char* const quantile : {"p50_ns", "p90_ns", "p99_ns", "p999_ns"}) {
    html += number_cell(median(samples_of(benchmark, quantile)));
  }
  const Values largest = samples_of(benchmark, "max_ns");
  html += number_cell(largest.empty() ? std::nullopt : std::optional(std::ranges::max(largest)));
  const auto lost = total("lost");
  return html +
         (lost && *lost > 0 ? number_cell(*lost, fmt::format("{:.0f}", *lost), "worse")
                            : count_cell(lost)) +
         "</tr>\n";
}

std::string latency_table(const ResultSet& result) {
  std::string rows;
  std::size_t count = 0;
  for (const BenchmarkSamples& benchmark : result.benchmarks) {
    if (samples_of(benchmark, "samples").empty()) continue;
    rows += latency_row(benchmark);
    ++count;
  }
  if (count == 0) return {};
  return open_table(
             "latency-table", count,
             "Nanoseconds. A quantile with fewer than 10 samples above it is left out. lost: "
             "what was sent or recorded and never seen",
             {{"case"},
              {"samples", true},
              {"p50", true},
              {"p90", true},
              {"p99", true},
              {"p99.9", true},
              {"max", true},
              {"lost", true}})
      .append(rows)
      .append(kCloseTable);
}

// What the file's own checks say of the trials of a clock.
std::string check_text(const CaseDetails& details, const std::string& clock) {
  std::string failed;
  std::size_t checks = 0;
  for (const DetailRecord& check : details.trial_checks) {
    if (check.text("clock") != clock) continue;
    ++checks;
    if (check.text("verdict") == "passed") continue;
    failed += fmt::format("{}{} {:.1f} % (limit {:g} %)", failed.empty() ? "failed: " : ", ",
                          check.text("check"), figure_of(check, "value_pct").value_or(0),
                          figure_of(check, "limit_pct").value_or(0));
  }
  return !failed.empty() ? failed : checks > 0 ? "passed" : "";
}

std::string trial_row(const BenchmarkSamples& benchmark, const std::string& clock,
                      const std::string& filter, const TrialGroup& trials) {
  const auto mean_of = [&](const char* figure) {
    const auto all = over_trials(trials, figure);
    return all ? std::optional(all->mean) : std::nullopt;
  };
  std::optional<double> least, most;
  for (const DetailRecord* trial : trials) {
    if (const auto value = figure_of(*trial, "min_ns"))
      least = std::min(least.value_or(*value), *value);
    if (const auto value = figure_of(*trial, "max_ns"))
      most = std::max(most.value_or(*value), *value);
  }
  const auto average = over_trials(trials, "avg_ns");
  const auto n = static_cast<double>(trials.size());
  // The checks are about what the filter leaves.
  const std::string checks = filter == "iqr" ? check_text(benchmark.details, clock) : "";
  return "<tr>" + name_cell(benchmark.name) + text_cell(clock) + text_cell(filter) +
         number_cell(n, fmt::format("{}", trials.size()), "") + number_cell(mean_of("count")) +
         number_cell(mean_of("avg_ns")) +
         number_cell(average ? std::optional(average->deviation) : std::nullopt) +
         number_cell(mean_of("p50_ns")) + number_cell(mean_of("p99_ns")) + number_cell(least) +
         number_cell(most) + text_cell(checks, checks.starts_with("failed") ? "worse" : "") +
         "</tr>\n";
}

}  // namespace

std::string latency_section(const ReportContent& content, PlotData& data) {
  std::string figures;
  std::size_t drawn = 0, all = 0;
  for (const BenchmarkSamples& benchmark : content.result.benchmarks) {
    std::vector<QuantileLine> lines;
    for (const Distribution& distribution : benchmark.details.distributions) {
      QuantileLine line = quantile_line(distribution);
      if (!line.points.empty()) lines.push_back(std::move(line));
    }
    if (lines.empty() || ++all > kMostLatencies) continue;
    const std::string name = fmt::format("latency-{}", ++drawn);
    data.plots[name] = quantile_data(lines);
    figures +=
        figure(benchmark.name, quantile_svg(benchmark.name + ": latency by quantile", lines),
               "a quantile needs 10 samples above it; to the right of that the curve ends", name);
  }
  const std::string table = latency_table(content.result);
  if (figures.empty() && table.empty()) return {};
  return "<section><h2 id=\"latency\">Latency</h2>\n" + table + figures +
         left_out(all, kMostLatencies, "distributions") + "</section>\n";
}

std::string trials_section(const ReportContent& content) {
  std::string rows;
  std::size_t count = 0;
  for (const BenchmarkSamples& benchmark : content.result.benchmarks) {
    std::map<std::pair<std::string, std::string>, TrialGroup> groups;
    for (const DetailRecord& trial : benchmark.details.trials) {
      groups[{trial.text("clock"), trial.text("filter")}].push_back(&trial);
    }
    for (const auto& [key, trials] : groups) {
      rows += trial_row(benchmark, key.first, key.second, trials);
      ++count;
    }
  }
  if (count == 0) return {};
  return "<section><h2 id=\"trials\">Trials</h2>\n" +
         open_table(
             "trials-table", count,
             "Nanoseconds, single samples summed up by trial: means over the trials, and the "
             "deviation of their averages. iqr: without outliers",
             {{"case"},
              {"clock"},
              {"filter"},
              {"trials", true},
              {"samples each", true},
              {"average", true},
              {"deviation", true},
              {"p50", true},
              {"p99", true},
              {"least", true},
              {"most", true},
              {"checks"}})
             .append(rows)
             .append(kCloseTable) +
         "</section>\n";
}

}  // namespace bpfmark
