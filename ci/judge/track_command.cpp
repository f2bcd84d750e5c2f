// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/track_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "ci/judge/compare_command.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(A history is a file of JSON Lines, one line a run, for one machine: `add` appends, `show` prints
levels, changes and breaks, `check` answers whether something got slower lately.

A change is a step between two levels (E-divisive with a t-test), corrected for the number of series
and places, whose 95 % interval is beyond the noise floor. It shows from --min-runs runs on. Where the
environment changed (kernel, CPU, mitigations, libraries, compilers ...) the history has a break: levels
before and after are not compared. Runs of different labels are different series.

Examples:
  bench track add results/run.json --history history.jsonl
  bench track add results/launches/ --history history.jsonl
  bench track check --history history.jsonl --metric=net --metric=jited_bytes
  bench track show --history history.jsonl

Exit status: 0 nothing got slower; 1 a regression among the newest runs (check); 2 bad input, wrong usage,
or a history that cannot be written.)";

int complain(std::ostream& err, const std::string& text) {
  err << complaint_line("track", text);
  return kExitUsage;
}

Result<std::vector<Metric>> metrics_from(const std::vector<std::string>& texts) {
  std::vector<Metric> metrics;
  for (const std::string& text : texts) {
    const Result<Metric> metric = metric_from(text);
    if (!metric) return std::unexpected(metric.error());
    if (std::ranges::find(metrics, metric->name, &Metric::name) == metrics.end()) {
      metrics.push_back(*metric);
    }
  }
  return metrics;
}

std::string value_of(const Identity& identity, std::string_view field) {
  const auto found = identity.find(field);
  return found == identity.end() ? "" : found->second;
}

Result<std::string> add(const TrackOptions& options) {
  ReadOptions read{.metrics = {kTrackedMetrics.begin(), kTrackedMetrics.end()}};
  const auto more = metrics_from(options.metrics);
  if (!more) return std::unexpected(more.error());
  for (const Metric& metric : *more) read.metrics.push_back(metric.name);
  std::vector<TrackedRun> runs;
  std::vector<TrackedValues> values;
  for (const std::string& path : options.results) {
    const Result<ResultSet> set = read_results(path, read);
    if (!set) return std::unexpected(set.error());
    if (!set->stock.contains("date")) {
      return wrong_result(fmt::format("{}: context.date is missing", set->files.front()));
    }
    runs.push_back({.date = set->stock.at("date"),
                    .commit = value_of(set->identity, "build.commit"),
                    .label = value_of(set->identity, "label"),
                    .launches = set->files.size(),
                    .environment = environment_of(set->identity)});
    TrackedValues& medians = values.emplace_back();
    for (const BenchmarkSamples& benchmark : set->benchmarks) {
      for (const auto& [metric, samples] : benchmark.metrics) {
        medians[benchmark.name][metric] = *median(samples);  // A file holds finite numbers only.
      }
    }
  }
  if (Result<void> appended = append_history(options.history, runs, values); !appended) {
    return std::unexpected(appended.error());
  }
  return fmt::format("{}: {} run{} added\n", options.history, runs.size(),
                     runs.size() == 1 ? "" : "s");
}

}  // namespace

int run_track(const TrackOptions& options, std::ostream& out, std::ostream& err) {
  if (options.action == TrackOptions::Action::kAdd) {
    const Result<std::string> added = add(options);
    if (!added) return complain(err, added.error().what);
    out << *added << std::flush;
    return kExitOk;
  }
  const auto metrics = metrics_from(options.metrics);
  if (!metrics) return complain(err, metrics.error().what);
  std::vector<std::string> names;
  for (const Metric& metric : *metrics) names.push_back(metric.name);
  const Result<History> history = read_history(options.history, names);
  if (!history) return complain(err, history.error().what);
  const TrackAnalysis analysis = analyse_history(*history, *metrics, options.rules);
  if (analysis.series.empty() && !history->runs.empty()) {
    return complain(
        err, fmt::format("{}: no benchmark has {}", options.history, fmt::join(names, " or ")));
  }
  const bool check = options.action == TrackOptions::Action::kCheck;
  out << (check ? track_news(*history, analysis) : track_table(*history, analysis)) << std::flush;
  if (!out) return complain(err, "the report could not be written to standard output");
  return check && analysis.news(Change::kRegression) > 0 ? kExitFailure : kExitOk;
}

namespace {

void add_history_option(CLI::App* command, TrackOptions& options) {
  command->add_option("--history", options.history, "the history")->type_name("FILE")->required();
}

void add_rules(CLI::App* command, TrackOptions& options) {
  command
      ->add_option("--metric", options.metrics,
                   "what to look at; may be repeated (raw, net, p99, jited_bytes ...)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_threshold_options(command, options.rules.rules);
  command
      ->add_option("--newest", options.rules.newest,
                   "a change that begins among so many last runs of its label is news")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--window", options.rules.change_points.window,
                   "runs that are looked at together")
      ->check(CLI::Range(10, 500))
      ->type_name("N")
      ->capture_default_str();
  command
      ->add_option("--min-runs", options.rules.change_points.min_segment, "runs that make a level")
      ->check(CLI::Range(2, 100))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

Subcommand add_track_command(CLI::App& app) {
  const auto options = std::make_shared<TrackOptions>();
  CLI::App* const command =
      app.add_subcommand("track", "the history of results: when did something change?");
  command->footer(kFooter);
  command->require_subcommand(1);
  const auto add_action = [&](const char* name, const char* text, TrackOptions::Action action) {
    CLI::App* const sub = command->add_subcommand(name, text);
    add_history_option(sub, *options);
    sub->parse_complete_callback([options, action] {
      options->action = action;
      if (action != TrackOptions::Action::kAdd && options->metrics.empty()) {
        options->metrics = {"net"};
      }
    });
    return sub;
  };
  CLI::App* const add = add_action("add", "append runs to a history", TrackOptions::Action::kAdd);
  add->add_option("RESULT", options->results,
                  "result files, or directories of launches; each is one run")
      ->required();
  add->add_option("--metric", options->metrics, "keep this as well; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  add_rules(add_action("show", "print levels, changes and breaks", TrackOptions::Action::kShow),
            *options);
  add_rules(add_action("check", "did something get slower lately?", TrackOptions::Action::kCheck),
            *options);
  return {command, [options] { return run_track(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
