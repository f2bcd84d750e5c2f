// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ci/judge/comparability.h"
#include "ci/judge/noise.h"
#include "ci/judge/result_file.h"
#include "ci/judge/significance.h"
#include "harness/result.h"

// Did it get slower, and am I sure? Pure functions over two sides that have been read.
namespace bpfmark {

// Exit status beside those of harness/commands.h: nothing got worse, but something is undecided.
inline constexpr int kExitInconclusive = 3;

// Below this the rank test cannot reach p = 0.05 whatever the samples are.
inline constexpr std::size_t kMinLaunches = 4;

struct Metric {
  std::string name;  // as in the result file
  bool higher_is_better = false;
  bool exact = false;  // noise does not touch it: any difference counts, without statistics
  bool is_ns = false;
};

// The metric that a user calls `text`: its name, "raw" for real_time, or "net", "p99" ... without
// the unit. Direction comes from the unit: _ns lower, _per_s and _per_second higher; drops and lost
// lower; insns_xlated and jited_bytes are exact. A name that says nothing about it is an Error.
Result<Metric> metric_from(const std::string& text);

struct Rules {
  double threshold = 0.02;  // changes up to this fraction are of no interest
  double floor_ns = 0.5;    // nor are changes of a time up to this
  double alpha = 0.05;      // over all rows together
};

// Noise of single rows that was seen on identical code. Not owned; either may be absent.
struct NoiseEvidence {
  const ResultSet* first = nullptr;  // A and A', of which OLD consists
  const ResultSet* again = nullptr;
  const NoiseHistory* history = nullptr;
};

enum class Change { kRegression, kImprovement, kSame, kInconclusive };

const char* change_name(Change change);

// What one fresh set of launches said about a regression.
struct Confirmation {
  bool agrees = false;
  double estimate = 0;
  std::optional<Interval> interval;
  Change change = Change::kInconclusive;
};

// One benchmark and metric.
struct Row {
  std::string name;
  std::string old_label, new_label;  // of a column comparison: the values of the key
  Metric metric;
  std::size_t old_n = 0, new_n = 0;
  double old_median = 0, new_median = 0;
  // Ratios need samples above zero. Where one is not, as in a net that is within its own error,
  // differences in the unit of the metric are judged instead.
  bool as_ratio = true;
  double estimate = 0;               // new over old median, or new minus old
  std::optional<Interval> interval;  // 95 %, of the estimate; absent below kMinLaunches
  std::optional<double> p;           // of the rank test; absent as above
  std::optional<double> p_holm;
  std::optional<double> cliffs_delta;
  double noise_floor = 0;  // what is not worth a verdict: a fraction, or in the unit of the metric
  std::string noise_source;  // which part of the floor is the largest: "threshold", "A/A'" ...
  std::optional<double> noise_aa;  // the part that is A against A', as noise_floor
  Change change = Change::kInconclusive;
  std::optional<Confirmation> confirmation;
  std::string reason;                // why inconclusive
  std::optional<double> detectable;  // where inconclusive, as noise_floor: a change that would show
};

// A benchmark, or one metric of it, that cannot be judged because one side has no number.
struct MissingRow {
  std::string name;  // with the metric, unless the whole benchmark is missing
  std::string side;  // "OLD" or "NEW"; the value of the key in a column comparison
  std::string reason;
  bool failed_in_new = false;  // never excused
};

struct Side {
  std::string path;
  std::size_t launches = 0;
  Identity identity;
};

struct Comparison {
  Side old_side, new_side;
  Rules rules;
  std::string column_key;  // of a column comparison, which has one input on both sides
  std::vector<std::string> forced;
  std::vector<Difference> notable;
  std::vector<Row> rows;
  std::vector<MissingRow> missing;
  std::vector<Absence> unmeasured;  // no number on either side: skips and failures

  std::size_t count(Change change) const;
  bool is_column_comparison() const { return !column_key.empty(); }
};

// `change_interval` is that of new / old - 1 or of new - old, in the unit of `noise_floor`.
// Regression: the whole interval is worse than the noise floor, and p < alpha. Improvement: the
// mirror image. Same: the whole interval is within the floor. Otherwise inconclusive.
Change judge(Interval change_interval, double noise_floor, double p, double alpha,
             bool higher_is_better);

// Judges what both sides have. `evidence` raises the noise floor of the rows it knows. Errors
// (kWrongResult): identities that forbid it, unless forced, and no row at all.
Result<Comparison> compare_results(const ResultSet& old_side, const ResultSet& new_side,
                                   const std::vector<Metric>& metrics, const Rules& rules,
                                   bool force, const NoiseEvidence& evidence = {});

// Puts what a fresh set of launches says beside each regression that it judged as well. One that it
// does not call a regression is inconclusive from then on. A benchmark that failed in NEW only the
// second time is a failure like one of the first.
void confirm(Comparison& comparison, const Comparison& fresh);

// Makes NEW worse by that factor in all metrics that are not exact: to prove that a gate is live.
void inject(ResultSet& new_side, const std::vector<Metric>& metrics, double factor);

// |A' - A| of every row that both have, for the history of noise.
std::vector<NoiseRecord> noise_records(const ResultSet& first, const ResultSet& again,
                                       const std::vector<Metric>& metrics);

// Judges the values of one name key of one side ("type" in map_lookup/type:hash/access:hit) against
// the first one of otherwise equal names. Errors (kWrongResult): no name with two values of that
// key.
Result<Comparison> compare_columns(const ResultSet& side, const std::string& key,
                                   const std::vector<Metric>& metrics, const Rules& rules);

struct ExitRules {
  bool allow_missing = false;
  bool strict = false;
};

// 0 no regression; 1 a regression, or a benchmark that one side lacks; 3 with `strict`: something
// was inconclusive. In a column comparison nothing is a regression and nothing is missing.
int exit_status(const Comparison& comparison, const ExitRules& rules);

}  // namespace bpfmark
