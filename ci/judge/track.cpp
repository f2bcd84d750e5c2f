// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/track.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "ci/judge/compare_report.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {
namespace {

// What the series share: numbers of environments, places of runs among those of their label.
struct Runs {
  std::vector<std::size_t> environments;  // equal numbers are equal environments
  std::vector<bool> is_new;               // among the newest of its label
};

Runs number_runs(const History& history, std::size_t newest) {
  Runs runs;
  std::map<std::string, std::size_t> environments;
  std::map<std::string, std::size_t> left;  // runs of the label that are yet to come
  for (const TrackedRun& run : history.runs) {
    const std::string digest = environment_digest(run.environment);
    runs.environments.push_back(
        environments.try_emplace(digest, environments.size()).first->second);
    ++left[run.label];
  }
  for (const TrackedRun& run : history.runs) runs.is_new.push_back(left[run.label]-- <= newest);
  return runs;
}

std::vector<Break> find_breaks(const History& history, const Runs& runs) {
  std::vector<Break> breaks;
  std::map<std::string, std::size_t> previous;
  for (std::size_t i = 0; i < history.runs.size(); ++i) {
    const auto [last, is_first] = previous.try_emplace(history.runs[i].label, i);
    if (!is_first && runs.environments[last->second] != runs.environments[i]) {
      breaks.push_back({.run = i,
                        .differences = environment_differences(
                            history.runs[last->second].environment, history.runs[i].environment)});
    }
    last->second = i;
  }
  return breaks;
}

class Tracker {
 public:
  Tracker(const History& history, const TrackRules& rules)
      : rules_(rules), runs_(number_runs(history, rules.newest)) {}

  const Runs& runs() const { return runs_; }

  void analyse(TrackedSeries& tracked, double max_p);

 private:
  std::vector<ChangePoint> points_of(const Metric& metric, Values values, double max_p) const;
  // Nothing where the step is not certain after all.
  std::optional<LevelChange> change_at(const TrackedSeries& tracked, std::size_t offset,
                                       Values values, const ChangePoint& point);

