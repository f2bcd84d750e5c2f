// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/report_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "ci/judge/compare_command.h"
#include "ci/judge/report_page.h"
#include "ci/judge/shown_text.h"
#include "harness/output_file.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(One page that needs no network and no scripts: summary, grade of the environment, tables, ladders,
latency, and with --compare and --history the comparison and the changes over time. With scripts on,
tables sort and filter, and plots can be zoomed. Several RESULTs are launches of one thing.

Examples:
  bench report results/run.json -o report.html
  bench report results/branch/ --compare results/main/ -o report.html
  bench report results/run.json --history history.jsonl -o report.html

Exit status: 0 the report was written; 2 bad input, wrong usage, or a report that could not be written.)";

int complain(std::ostream& err, const std::string& text) {
  err << complaint_line("report", text);
  return kExitUsage;
}

Result<ReportContent> gather(const ReportOptions& options) {
  std::vector<Metric> metrics;
  ReadOptions read{.metrics = report_metrics(), .force = options.force, .details = true};
  for (const std::string& text : options.metrics) {
    const Result<Metric> metric = metric_from(text);
    if (!metric) return std::unexpected(metric.error());
    if (std::ranges::find(metrics, metric->name, &Metric::name) != metrics.end()) continue;
    metrics.push_back(*metric);
    if (std::ranges::find(read.metrics, metric->name) == read.metrics.end()) {
      read.metrics.push_back(metric->name);
    }
  }
  ReportContent content;
  Result<ResultSet> result = read_results(options.results, read);
  if (!result) return std::unexpected(result.error());
  content.result = std::move(*result);
  if (!options.compare.empty()) {
    read.details = false;
    const Result<ResultSet> old_side = read_results(options.compare, read);
    if (!old_side) return std::unexpected(old_side.error());
    Result<Comparison> comparison =
        compare_results(*old_side, content.result, metrics, options.rules, options.force);
    if (!comparison) return std::unexpected(comparison.error());
    content.comparison = std::move(*comparison);
  }
  if (!options.history.empty()) {
    std::vector<std::string> names;
    for (const Metric& metric : metrics) names.push_back(metric.name);
    Result<History> history = read_history(options.history, names);
    if (!history) return std::unexpected(history.error());
    content.history = std::move(*history);
    content.track = analyse_history(*content.history, metrics, {.rules = options.rules});
  }
  return content;
}

bool is_input(const ReportOptions& options, const ReportContent& content) {
  std::vector<std::string> inputs = content.result.files;
  inputs.push_back(options.history);
  inputs.push_back(options.compare);
  return std::ranges::any_of(inputs, [&](const std::string& input) {
    std::error_code ignored;
    return std::filesystem::equivalent(input, options.out_path, ignored);
  });
}

}  // namespace

int run_report(const ReportOptions& options, std::ostream& out, std::ostream& err) {
  const Result<ReportContent> content = gather(options);
  if (!content) return complain(err, content.error().what);
  if (is_input(options, *content)) {
    return complain(err, fmt::format("-o {}: this is one of the inputs", options.out_path));
  }
  const std::string page = report_page(*content);
  if (const Result<void> written = write_whole_file(options.out_path, page); !written) {
    return complain(err, written.error().what);
  }
  out << fmt::format("{}: {} cases, {} skips, {} failures, {} KiB\n", options.out_path,
                     content->result.benchmarks.size(), content->result.skip_list.size(),
                     content->result.failures.size(), page.size() / 1024)
      << std::flush;
  return kExitOk;
}

Subcommand add_report_command(CLI::App& app) {
  const auto options = std::make_shared<ReportOptions>();
  CLI::App* const command = app.add_subcommand("report", "write a page about results");
  command->footer(kFooter);
  command->add_option("RESULT", options->results, "result files, or directories of launches")
      ->required();
  command->add_option("-o,--output", options->out_path, "write the page here, whole or not at all")
      ->type_name("FILE")
      ->required();
  command->add_option("--compare", options->compare, "compare with this older result")
      ->type_name("OLD");
  command->add_option("--history", options->history, "show the history of `bench track`")
      ->type_name("FILE");
  command
      ->add_option("--metric", options->metrics,
                   "what to compare and track; may be repeated (raw, net, p99 ...)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_threshold_options(command, options->rules);
  command->add_flag("--force", options->force,
                    "take what should not be judged; the report then says so");
  return {command, [options] { return run_report(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
