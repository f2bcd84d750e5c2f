// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench export`.
struct ExportOptions {
  std::string format;
  std::vector<std::string> inputs;  // result files
  std::string out_path;             // empty: standard output
  std::string trial_clock = "caller";
  bool force = false;
};

Subcommand add_export_command(CLI::App& app);

// The command itself: what is exported goes to `out` or the file, what was left out is told on
// `err`. Exit status 0, or 2 for bad input, wrong usage, and a file that could not be written.
int run_export(const ExportOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
