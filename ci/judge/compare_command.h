// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "ci/judge/compare.h"
#include "ci/judge/compare_report.h"
#include "ci/judge/compare_run.h"
#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench compare`.
struct CompareOptions {
  // Files or directories: OLD NEW, or one with a baseline or column.
  std::vector<std::string> inputs;
  std::vector<std::string> flags;  // of bench, for both sides of `run`
  std::optional<RunRequest> run;
  std::string kept;  // directory that --keep wrote
  std::string column_key;
  std::string baseline;              // takes the place of OLD
  std::string save_baseline;         // keeps the one input instead of comparing it
  std::vector<std::string> metrics;  // none: "least_net" of launches made for it, else "net"
  Rules rules;
  ExitRules exit_rules;
  bool force = false;
  double injected = 1;        // factor by which NEW is made worse on purpose
  std::string noise_history;  // path, or empty
  std::optional<ReportFormat> format;
  std::string out_path;
};

// --threshold, --floor-ns and --alpha, for every command that judges by such rules.
void add_threshold_options(CLI::App* command, Rules& rules);

Subcommand add_compare_command(CLI::App& app);

// The command itself: the report goes to `out`, complaints to `err`. Exit status as exit_status()
// says; 2 for bad input, wrong usage, inputs that cannot be compared, a launch or a command that
// failed, and a report that cannot be written; 128+n if signal n stopped the launches.
int run_compare(const CompareOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
