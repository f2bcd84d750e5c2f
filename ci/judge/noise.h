// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ci/judge/result_file.h"
#include "ci/judge/significance.h"
#include "harness/result.h"

// What a difference is worth nothing below: noise that was seen on identical code.
namespace bpfmark {

// The largest change of the median that two samples of the same thing allow: the end farther from
// no change of the 95 % interval of median(again) / median(first) - 1, or of the difference.
// Nothing below two values a side, or for a ratio of values that are not above zero.
std::optional<double> largest_change(MedianBootstrap& bootstrap, Values first, Values again,
                                     bool as_ratio);

// What one launch of a metric's clock cannot tell apart, in ns an operation: the resolution of the
// clock, spread over the operations of a batch. Quantiles and extremes are read off single events:
// there it is the resolution itself. Nothing where the result does not say.
std::optional<double> clock_resolution_ns(const Identity& identity,
                                          const BenchmarkSamples& benchmark,
                                          std::string_view metric);

// Metrics that clock_resolution_ns() looks at; they must have been read.
inline constexpr const char* kResolutionMetrics[] = {"batch_ns", "real_time"};

// |median(A') - median(A)| of one row, in the unit of its metric.
struct NoiseRecord {
  std::string name;
  std::string metric;
  double difference = 0;
};

// A/A' of earlier runs: a file of JSON lines, one a run, that is only appended to. Only runs on the
// same kind of machine and kernel count, and of those the last kNoiseRuns.
inline constexpr std::size_t kNoiseRuns = 20;

class NoiseHistory {
 public:
  // A file that is not there is an empty history. Errors: kSystem, and kWrongResult naming file and
  // line of what is no record, so that a run does not find out when it is over.
  static Result<NoiseHistory> read(const std::string& path, const std::string& machine);

  // The largest difference that those runs saw, or nothing.
  std::optional<double> largest(const std::string& name, const std::string& metric) const;

  std::size_t runs() const { return runs_.size(); }

 private:
  using Run = std::map<std::pair<std::string, std::string>, double>;
  std::vector<Run> runs_;
};

// One run as a line, with one write. Errors: kSystem.
Result<void> append_noise(const std::string& path, const std::string& machine,
                          const std::vector<NoiseRecord>& records);

// What the runs of one history must have in common: CPU, hypervisor, kernel release.
std::string machine_key(const Identity& identity);

}  // namespace bpfmark
