// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/export_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "ci/judge/comparability.h"
#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"
#include "ci/judge/shown_text.h"
#include "harness/output_file.h"

namespace bpfmark {
namespace {

std::string footer() {
  std::string text = "Formats:\n";
  for (const ExportFormat& format : export_formats()) {
    text += fmt::format("  {:<19} {}{}\n", format.name, format.description,
                        format.several ? "; takes several results" : "");
  }
  return text + R"(
A tracker's value is net_ns, the median over the repetitions, with its interval. A case of which a
repetition was disturbed or not resolved is left out, and so are skips: neither is a number.

Examples:
  bench export --format=benchfmt old.json > old.txt
  bench export --format=openmetrics run.json -o /var/lib/prometheus/node-exporter/bpfmark.prom
  bench export --format=syscall-csv vanilla.json falco.json -o summary.csv

Exit status: 0 written; 2 bad input, wrong usage, nothing to export, or the file was not written.)";
}

int complain(std::ostream& err, const std::string& text) {
  err << complaint_line("export", text);
  return kExitUsage;
}

const ExportFormat* find_format(const std::string& name) {
  const auto formats = export_formats();
  const auto found = std::ranges::find(formats, name, &ExportFormat::name);
  return found == formats.end() ? nullptr : &*found;
}

// Errors: those of read_rows(); what speaks against the numbers of a file, unless forced.
Result<ExportInput> read_input(const ExportOptions& options) {
  ExportInput input{.trial_clock = options.trial_clock};
  for (const std::string& path : options.inputs) {
    Result<Launch> launch = read_rows(path);
    if (!launch) return std::unexpected(launch.error());
    for (const std::string& defect : defects(launch->identity)) {
      std::string text = fmt::format("{}: {}", path, defect);
      if (!options.force) return wrong_result(text + " (--force takes it nevertheless)");
      input.forced.push_back(std::move(text));
    }
    input.launches.push_back(std::move(*launch));
  }
  return input;
}

// For a person: what no tracker was told, though it has a number in the file.
void print_left_out(const ExportInput& input, std::ostream& err) {
  for (const Launch& launch : input.launches) {
    const std::size_t left_out = exported_cases(launch).left_out.size();
    if (left_out + launch.skips.size() + launch.failures.size() == 0) continue;
    err << fmt::format("note: {}: {} not resolved or disturbed, {} skipped, {} failed\n",
                       launch.path, left_out, launch.skips.size(), launch.failures.size());
  }
  const std::vector<std::string> partial = common_cases(input.launches).partial;
  if (!partial.empty()) {
    err << fmt::format("note: left out, for not every result has them: {}, as '{}'\n",
                       partial.size(), partial.front());
  }
}

}  // namespace

int run_export(const ExportOptions& options, std::ostream& out, std::ostream& err) {
  const ExportFormat* const format = find_format(options.format);
  if (format == nullptr) return complain(err, fmt::format("no format '{}'", options.format));
  if (options.inputs.empty() || (options.inputs.size() > 1 && !format->several)) {
    return complain(
        err, fmt::format("--format={} takes {} ('bench export --help' explains)", options.format,
                         format->several ? "at least one result" : "one result"));
  }
  const Result<ExportInput> input = read_input(options);
  if (!input) return complain(err, input.error().what);
  const Result<std::string> text = format->render(*input);
  if (!text) return complain(err, text.error().what);
  if (options.out_path.empty()) {
    out << *text << std::flush;
    if (!out) return complain(err, "it could not be written to standard output");
  } else {
    std::error_code ignored;
    for (const std::string& path : options.inputs) {
      if (std::filesystem::equivalent(path, options.out_path, ignored)) {
        return complain(err, fmt::format("-o {}: this is one of the inputs", options.out_path));
      }
    }
    if (const Result<void> written = write_whole_file(options.out_path, *text); !written) {
      return complain(err, written.error().what);
    }
  }
  if (format->for_tracker) print_left_out(*input, err);
  return kExitOk;
}

Subcommand add_export_command(CLI::App& app) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* const command =
      app.add_subcommand("export", "give results to other programs, in their formats");
  command->footer(footer());
  std::vector<std::string> names;
  for (const ExportFormat& format : export_formats()) names.emplace_back(format.name);
  command->add_option("RESULT", options->inputs, "result files")->required();
  command->add_option("--format", options->format, "see below")
      ->required()
      ->check(CLI::IsMember(names).description(""))
      ->type_name("NAME");
  command->add_option("--clock", options->trial_clock, "whose trials syscall-* export")
      ->check(CLI::IsMember({"caller", "kernel"}).description(""))
      ->type_name("caller|kernel")
      ->capture_default_str();
  command->add_flag("--force", options->force,
                    "export a dry run, a debug build or an incomplete run nevertheless");
  command
      ->add_option("-o,--output", options->out_path,
                   "write here, whole or not at all, instead of to standard output")
      ->type_name("FILE");
  return {command, [options] { return run_export(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
