// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench paper`.
struct PaperOptions {
  std::string input;                // a result file
  std::vector<std::string> tables;  // ids; none: all of which the result has a row
  bool markdown = false;
  bool force = false;
};

Subcommand add_paper_command(CLI::App& app);

// The command itself. Exit status 0, or 2 for bad input, wrong usage, and a result without any row
// of what was asked for.
int run_paper(const PaperOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
