// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "harness/commands.h"

namespace bpfmark {
namespace {

// What is to be judged against each other.
struct Pair {
  std::string name;
  const BenchmarkSamples* old_side;
  const BenchmarkSamples* new_side;
  const BenchmarkSamples* first = nullptr;  // A and A'
  const BenchmarkSamples* again = nullptr;
  std::string old_label = {}, new_label = {};
};

bool all_equal(Values values) {
  return std::ranges::adjacent_find(values, std::ranges::not_equal_to()) == values.end();
}

std::vector<double> logarithms(Values values) {
  std::vector<double> logs;
  for (const double value : values) logs.push_back(std::log(value));
  return logs;
}

void judge_exactly(Row& row, Values old_values, Values new_values) {
  if (!all_equal(old_values) || !all_equal(new_values)) {
    row.reason = "differs between the launches of one side, but should be exact";
  } else if (row.old_median == row.new_median) {
    row.change = Change::kSame;
  } else {
    const bool worse = (row.new_median > row.old_median) != row.metric.higher_is_better;
    row.change = worse ? Change::kRegression : Change::kImprovement;
  }
}

// Computes the rows one after the other, then judges them together, for Holm's correction needs
// all.
class Judge {
 public:
  // `identity` is that of the old side.
  Judge(const Rules& rules, const Identity& identity, const NoiseHistory* history)
      : rules_(rules), identity_(identity), history_(history) {}

  void add(const Pair& pair, const Metric& metric, Values old_values, Values new_values);
  std::vector<Row> finish();

 private:
  struct Samples {
    Values old_values, new_values;
  };

  void set_noise_floor(Row& row, const Pair& pair);
  void set_detectable(Row& row, const Samples& samples, std::size_t tests) const;

