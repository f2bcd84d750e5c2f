// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench matrix`.
struct MatrixOptions {
  std::vector<std::string> inputs;  // result files
  std::string format = "text";
  std::string out_path;  // empty: standard output
  bool force = false;
};

Subcommand add_matrix_command(CLI::App& app);

// The command itself: the table goes to `out` or the file. Exit status 0, or 2 for bad input, wrong
// usage, and a file that could not be written.
int run_matrix(const MatrixOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
