// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

#include "ci/judge/baseline.h"
#include "ci/judge/result_file.h"
#include "ci/judge/shown_text.h"
#include "harness/commands.h"
#include "harness/interrupt.h"
#include "harness/output_file.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(Every result file is one launch, and one launch is one sample. A directory holds the launches of
one side; 10 launches a side, taken in turn (A B B A), decide about a whole suite.

Verdicts: regression, improvement: the 95 % bootstrap interval of the ratio of medians lies beyond
the noise floor, and p of the exact Mann-Whitney test, Holm-corrected over all rows, is below alpha.
same: the interval lies within the floor. inconclusive: neither, with the change that would show.
The floor is the largest of --threshold, --floor-ns, the resolution of the clock (spread over a batch),
and what identical code was seen to differ in: A/A' of this run, and those of --noise-history.

--run launches the two programs itself: A, A' (OLD once more) and B, in blocks A B A' A' B A of an order
drawn by --seed, on one CPU, with a fresh load and a shuffled order of cases each. A and A' are OLD's
samples; what they differ in is part of the noise floor. The number of launches is fixed beforehand. A
regression counts only if one fresh set of launches of its benchmarks finds it again; that comes on top
of --budget, and never takes longer than the first set. What follows -- are flags of bench for both.

--run-label compares this program with itself while something else differs: each command runs in a
shell before the launches of its side, and the one of --undo after each of them, come what may.

Examples:
  bench compare old.json new.json
  bench compare results/main results/branch --format=markdown -o summary.md
  bench compare results/main results/branch --metric=net --metric=jited_bytes --strict
  bench compare results/main --col=type
  bench compare --save-baseline=main results/main
  bench compare --baseline=main results/branch
  bench compare --run old/bench new/bench -- --benchmark_filter=map_lookup
  bench compare --run old/bench new/bench --budget=10m --keep=results/pr --format=markdown -o pr.md
  bench compare --run-label 'vanilla=true' 'agent=systemctl start agent' \
                --undo='agent=systemctl stop agent' -- --benchmark_filter=hook_entry
  bench compare --run bench bench --inject=1.05     proves that the gate is live: exit 1

Exit status: 0 no regression; 1 a regression, or a benchmark that one side lacks; 2 bad input, wrong
usage, inputs that cannot be compared, or a launch or command that failed; 3 something is inconclusive
(only with --strict); 128+n stopped by signal n.)";

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
  err << complaint_line("compare", text);
  return kExitUsage;
}