  Rules rules_;
  const Identity& identity_;
  const NoiseHistory* history_;
  MannWhitney mann_whitney_;
  MedianBootstrap bootstrap_;
  std::vector<Row> rows_;
  std::vector<Samples> samples_;  // of each row
};

void Judge::add(const Pair& pair, const Metric& metric, Values old_values, Values new_values) {
  Row& row = rows_.emplace_back();
  samples_.push_back({old_values, new_values});
  row.name = pair.name;
  row.old_label = pair.old_label;
  row.new_label = pair.new_label;
  row.metric = metric;
  row.old_n = old_values.size();
  row.new_n = new_values.size();
  row.old_median = *median(old_values);  // A file holds finite numbers only.
  row.new_median = *median(new_values);
  row.as_ratio = std::ranges::min(old_values) > 0 && std::ranges::min(new_values) > 0;
  row.estimate = row.as_ratio ? row.new_median / row.old_median : row.new_median - row.old_median;
  if (metric.exact) return judge_exactly(row, old_values, new_values);
  set_noise_floor(row, pair);
  if (std::min(row.old_n, row.new_n) < kMinLaunches) {
    row.reason =
        fmt::format("{}/{} launches; {} a side needed", row.old_n, row.new_n, kMinLaunches);
    return;
  }
  row.interval = row.as_ratio ? bootstrap_.ratio(old_values, new_values)
                              : bootstrap_.difference(old_values, new_values);
  if (!row.interval) {
    row.reason = "the values are too large or too small to form a ratio";
    return;
  }
  if (const auto test = mann_whitney_.test(old_values, new_values)) {
    row.p = test->p;
    row.cliffs_delta = test->cliffs_delta;
  }
}

// The largest of what is known about this row.
void Judge::set_noise_floor(Row& row, const Pair& pair) {
  const auto raise_to = [&row](double amount, const char* source) {
    if (amount > row.noise_floor) row.noise_floor = amount, row.noise_source = source;
  };
  const auto in_unit = [&row](double value) {
    return row.as_ratio ? value / row.old_median : value;
  };
  raise_to(row.as_ratio ? rules_.threshold : rules_.threshold * std::abs(row.old_median),
           "threshold");
  if (row.metric.is_ns) {
    raise_to(in_unit(rules_.floor_ns), "floor-ns");
    if (const auto ns = clock_resolution_ns(identity_, *pair.old_side, row.metric.name)) {
      raise_to(in_unit(*ns), "clock resolution");
    }
  }
  if (pair.first != nullptr && pair.again != nullptr) {
    const auto first = pair.first->metrics.find(row.metric.name);
    const auto again = pair.again->metrics.find(row.metric.name);
    if (first != pair.first->metrics.end() && again != pair.again->metrics.end()) {
      row.noise_aa = largest_change(bootstrap_, first->second, again->second, row.as_ratio);
      if (row.noise_aa) raise_to(*row.noise_aa, "A/A'");
    }
  }
  if (history_ != nullptr) {
    if (const auto seen = history_->largest(row.name, row.metric.name)) {
      raise_to(in_unit(*seen), "A/A' history");
    }
  }
}

std::vector<Row> Judge::finish() {
  std::vector<double> p_values;
  for (const Row& row : rows_) {
    if (row.p) p_values.push_back(*row.p);
  }
  const std::vector<double> adjusted = holm_adjusted(p_values).value_or(std::vector<double>());
  auto next = adjusted.begin();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    Row& row = rows_[i];
    if (!row.p) continue;
    row.p_holm = *next++;
    const double origin = row.as_ratio ? 1 : 0;
    row.change = judge({.lo = row.interval->lo - origin, .hi = row.interval->hi - origin},
                       row.noise_floor, *row.p_holm, rules_.alpha, row.metric.higher_is_better);
    if (row.change == Change::kInconclusive) set_detectable(row, samples_[i], adjusted.size());
  }
  return std::move(rows_);
}

void Judge::set_detectable(Row& row, const Samples& samples, std::size_t tests) const {
  const auto m = static_cast<double>(tests);
  if (m * smallest_p(row.old_n, row.new_n) >= rules_.alpha) {
    row.reason =
        fmt::format("{} launches cannot decide among {} rows; {} needed",
                    std::min(row.old_n, row.new_n), tests, samples_needed(tests, rules_.alpha));
    return;
  }
  const double alpha_per_row = rules_.alpha / m;
  if (row.as_ratio) {
    const auto shift =
        minimum_detectable_shift(logarithms(samples.old_values), logarithms(samples.new_values),
                                 std::log1p(row.noise_floor), alpha_per_row);
    if (shift) row.detectable = std::expm1(*shift);
  } else {
    row.detectable = minimum_detectable_shift(samples.old_values, samples.new_values,
                                              row.noise_floor, alpha_per_row);
  }
  row.reason = *row.p_holm < rules_.alpha ? "the interval reaches into the noise floor"
                                          : "the interval reaches beyond the noise floor";
}

Side side_of(const ResultSet& set) {
  return {.path = set.path, .launches = set.files.size(), .identity = set.identity};
}

// Why a side has no number for a benchmark.
std::string absence_reason(const ResultSet& set, const std::string& name) {
  if (const auto failed = set.failures.find(name); failed != set.failures.end()) {
    return fmt::format("failed: {}", failed->second);
  }
  if (const auto skipped = set.skips.find(name); skipped != set.skips.end()) {
    return fmt::format("skipped: {}", skipped->second);
  }
  return "not in the result";
}

// A failure in NEW is not among them: it is reported as missing, for it is never excused.
std::vector<Absence> unmeasured_on_both(const ResultSet& old_side, const ResultSet& new_side) {
  std::vector<Absence> found;
  std::set<std::string> seen;
  const auto add_all = [&](const ResultSet& side, const auto& list) {
    for (const auto& [name, reason] : list) {
      if (old_side.find(name) != nullptr || new_side.find(name) != nullptr) continue;
      if (new_side.failures.contains(name) || !seen.insert(name).second) continue;
      found.push_back({name, absence_reason(side, name)});
    }
  };
  add_all(new_side, new_side.skips);
  add_all(old_side, old_side.failures);
  add_all(old_side, old_side.skips);
  return found;
}

// Judges all metrics of the pairs; those that one side lacks become `missing`.
void judge_pairs(const std::vector<Pair>& pairs, const std::vector<Metric>& metrics,
                 const NoiseHistory* history, Comparison& comparison) {
  Judge judge(comparison.rules, comparison.old_side.identity, history);
  for (const Pair& pair : pairs) {
    for (const Metric& metric : metrics) {
      const auto old_values = pair.old_side->metrics.find(metric.name);
      const auto new_values = pair.new_side->metrics.find(metric.name);
      const bool in_old = old_values != pair.old_side->metrics.end();
      const bool in_new = new_values != pair.new_side->metrics.end();
      if (in_old && in_new) {
        judge.add(pair, metric, old_values->second, new_values->second);
      } else if (in_old || in_new) {
        const std::string& label = in_old ? pair.new_label : pair.old_label;
        comparison.missing.push_back({.name = fmt::format("{} [{}]", pair.name, metric.name),
                                      .side = !label.empty() ? label
                                              : in_old       ? "NEW"
                                                             : "OLD",
                                      .reason = "has no such metric"});
      }
    }
  }
  comparison.rows = judge.finish();
}

Result<Comparison> with_rows(Comparison comparison, const std::vector<Metric>& metrics,
                             const std::vector<std::string>& known) {
  if (!comparison.rows.empty() || !comparison.missing.empty()) return comparison;
  std::vector<std::string> names;
  for (const Metric& metric : metrics) names.push_back(metric.name);
  return wrong_result(fmt::format("{}: no benchmark has {}; its metrics are {}",
                                  comparison.old_side.path, fmt::join(names, " or "),
                                  fmt::join(known, ", ")));
}

// "map_lookup/type:hash/access:hit" by "type" is {"map_lookup/type:*/access:hit", "hash"}; without
// that key the value is empty.
struct Column {
  std::string name;
  std::string value;
};

Column column_of(const std::string& name, const std::string& key) {
  const std::string mark = fmt::format("/{}:", key);
  const auto at = name.find(mark);
  if (at == std::string::npos) return {};
  const auto first = at + mark.size();
  const auto end = std::min(name.find('/', first), name.size());
  return {name.substr(0, first) + "*" + name.substr(end), name.substr(first, end - first)};
}

}  // namespace

