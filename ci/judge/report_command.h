// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ci/judge/compare.h"
#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench report`.
struct ReportOptions {
  std::vector<std::string> results;  // files or directories: launches of one thing
  std::string compare;               // the old side, a file or directory
  std::string history;
  std::string out_path;
  std::vector<std::string> metrics = {"net"};  // for comparison and history
  Rules rules;
  bool force = false;
};

Subcommand add_report_command(CLI::App& app);

// The command itself. Exit status: 0 the report was written, 2 bad input, wrong usage or a report
// that could not be written. Judging is left to `bench compare` and `bench track`.
int run_report(const ReportOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
