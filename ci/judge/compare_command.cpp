// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "ci/judge/baseline.h"
#include "ci/judge/result_file.h"
#include "harness/commands.h"
#include "harness/output_file.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(Every result file is one launch, and one launch is one sample. A directory holds the launches of
one side; 10 launches a side, taken in turn (A B B A), decide about a whole suite.

Verdicts: regression, improvement: the 95 % bootstrap interval of the ratio of medians lies beyond
the noise floor, and p of the exact Mann-Whitney test, Holm-corrected over all rows, is below alpha.
same: the interval lies within the floor. inconclusive: neither, with the change that would show.
The floor is the larger of --threshold and --floor-ns; the resolution of the clock is far below
both, because a batch spreads it over thousands of operations.

Examples:
  bench compare old.json new.json
  bench compare results/main results/branch --format=markdown -o summary.md
  bench compare results/main results/branch --metric=net --metric=jited_bytes --strict
  bench compare results/main --col=type
  bench compare --save-baseline=main results/main
  bench compare --baseline=main results/branch

Exit status: 0 no regression; 1 a regression, or a benchmark that one side lacks; 2 bad input, wrong
usage, or inputs that cannot be compared; 3 something is inconclusive (only with --strict).)";

const std::map<std::string, ReportFormat> kFormats = {{"table", ReportFormat::kTable},
                                                      {"markdown", ReportFormat::kMarkdown},
                                                      {"json", ReportFormat::kJson},
                                                      {"csv", ReportFormat::kCsv},
                                                      {"junit", ReportFormat::kJunit}};

// "2%", "2 %" or "0.02".
std::optional<double> parse_fraction(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (text == "%" || text == " %") {
    value /= 100;
  } else if (!text.empty()) {
    return std::nullopt;
  }
  if (!(value >= 0 && value < 1)) return std::nullopt;
  return value;
}

int complain(std::ostream& err, const std::string& text) {
  err << fmt::format("bench compare: {}\n", text);
  return kExitUsage;
}

// What is wrong with the combination of inputs and options, or nothing.
std::string usage_complaint(const CompareOptions& options) {
  const int modes =
      !options.column_key.empty() + !options.baseline.empty() + !options.save_baseline.empty();
  if (modes > 1) return "--col, --baseline and --save-baseline exclude each other";
  const std::size_t expected = modes == 1 ? 1 : 2;
  if (options.inputs.size() != expected) {
    return fmt::format("expected {}, got {} input{}",
                       expected == 2 ? "two inputs, OLD and NEW" : "one input",
                       options.inputs.size(), options.inputs.size() == 1 ? "" : "s");
  }
  return "";
}

// All sides at the same time: reading takes most of the time.
Result<std::vector<ResultSet>> read_sides(const std::vector<std::string>& paths,
                                          const ReadOptions& options) {
  std::vector<std::future<Result<ResultSet>>> readers;
  for (const std::string& path : paths) {
    readers.push_back(
        std::async(std::launch::async, [&path, &options] { return read_results(path, options); }));
  }
  std::vector<Result<ResultSet>> read;
  for (auto& reader : readers) read.push_back(reader.get());
  std::vector<ResultSet> sides;
  for (Result<ResultSet>& side : read) {
    if (!side) return std::unexpected(side.error());
    sides.push_back(std::move(*side));
  }
  return sides;
}

Result<Comparison> compare(const CompareOptions& options, const std::vector<Metric>& metrics,
                           const std::vector<ResultSet>& sides) {
  if (!options.column_key.empty()) {
    return compare_columns(sides[0], options.column_key, metrics, options.rules);
  }
  return compare_results(sides[0], sides[1], metrics, options.rules, options.force);
}

bool is_input(const std::vector<ResultSet>& sides, const std::string& path) {
  std::error_code ignored;
  return std::ranges::any_of(sides, [&](const ResultSet& side) {
    return std::ranges::any_of(side.files, [&](const std::string& file) {
      return std::filesystem::equivalent(file, path, ignored);
    });
  });
}

// With a file the terminal gets the table, so that a log says what the file says.
Result<void> deliver(const Comparison& comparison, const CompareOptions& options,
                     std::ostream& out) {
  const ReportFormat format = options.format.value_or(ReportFormat::kTable);
  if (!options.out_path.empty()) {
    const std::string report = render(comparison, format, options.exit_rules);
    if (Result<void> written = write_whole_file(options.out_path, report); !written) return written;
  }
  const ReportFormat shown = options.out_path.empty() ? format : ReportFormat::kTable;
  out << render(comparison, shown, options.exit_rules) << std::flush;
  if (!out) return wrong_result("the report could not be written to standard output");
  return {};
}

}  // namespace