Result<Metric> metric_from(const std::string& text) {
  constexpr std::array<std::string_view, 9> kTimes = {"net", "least_net", "floor", "min", "p50",
                                                      "p90", "p99",       "p999",  "max"};
  if (text == "raw" || text == "real_time") return Metric{.name = "real_time", .is_ns = true};
  if (text == "cpu_time") return Metric{.name = text, .is_ns = true};
  if (std::ranges::find(kTimes, text) != kTimes.end()) {
    return Metric{.name = text + "_ns", .is_ns = true};
  }
  if (text == "insns_xlated" || text == "jited_bytes") return Metric{.name = text, .exact = true};
  if (text == "drops" || text == "lost") return Metric{.name = text};
  if (text.ends_with("_ns")) return Metric{.name = text, .is_ns = true};
  if (text.ends_with("_per_s") || text.ends_with("_per_second")) {
    return Metric{.name = text, .higher_is_better = true};
  }
  return wrong_result(fmt::format(
      "metric '{}': its name does not say whether less or more is better (_ns, _per_s)", text));
}

const char* change_name(Change change) {
  switch (change) {
    case Change::kRegression:
      return "regression";
    case Change::kImprovement:
      return "improvement";
    case Change::kSame:
      return "same";
    case Change::kInconclusive:
      return "inconclusive";
  }
  return "";
}

std::size_t Comparison::count(Change change) const {
  return static_cast<std::size_t>(std::ranges::count(rows, change, &Row::change));
}

Change judge(Interval change_interval, double noise_floor, double p, double alpha,
             bool higher_is_better) {
  const bool up = change_interval.lo > noise_floor && p < alpha;
  const bool down = change_interval.hi < -noise_floor && p < alpha;
  if (up || down) return up != higher_is_better ? Change::kRegression : Change::kImprovement;
  const bool within = change_interval.lo >= -noise_floor && change_interval.hi <= noise_floor;
  return within ? Change::kSame : Change::kInconclusive;
}

Result<Comparison> compare_results(const ResultSet& old_side, const ResultSet& new_side,
                                   const std::vector<Metric>& metrics, const Rules& rules,
                                   bool force, const NoiseEvidence& evidence) {
  const auto part = [](const ResultSet* of, const std::string& name) {
    return of == nullptr ? nullptr : of->find(name);
  };
  Comparison comparison{
      .old_side = side_of(old_side), .new_side = side_of(new_side), .rules = rules};
  comparison.forced = old_side.forced;
  comparison.forced.insert(comparison.forced.end(), new_side.forced.begin(), new_side.forced.end());
  for (const Difference& d : forbidding_differences(old_side.identity, new_side.identity)) {
    if (!force) {
      return wrong_result(
          fmt::format("{} and {} cannot be compared: {} (--force does it "
                      "nevertheless)",
                      old_side.path, new_side.path, to_text(d)));
    }
    comparison.forced.push_back(to_text(d));
  }
  comparison.notable = notable_differences(old_side.identity, new_side.identity);
  std::vector<Pair> pairs;
  for (const BenchmarkSamples& old_one : old_side.benchmarks) {
    if (const BenchmarkSamples* new_one = new_side.find(old_one.name)) {
      pairs.push_back({old_one.name, &old_one, new_one, part(evidence.first, old_one.name),
                       part(evidence.again, old_one.name)});
    } else if (!new_side.failures.contains(old_one.name)) {
      comparison.missing.push_back({old_one.name, "NEW", absence_reason(new_side, old_one.name)});
    }
  }
  for (const BenchmarkSamples& new_one : new_side.benchmarks) {
    if (old_side.find(new_one.name) != nullptr) continue;
    comparison.missing.push_back({new_one.name, "OLD", absence_reason(old_side, new_one.name)});
  }
  for (const auto& [name, message] : new_side.failures) {
    comparison.missing.push_back({name, "NEW", fmt::format("failed: {}", message), true});
  }
  comparison.unmeasured = unmeasured_on_both(old_side, new_side);
  judge_pairs(pairs, metrics, evidence.history, comparison);
  return with_rows(std::move(comparison), metrics, old_side.metric_names);
}

