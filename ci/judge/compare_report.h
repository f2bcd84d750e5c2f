// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

#include "ci/judge/compare.h"

namespace bpfmark {

enum class ReportFormat { kTable, kMarkdown, kJson, kCsv, kJunit };

// Version of the JSON form; raised when a reader must change.
inline constexpr int kComparisonSchemaVersion = 1;

// Larger Markdown is cut, with a line that says so: GitHub drops a job summary above 1 MiB whole.
inline constexpr std::size_t kMaxMarkdownBytes = 1'000'000;

// The comparison as text that ends in a newline. The table is at most kTableColumns wide as long as
// no name and no reason is longer. `rules` decide whether a missing benchmark is a failure.
std::string render(const Comparison& comparison, ReportFormat format, const ExitRules& rules);

// "12 rows: 1 regression, 0 improvements, 10 same, 1 inconclusive; 0 missing; 2 without a number"
std::string summary_line(const Comparison& comparison);

// An amount of change: a fraction in percent, a difference in the unit of the metric.
std::string shown_amount(const Row& row, double value);

// Name as it is shown: with the metric where it is no net cost, and with both values of the key in
// a column comparison: "map_lookup/type:hash|array/access:hit [p99_ns]".
std::string shown_name(const Row& row);

// The word for the verdict: in a column comparison nothing has changed, something is slower.
std::string shown_change(const Row& row);

}  // namespace bpfmark
