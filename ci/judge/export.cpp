// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/export.h"

#include <array>

namespace bpfmark {
namespace {

constexpr std::array kFormats = {
    ExportFormat{.name = "benchfmt",
                 .description = "Go's benchmark format, for benchstat",
                 .several = true,
                 .render = export_benchfmt},
    ExportFormat{.name = "github-action",
                 .description = "customSmallerIsBetter of github-action-benchmark",
                 .for_tracker = true,
                 .render = export_github_action},
    ExportFormat{.name = "bencher",
                 .description = "Bencher Metric Format",
                 .for_tracker = true,
                 .render = export_bencher},
    ExportFormat{.name = "otava",
                 .description = "CSV for Apache Otava, one row a result",
                 .several = true,
                 .for_tracker = true,
                 .render = export_otava},
    ExportFormat{.name = "openmetrics",
                 .description = "for the textfile collector of node_exporter",
                 .for_tracker = true,
                 .render = export_openmetrics},
    ExportFormat{.name = "markdown", .description = "summary of a job", .render = export_markdown},
    ExportFormat{.name = "junit", .description = "one testcase a case", .render = export_junit},
    ExportFormat{.name = "github-annotations",
                 .description = "failures and skips as workflow commands",
                 .render = export_github_annotations},
    ExportFormat{.name = "csv",
                 .description = "every number of every repetition",
                 .several = true,
                 .render = export_csv},
    ExportFormat{.name = "syscall-csv",
                 .description = "trials of system calls: label,syscall,trial,filter,avg_ns,...",
                 .several = true,
                 .render = export_syscall_csv},
    ExportFormat{.name = "syscall-stats",
                 .description = "the same, mean and deviation over the trials",
                 .several = true,
                 .render = export_syscall_stats},
    ExportFormat{.name = "hdr",
                 .description = "HdrHistogram V2 log, one interval a histogram",
                 .several = true,
                 .render = export_hdr}};

}  // namespace

std::span<const ExportFormat> export_formats() { return kFormats; }

}  // namespace bpfmark