  TrackRules rules_;
  Runs runs_;
  MedianBootstrap bootstrap_;
};

void Tracker::analyse(TrackedSeries& tracked, double max_p) {
  const Series& series = *tracked.series;
  for (std::size_t i = 0; i < series.runs.size(); ++i) {
    if (i == 0 || runs_.environments[series.runs[i]] != runs_.environments[series.runs[i - 1]]) {
      tracked.segments.push_back(i);
    }
  }
  for (std::size_t s = 0; s < tracked.segments.size(); ++s) {
    const std::size_t first = tracked.segments[s];
    const std::size_t end =
        s + 1 == tracked.segments.size() ? series.values.size() : tracked.segments[s + 1];
    const Values values = Values(series.values).subspan(first, end - first);
    for (const ChangePoint& point : points_of(tracked.metric, values, max_p)) {
      if (auto change = change_at(tracked, first, values, point)) {
        tracked.changes.push_back(std::move(*change));
      }
    }
    tracked.too_short =
        !tracked.metric.exact && values.size() < 2 * rules_.change_points.min_segment;
  }
}

std::vector<ChangePoint> Tracker::points_of(const Metric& metric, Values values,
                                            double max_p) const {
  ChangePointRules rules = rules_.change_points;
  rules.max_p = max_p;
  rules.relative_step = rules_.rules.threshold;
  rules.absolute_step = metric.is_ns ? rules_.rules.floor_ns : 0;
  auto points =
      metric.exact ? find_exact_changes(values, rules.window) : find_change_points(values, rules);
  return points ? std::move(*points) : std::vector<ChangePoint>();  // A history is finite.
}

std::optional<LevelChange> Tracker::change_at(const TrackedSeries& tracked, std::size_t offset,
                                              Values values, const ChangePoint& point) {
  const Values before = values.subspan(point.first, point.index - point.first);
  const Values after = values.subspan(point.index, point.end - point.index);
  const std::size_t place = offset + point.index;
  LevelChange change{.run = tracked.series->runs[place], .place = place};
  change.is_news = runs_.is_new[change.run];
  Row& row = change.row;
  row.name = tracked.series->benchmark;
  row.metric = tracked.metric;
  row.old_n = before.size();
  row.new_n = after.size();
  row.old_median = *median(before);
  row.new_median = *median(after);
  row.p = point.p;
  row.as_ratio = std::ranges::min(before) > 0 && std::ranges::min(after) > 0;
  row.estimate = row.as_ratio ? row.new_median / row.old_median : row.new_median - row.old_median;
  if (tracked.metric.exact) {
    const bool worse = (row.new_median > row.old_median) != tracked.metric.higher_is_better;
    row.change = worse ? Change::kRegression : Change::kImprovement;
    return change;
  }
  const double floor = tracked.metric.is_ns ? rules_.rules.floor_ns : 0;
  row.noise_floor = row.as_ratio
                        ? std::max(rules_.rules.threshold, floor / row.old_median)
                        : std::max(rules_.rules.threshold * std::abs(row.old_median), floor);
  row.interval =
      row.as_ratio ? bootstrap_.ratio(before, after) : bootstrap_.difference(before, after);
  if (!row.interval) return std::nullopt;
  const double origin = row.as_ratio ? 1 : 0;
  row.change = judge({.lo = row.interval->lo - origin, .hi = row.interval->hi - origin},
                     row.noise_floor, point.p, 1, tracked.metric.higher_is_better);
  if (row.change == Change::kSame || row.change == Change::kInconclusive) return std::nullopt;
  return change;
}

std::string run_text(const TrackedRun& run) {
  std::string text = fmt::format("line {} ({}", run.line, run.date);
  if (!run.commit.empty()) text += fmt::format(", commit {}", run.commit);
  if (!run.label.empty()) text += fmt::format(", label {}", run.label);
  return text + ")";
}

std::string name_of(const TrackedSeries& tracked) {
  std::string name = tracked.series->benchmark;
  if (tracked.metric.name != "net_ns") name += fmt::format(" [{}]", tracked.metric.name);
  if (!tracked.series->label.empty()) name += fmt::format(" ({})", tracked.series->label);
  return name;
}

// The changes that `wanted` takes, each below the name of its series.
template <class Wanted>
std::string changes_text(const History& history, const TrackAnalysis& analysis, Wanted wanted) {
  std::string text;
  for (const TrackedSeries& tracked : analysis.series) {
    bool named = false;
    for (const LevelChange& change : tracked.changes) {
      if (!wanted(change)) continue;
      if (!std::exchange(named, true)) text += name_of(tracked) + "\n";
      text += fmt::format("  {}\n", to_text(change, history));
    }
  }
  return text;
}

std::string too_short_text(const TrackAnalysis& analysis) {
  const auto too_short =
      std::ranges::count(analysis.series, true, [](const TrackedSeries& t) { return t.too_short; });
  if (too_short == 0) return {};
  return fmt::format(
      "{} of {} series have too few runs in the newest environment to show a change; {} are "
      "needed\n",
      too_short, analysis.series.size(), 2 * analysis.rules.change_points.min_segment);
}

std::string breaks_text(const History& history, const TrackAnalysis& analysis) {
  constexpr std::size_t kShownFields = 3;
  std::string text;
  for (const Break& at : analysis.breaks) {
    text += fmt::format("break at {}\n", run_text(history.runs[at.run]));
    for (std::size_t i = 0; i < at.differences.size() && i < kShownFields; ++i) {
      text += fmt::format("  {}\n", to_text(at.differences[i]));
    }
    if (at.differences.size() > kShownFields) {
      text += fmt::format("  and {} more fields\n", at.differences.size() - kShownFields);
    }
  }
  return text;
}

std::string levels_text(const TrackAnalysis& analysis) {
  std::string text = fmt::format("{:<60}{:>6}{:>12}{:>24}\n", "series", "runs", "newest level",
                                 "range of that level");
  for (const TrackedSeries& tracked : analysis.series) {
    const std::size_t last_change = tracked.changes.empty() ? 0 : tracked.changes.back().place;
    const std::size_t first = std::max(tracked.segments.back(), last_change);
    const Values level = Values(tracked.series->values).subspan(first);
    const std::string name = name_of(tracked);
    if (name.size() >= 60) text += name + "\n";
    text += fmt::format("{:<60}{:>6}{:>12}{:>24}\n", name.size() < 60 ? name : "", level.size(),
                        shown_number(*median(level)),
                        fmt::format("{} .. {}", shown_number(std::ranges::min(level)),
                                    shown_number(std::ranges::max(level))));
  }
  return text;
}

}  // namespace

