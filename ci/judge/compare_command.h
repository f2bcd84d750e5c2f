// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "ci/judge/compare.h"
#include "ci/judge/compare_report.h"
#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench compare`.
struct CompareOptions {
  std::vector<std::string>
      inputs;  // files or directories: OLD NEW, or one with a baseline or column
  std::string column_key;
  std::string baseline;       // takes the place of OLD
  std::string save_baseline;  // keeps the one input instead of comparing it
  std::vector<std::string> metrics = {"net"};
  Rules rules;
  ExitRules exit_rules;
  bool force = false;
  std::optional<ReportFormat> format;
  std::string out_path;
};

// --threshold, --floor-ns and --alpha, for every command that judges by such rules.
void add_threshold_options(CLI::App* command, Rules& rules);

Subcommand add_compare_command(CLI::App& app);

// The command itself: the report goes to `out`, complaints to `err`. Exit status as exit_status()
// says, and 2 for bad input, wrong usage, inputs that cannot be compared and a report that cannot
// be written.
int run_compare(const CompareOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