void confirm(Comparison& comparison, const Comparison& fresh) {
  for (Row& row : comparison.rows) {
    if (row.change != Change::kRegression) continue;
    const auto again = std::ranges::find_if(fresh.rows, [&row](const Row& other) {
      return other.name == row.name && other.metric.name == row.metric.name;
    });
    if (again == fresh.rows.end()) continue;
    row.confirmation = {.agrees = again->change == Change::kRegression,
                        .estimate = again->estimate,
                        .interval = again->interval,
                        .change = again->change};
    if (row.confirmation->agrees) continue;
    row.change = Change::kInconclusive;
    row.reason = "a regression at first, not confirmed by fresh launches";
  }
  for (const MissingRow& missing : fresh.missing) {
    if (missing.failed_in_new) comparison.missing.push_back(missing);
  }
}

void inject(ResultSet& new_side, const std::vector<Metric>& metrics, double factor) {
  for (const Metric& metric : metrics) {
    if (metric.exact) continue;
    for (BenchmarkSamples& benchmark : new_side.benchmarks) {
      const auto samples = benchmark.metrics.find(metric.name);
      if (samples == benchmark.metrics.end()) continue;
      for (double& sample : samples->second) {
        sample *= metric.higher_is_better ? 1 / factor : factor;
      }
    }
  }
  new_side.forced.insert(new_side.forced.begin(),
                         fmt::format("--inject={:g}: NEW was made worse on purpose; this tests the "
                                     "gate and measures nothing",
                                     factor));
}

std::vector<NoiseRecord> noise_records(const ResultSet& first, const ResultSet& again,
                                       const std::vector<Metric>& metrics) {
  std::vector<NoiseRecord> records;
  for (const BenchmarkSamples& one : first.benchmarks) {
    const BenchmarkSamples* const other = again.find(one.name);
    if (other == nullptr) continue;
    for (const Metric& metric : metrics) {
      const auto a = one.metrics.find(metric.name), b = other->metrics.find(metric.name);
      if (metric.exact || a == one.metrics.end() || b == other->metrics.end()) continue;
      records.push_back({one.name, metric.name, std::abs(*median(b->second) - *median(a->second))});
    }
  }
  return records;
}

Result<Comparison> compare_columns(const ResultSet& side, const std::string& key,
                                   const std::vector<Metric>& metrics, const Rules& rules) {
  Comparison comparison{.old_side = side_of(side),
                        .new_side = side_of(side),
                        .rules = rules,
                        .column_key = key,
                        .forced = side.forced};
  std::map<std::string, std::pair<std::string, const BenchmarkSamples*>> bases;
  std::vector<Pair> pairs;
  for (const BenchmarkSamples& benchmark : side.benchmarks) {
    const Column column = column_of(benchmark.name, key);
    if (column.value.empty()) continue;
    const auto [base, is_base] = bases.try_emplace(column.name, column.value, &benchmark);
    if (is_base) continue;
    const auto& [base_value, base_benchmark] = base->second;
    pairs.push_back({.name = column.name,
                     .old_side = base_benchmark,
                     .new_side = &benchmark,
                     .old_label = base_value,
                     .new_label = column.value});
  }
  if (pairs.empty()) {
    return wrong_result(fmt::format("{}: no two benchmarks differ in '{}' alone", side.path, key));
  }
  judge_pairs(pairs, metrics, nullptr, comparison);
  return with_rows(std::move(comparison), metrics, side.metric_names);
}

int exit_status(const Comparison& comparison, const ExitRules& rules) {
  if (!comparison.is_column_comparison()) {
    if (comparison.count(Change::kRegression) > 0) return kExitFailure;
    if (std::ranges::any_of(comparison.missing, [&](const MissingRow& missing) {
          return missing.failed_in_new || !rules.allow_missing;
        })) {
      return kExitFailure;
    }
  }
  const bool undecided = rules.strict && comparison.count(Change::kInconclusive) > 0;
  return undecided ? kExitInconclusive : kExitOk;
}

}  // namespace bpfmark
