// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <algorithm>

#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"
#include "harness/csv.h"

namespace bpfmark {

Result<std::string> export_csv(const ExportInput& input) {
  std::vector<std::string> columns;
  for (const Launch& launch : input.launches) {
    for (const ResultRow& row : launch.rows) {
      for (const auto& [metric, value] : row.metrics) {
        // The format of the file demands it; it is real_time once more.
        if (metric != "cpu_time" && std::ranges::find(columns, metric) == columns.end()) {
          columns.push_back(metric);
        }
      }
    }
  }
  std::string text = "file,label,name,repetition,iterations,verdict";
  for (const std::string& column : columns) {
    text += fmt::format(",{}", csv_cell(column == "real_time" ? "raw_ns" : column));
  }
  text += "\n";
  for (const Launch& launch : input.launches) {
    const std::string label = csv_cell(identity_field(launch, "label"));
    for (const ResultRow& row : launch.rows) {
      text +=
          fmt::format("{},{},{},{:.0f},{:.0f},{}", csv_cell(launch.path), label, csv_cell(row.name),
                      row.repetition, row.iterations, csv_cell(row.details.verdict));
      for (const std::string& column : columns) {
        const auto value = row.metrics.find(column);
        text += value == row.metrics.end() ? "," : fmt::format(",{}", value->second);
      }
      text += "\n";
    }
  }
  return text;
}

}  // namespace bpfmark
