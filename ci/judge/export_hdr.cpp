// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"
#include "ci/judge/hdr_histogram.h"

namespace bpfmark {
namespace {

constexpr double kNsPerMs = 1e6;

// To the resolution of a bucket.
double max_ms(const Distribution& histogram) {
  return histogram.buckets.empty() ? 0 : (histogram.buckets.back().upper_ns - 1) / kNsPerMs;
}

// A tag ends at the first comma.
std::string tag(const ResultRow& row, const Distribution& histogram, bool several) {
  const std::string name = without(fmt::format("{}:{}", row.name, histogram.name), ",");
  return several ? fmt::format("{}#{:.0f}", name, row.repetition + 1) : name;
}

}  // namespace

// Times of single intervals are not known: all begin with the run and have no length. The maximum
// is in ms, as the format has it, the values are in ns.
Result<std::string> export_hdr(const ExportInput& input) {
  std::string text = "#[Histogram log format version 1.3]\n";
  std::size_t histograms = 0;
  for (const Launch& launch : input.launches) {
    const double start_s = run_time_s(launch).value_or(0);
    if (&launch == &input.launches.front()) {
      text += fmt::format(
          "#[StartTime: {:.3f} (seconds since epoch), {}]\n"
          "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_"
          "Histogram\"\n",
          start_s, without(stock_field(launch, "date"), ""));
    }
    for (const auto& rows : rows_by_case(launch)) {
      for (const ResultRow* row : rows) {
        for (const Distribution& histogram : row->details.distributions) {
          const Result<std::string> encoded = hdr_encoded(histogram);
          if (!encoded) {
            return wrong_result(
                fmt::format("{}: {}: {}", launch.path, row->name, encoded.error().what));
          }
          text +=
              fmt::format("Tag={},{:.3f},0.000,{:.6f},{}\n", tag(*row, histogram, rows.size() > 1),
                          start_s, max_ms(histogram), *encoded);
          ++histograms;
        }
      }
    }
  }
  if (histograms == 0) {
    return wrong_result(fmt::format("{}: no case has a histogram", input.launches.front().path));
  }
  return text;
}

}  // namespace bpfmark