// What is wrong with the combination of inputs and options, or nothing.
std::string usage_complaint(const CompareOptions& options) {
  const int modes = !options.column_key.empty() + !options.baseline.empty() +
                    !options.save_baseline.empty() + options.run.has_value() +
                    !options.kept.empty();
  if (modes > 1) {
    return "--run, --run-label, --kept, --col, --baseline and --save-baseline exclude each other";
  }
  if (options.injected != 1 && !(options.column_key.empty() && options.save_baseline.empty())) {
    return "--inject needs an OLD and a NEW";
  }
  if (!options.run && !options.flags.empty()) return "flags after -- need --run or --run-label";
  if (options.run) {
    for (const auto* flags :
         {&options.flags, &options.run->old_one.flags, &options.run->new_one.flags}) {
      if (const auto reserved = reserved_flag(*flags)) {
        return fmt::format("{}: the comparison sets this itself", *reserved);
      }
    }
    return "";
  }
  if (!options.noise_history.empty() && options.kept.empty()) {
    return "--noise-history needs --run, --run-label or --kept";
  }
  if (!options.kept.empty()) return options.inputs.empty() ? "" : "--kept takes no other input";
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

bool is_input(const std::vector<ResultSet>& sides, const std::string& path) {
  std::error_code ignored;
  return std::ranges::any_of(sides, [&](const ResultSet& side) {
    return std::ranges::any_of(side.files, [&](const std::string& file) {
      return std::filesystem::equivalent(file, path, ignored);
    });
  });
}

Result<JudgeRequest> judge_request(const CompareOptions& options) {
  JudgeRequest request{.read = {.force = options.force},
                       .rules = options.rules,
                       .injected = options.injected,
                       .noise_history = options.noise_history};
  std::vector<std::string> wanted = options.metrics;
  if (wanted.empty()) wanted = {options.run || !options.kept.empty() ? "least_net" : "net"};
  for (const std::string& text : wanted) {
    const Result<Metric> metric = metric_from(text);
    if (!metric) return std::unexpected(metric.error());
    if (std::ranges::find(request.read.metrics, metric->name) != request.read.metrics.end()) {
      continue;
    }
    request.metrics.push_back(*metric);
    request.read.metrics.push_back(metric->name);
  }
  for (const char* metric : kResolutionMetrics) request.read.metrics.push_back(metric);
  return request;
}

Result<Comparison> compare_files(const CompareOptions& options, const JudgeRequest& request) {
  std::vector<std::string> paths = options.inputs;
  if (!options.baseline.empty()) {
    const Result<std::string> directory = baseline_directory(options.baseline);
    if (!directory) return std::unexpected(directory.error());
    paths.insert(paths.begin(), *directory);
  }
  Result<std::vector<ResultSet>> sides = read_sides(paths, request.read);
  if (!sides) return std::unexpected(sides.error());
  if (!options.out_path.empty() && is_input(*sides, options.out_path)) {
    return wrong_result(fmt::format("-o {}: this is one of the inputs", options.out_path));
  }
  if (!options.column_key.empty()) {
    return compare_columns(sides->front(), options.column_key, request.metrics, options.rules);
  }
  if (request.injected != 1) inject((*sides)[1], request.metrics, request.injected);
  return compare_results((*sides)[0], (*sides)[1], request.metrics, options.rules, options.force);
}

Result<Comparison> compare(const CompareOptions& options, const JudgeRequest& request,
                           std::ostream& log) {
  if (!options.kept.empty()) return compare_kept(options.kept, request);
  if (!options.run) return compare_files(options, request);
  RunRequest run = *options.run;
  run.flags = options.flags;
  return run_and_compare(run, request, log);
}

int keep_baseline(const CompareOptions& options, const ReadOptions& read, std::ostream& out,
                  std::ostream& err) {
  const Result<ResultSet> side = read_results(options.inputs.front(), read);
  if (!side) return complain(err, side.error().what);
  if (const Result<void> saved = save_baseline(options.save_baseline, side->files); !saved) {
    return complain(err, saved.error().what);
  }
  out << fmt::format("baseline '{}': {} launch{}\n", options.save_baseline, side->files.size(),
                     side->files.size() == 1 ? "" : "es");
  return kExitOk;
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

// What the command line says about launching, before it is put together.
struct RunWords {
  bool programs = false, labels = false;  // --run, --run-label
  std::vector<std::string> undo, new_flags;
  RunRequest run;
  std::vector<CLI::Option*> need_launches;  // mean nothing without --run or --run-label
};

std::shared_ptr<RunWords> add_run_options(CLI::App& command, CompareOptions& options) {
  auto words = std::make_shared<RunWords>();
  const auto needs = [&words](CLI::Option* option) {
    words->need_launches.push_back(option);
    return option;
  };
  command.add_flag("--run", words->programs, "launch two programs: OLD_BENCH NEW_BENCH [-- FLAGS]");
  command.add_flag("--run-label", words->labels,
                   "launch this program under two names, each after its shell command: "
                   "A=COMMAND B=COMMAND [-- FLAGS]");
  needs(command.add_option("--undo", words->undo,
                           "shell command after each launch of that name; may be repeated"))
      ->allow_extra_args(false)
      ->type_name("NAME=COMMAND");
  needs(command.add_option("--launches", words->run.launches, "of A, of A' and of B"))
      ->check(CLI::Range(kMinLaunches, std::size_t{1000}))
      ->type_name("N")
      ->capture_default_str();
  needs(command.add_option_function<std::string>(
            "--budget",
            [words = words.get()](const std::string& text) {
              words->run.budget_s = parse_seconds(text);
              if (!words->run.budget_s) {
                throw CLI::ValidationError("--budget", "expected 90, 90s, 10m or 1h");
              }
            },
            "fewer launches where they would take longer; decided after the first one"))
      ->type_name("TIME");
  needs(command.add_option("--seed", words->run.seed, "order of the launches, and of their cases"))
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  needs(command.add_option("--keep", words->run.keep_directory,
                           "keep the results of the launches in this new directory"))
      ->type_name("DIR");
  needs(command.add_option("--new-flag", words->new_flags, "a flag of bench for NEW alone"))
      ->allow_extra_args(false)
      ->type_name("FLAG");
  command.add_option("--kept", options.kept, "judge again what --keep kept")->type_name("DIR");
  return words;
}

// "name=command"; nothing without both.
std::optional<std::pair<std::string, std::string>> name_and_command(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return std::nullopt;
  return std::pair{text.substr(0, equals), text.substr(equals + 1)};
}

// Fills options.run from the two inputs; gives what is wrong with the words.
std::optional<std::string> take_run_options(const RunWords& words, CompareOptions& options) {
  if (!words.programs && !words.labels) {
    for (const CLI::Option* option : words.need_launches) {
      if (option->count() > 0) return option->get_name() + " needs --run or --run-label";
    }
    return std::nullopt;
  }
  if (words.programs && words.labels) return "--run and --run-label exclude each other";
  if (options.inputs.size() != 2) return "expected two to launch, OLD and NEW";
  const std::vector<std::string>& two = options.inputs;
  RunRequest run = words.run;
  const std::array<Contestant*, 2> both = {&run.old_one, &run.new_one};
  for (std::size_t i = 0; i < both.size(); ++i) {
    if (words.programs) {
      *both[i] = {.name = two[i], .program = two[i]};
      continue;
    }
    const auto label = name_and_command(two[i]);
    if (!label) return fmt::format("--run-label {}: expected NAME=COMMAND", two[i]);
    *both[i] = {.name = label->first,
                .program = "/proc/self/exe",
                .label = label->first,
                .before = label->second};
  }
  if (words.labels && run.old_one.name == run.new_one.name) {
    return "--run-label: the two names are the same";
  }
  for (const std::string& text : words.undo) {
    const auto undo = name_and_command(text);
    const auto of = std::ranges::find_if(both, [&](const Contestant* contestant) {
      return undo && contestant->label == undo->first && !contestant->label.empty();
    });
    if (of == both.end()) return fmt::format("--undo {}: expected NAME=COMMAND of a label", text);
    (*of)->after = undo->second;
  }
  run.new_one.flags = words.new_flags;
  options.run = std::move(run);
  return std::nullopt;
}

}  // namespace

int run_compare(const CompareOptions& options, std::ostream& out, std::ostream& err) {
  if (const std::string complaint = usage_complaint(options); !complaint.empty()) {
    return complain(err, complaint + " ('bench compare --help' explains)");
  }
  Result<JudgeRequest> request = judge_request(options);
  if (!request) return complain(err, request.error().what);
  if (options.run && !options.out_path.empty()) {
    if (const Result<void> writable = check_writable(options.out_path); !writable) {
      return complain(err, writable.error().what);
    }
  }
  if (!options.save_baseline.empty()) return keep_baseline(options, request->read, out, err);
  const Result<Comparison> comparison = compare(options, *request, err);
  if (!comparison) {
    if (comparison.error().kind == ErrorKind::kInterrupted) return kExitSignalBase + stop_signal();
    return complain(err, comparison.error().what);
  }
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
                      "OLD and NEW: result files, or directories of them; or what to launch");
  const auto launching = add_run_options(*command, *options);
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
                   "what to compare; may be repeated (raw, net, p99, ops_per_s, jited_bytes ...); "
                   "default net, with --run and --kept least_net")
      ->type_name("NAME")
      ->allow_extra_args(false);
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
  command
      ->add_option("--inject", options->injected,
                   "make NEW worse by this factor after reading: proves that the gate can fail")
      ->check(CLI::Range(0.1, 10.0))
      ->type_name("FACTOR");
  command
      ->add_option("--noise-history", options->noise_history,
                   "JSON lines with A/A' of earlier runs on this machine: part of the floor, and "
                   "this run is appended")
      ->type_name("FILE");
  const auto run = [options, launching] {
    if (const auto complaint = take_run_options(*launching, *options)) {
      return complain(std::cerr, *complaint + " ('bench compare --help' explains)");
    }
    return run_compare(*options, std::cout, std::cerr);
  };
  return {command, run, &options->flags};
}

}  // namespace bpfmark