std::size_t TrackAnalysis::news(Change change) const {
  std::size_t count = 0;
  for (const TrackedSeries& tracked : series) {
    count +=
        static_cast<std::size_t>(std::ranges::count_if(tracked.changes, [&](const LevelChange& c) {
          return c.is_news && c.row.change == change;
        }));
  }
  return count;
}

TrackAnalysis analyse_history(const History& history, const std::vector<Metric>& metrics,
                              const TrackRules& rules) {
  TrackAnalysis analysis{.rules = rules};
  for (const Series& series : history.series) {
    const auto metric = std::ranges::find(metrics, series.metric, &Metric::name);
    if (metric != metrics.end()) {
      analysis.series.push_back({.series = &series, .metric = *metric});
    }
  }
  Tracker tracker(history, rules);
  analysis.breaks = find_breaks(history, tracker.runs());
  const auto choices = static_cast<double>(analysis.series.size() * rules.change_points.window);
  const double max_p = std::min(rules.change_points.max_p, rules.rules.alpha / choices);
  for (TrackedSeries& tracked : analysis.series) tracker.analyse(tracked, max_p);
  return analysis;
}

std::string to_text(const LevelChange& change, const History& history) {
  const Row& row = change.row;
  std::string step = fmt::format("{} -> {}{}", shown_number(row.old_median),
                                 shown_number(row.new_median), row.metric.is_ns ? " ns" : "");
  if (row.interval) {
    const double origin = row.as_ratio ? 1 : 0;
    const auto signed_amount = [&](double value) {
      return fmt::format("{}{}", value < origin ? "" : "+", shown_amount(row, value - origin));
    };
    step += fmt::format(", {} (95 %: {} .. {})", signed_amount(row.estimate),
                        signed_amount(row.interval->lo), signed_amount(row.interval->hi));
  }
  return fmt::format("{} from {}: {}, n {}/{}", change_name(row.change),
                     run_text(history.runs[change.run]), step, row.old_n, row.new_n);
}

std::string track_table(const History& history, const TrackAnalysis& analysis) {
  std::string text = fmt::format("{}: {} runs", history.path, history.runs.size());
  if (history.runs.empty()) return text + "\n";
  text += fmt::format(", {} .. {}; {} series\n\n", history.runs.front().date,
                      history.runs.back().date, analysis.series.size());
  text += breaks_text(history, analysis);
  text += changes_text(history, analysis, [](const LevelChange&) { return true; });
  if (!text.ends_with("\n\n")) text += "\n";
  return text + levels_text(analysis) + too_short_text(analysis);
}

std::string track_news(const History& history, const TrackAnalysis& analysis) {
  return changes_text(history, analysis, [](const LevelChange& c) { return c.is_news; }) +
         too_short_text(analysis) +
         fmt::format(
             "{}: {} runs, {} series, {} breaks; among the newest {} runs: {} regressions, "
             "{} improvements\n",
             history.path, history.runs.size(), analysis.series.size(), analysis.breaks.size(),
             analysis.rules.newest, analysis.news(Change::kRegression),
             analysis.news(Change::kImprovement));
}

}  // namespace bpfmark