int run_compare(const CompareOptions& options, std::ostream& out, std::ostream& err) {
  if (const std::string complaint = usage_complaint(options); !complaint.empty()) {
    return complain(err, complaint + " ('bench compare --help' explains)");
  }
  std::vector<Metric> metrics;
  ReadOptions read{.force = options.force};
  for (const std::string& text : options.metrics) {
    const Result<Metric> metric = metric_from(text);
    if (!metric) return complain(err, metric.error().what);
    if (std::ranges::find(read.metrics, metric->name) != read.metrics.end()) continue;
    metrics.push_back(*metric);
    read.metrics.push_back(metric->name);
  }
  std::vector<std::string> paths = options.inputs;
  if (!options.baseline.empty()) {
    const Result<std::string> directory = baseline_directory(options.baseline);
    if (!directory) return complain(err, directory.error().what);
    paths.insert(paths.begin(), *directory);
  }
  const Result<std::vector<ResultSet>> sides = read_sides(paths, read);
  if (!sides) return complain(err, sides.error().what);
  if (!options.save_baseline.empty()) {
    const ResultSet& side = sides->front();
    if (const Result<void> saved = save_baseline(options.save_baseline, side.files); !saved) {
      return complain(err, saved.error().what);
    }
    out << fmt::format("baseline '{}': {} launch{}\n", options.save_baseline, side.files.size(),
                       side.files.size() == 1 ? "" : "es");
    return kExitOk;
  }
  if (!options.out_path.empty() && is_input(*sides, options.out_path)) {
    return complain(err, fmt::format("-o {}: this is one of the inputs", options.out_path));
  }
  const Result<Comparison> comparison = compare(options, metrics, *sides);
  if (!comparison) return complain(err, comparison.error().what);
  if (const Result<void> delivered = deliver(*comparison, options, out); !delivered) {
    return complain(err, delivered.error().what);
  }
  return exit_status(*comparison, options.exit_rules);
}

void add_threshold_options(CLI::App* command, Rules& rules) {
  command
      ->add_option_function<std::string>(
          "--threshold",
          [&rules](const std::string& text) {
            const auto fraction = parse_fraction(text);
            if (!fraction) throw CLI::ValidationError("--threshold", "expected 0.02 or 2%");
            rules.threshold = *fraction;
          },
          "changes up to this are of no interest (default 2%)")
      ->type_name("FRACTION");
  command->add_option("--floor-ns", rules.floor_ns, "nor are changes of a time up to this")
      ->check(CLI::NonNegativeNumber)
      ->type_name("NS")
      ->capture_default_str();
  command->add_option("--alpha", rules.alpha, "significance level over all rows together")
      ->check(CLI::Range(1e-9, 0.5))
      ->type_name("P")
      ->capture_default_str();
}

Subcommand add_compare_command(CLI::App& app) {
  const auto options = std::make_shared<CompareOptions>();
  CLI::App* const command =
      app.add_subcommand("compare", "judge result files: what got slower, and is that certain?");
  command->footer(kFooter);
  command->add_option("RESULT", options->inputs,
                      "OLD and NEW: result files, or directories of them");
  command
      ->add_option("--col", options->column_key,
                   "compare the values of this name key in one result")
      ->type_name("KEY");
  command->add_option("--baseline", options->baseline, "take the result of that name as OLD")
      ->type_name("NAME");
  command
      ->add_option("--save-baseline", options->save_baseline,
                   "keep the result under that name, replacing what it had")
      ->type_name("NAME");
  command
      ->add_option("--metric", options->metrics,
                   "what to compare; may be repeated (raw, net, p99, ops_per_s, jited_bytes ...)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_threshold_options(command, options->rules);
  command->add_flag("--allow-missing", options->exit_rules.allow_missing,
                    "a benchmark that one side lacks is no reason for exit 1");
  command->add_flag("--strict", options->exit_rules.strict, "exit 3 if something is inconclusive");
  command->add_flag("--force", options->force,
                    "compare what should not be compared; the report then says so");
  command->add_option("--format", options->format, "form of the report")
      ->transform(CLI::CheckedTransformer(kFormats).description(""))
      ->type_name("table|markdown|json|csv|junit");
  command
      ->add_option("-o,--output", options->out_path,
                   "write the report here, whole or not at all; the terminal then gets the table")
      ->type_name("FILE");
  return {command, [options] { return run_compare(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
