// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ci/judge/change_points.h"
#include "ci/judge/compare.h"
#include "ci/judge/history.h"

// When did it get slower? Pure functions over a history that has been read.
namespace bpfmark {

struct TrackRules {
  Rules rules;  // noise floor and significance level, as for a comparison
  ChangePointRules change_points;
  std::size_t newest = 10;  // a change among so many last runs of its label is news
};

// The environment changed between two runs of one label, so no level is compared across.
struct Break {
  std::size_t run;  // the first one in the new environment
  std::vector<Difference> differences;
};

// A change of level. `row.old_*` describe the runs before (up to the rules' window of them), `row.
// new_*` those from the first run on.
struct LevelChange {
  std::size_t run = 0;    // the first one of the new level
  std::size_t place = 0;  // of that run in the series
  bool is_news = false;
  Row row;
};

struct TrackedSeries {
  const Series* series = nullptr;  // in the history
  Metric metric;
  std::vector<std::size_t> segments;  // places of the first runs of environments, from 0
  std::vector<LevelChange> changes;
  bool too_short = false;  // the newest segment has fewer runs than two levels need
};

struct TrackAnalysis {
  TrackRules rules;
  std::vector<Break> breaks;  // ascending
  std::vector<TrackedSeries> series;

  // Changes among the newest runs, of one kind.
  std::size_t news(Change change) const;
};

// Looks for changes in every series of the metrics, within each environment by itself. A point
// counts as a change if p of the t-test is below the smaller of the rules' max_p and alpha divided
// by series and by places in a window (Bonferroni: the best of all splits was chosen), and the
// whole 95 % interval of the step between the medians is beyond the noise floor. The series of the
// result point into `history`.
TrackAnalysis analyse_history(const History& history, const std::vector<Metric>& metrics,
                              const TrackRules& rules);

// The history, its breaks, changes and newest levels, as text that ends in a newline.
std::string track_table(const History& history, const TrackAnalysis& analysis);

// What happened among the newest runs.
std::string track_news(const History& history, const TrackAnalysis& analysis);

// "regression from run 31 (2026-01-31, commit abc): 29.17 -> 31.02 ns, +6.3 % (+5.9 .. +6.8, n
// 30/12)"
std::string to_text(const LevelChange& change, const History& history);

}  // namespace bpfmark
