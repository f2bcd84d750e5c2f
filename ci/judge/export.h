// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ci/judge/result_parser.h"
#include "harness/result.h"

namespace bpfmark {

struct ExportInput {
  std::vector<Launch> launches;     // with rows; at least one
  std::string trial_clock;          // whose trials a format of trials takes: "caller" or "kernel"
  std::vector<std::string> forced;  // what only --force let through
};

// One form that results can be given. `render` is pure; its errors are kWrongResult, where there is
// nothing to export or it has no form there.
struct ExportFormat {
  std::string_view name, description;
  bool several = false;      // takes more than one result
  bool for_tracker = false;  // takes one value a case, and so leaves some out
  Result<std::string> (*render)(const ExportInput& input) = nullptr;
};

// All of them, in the order of the documentation.
std::span<const ExportFormat> export_formats();

// One function a format. What a reader must not take for a measurement (skips, failures,
// aggregates, nets that are not resolved) is no number in any of them.
Result<std::string> export_benchfmt(const ExportInput& input);
Result<std::string> export_github_action(const ExportInput& input);
Result<std::string> export_bencher(const ExportInput& input);
Result<std::string> export_otava(const ExportInput& input);
Result<std::string> export_openmetrics(const ExportInput& input);
Result<std::string> export_markdown(const ExportInput& input);
Result<std::string> export_junit(const ExportInput& input);
Result<std::string> export_github_annotations(const ExportInput& input);
Result<std::string> export_csv(const ExportInput& input);
Result<std::string> export_syscall_csv(const ExportInput& input);
Result<std::string> export_syscall_stats(const ExportInput& input);
Result<std::string> export_hdr(const ExportInput& input);

}  // namespace bpfmark
