// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ci/judge/result_parser.h"
#include "harness/commands.h"

namespace bpfmark {

struct RerunOptions {
  std::string input;
  std::string bench = "/proc/self/exe";
  std::string out_path;            // of the new result; empty: none is written
  std::vector<std::string> extra;  // further flags
  bool print_only = false;
};

// The arguments after the program's name that run again what gave the result: the recorded ones
// without the result file they named. Errors: kWrongResult if the file records none.
Result<std::vector<std::string>> rerun_arguments(const Launch& launch, const RerunOptions& options);

Subcommand add_rerun_command(CLI::App& app);

// Becomes the run, so the exit status is the run's; 2 if it could not be started. What differs in
// build and machine from the recorded run is told on `err`.
int run_rerun(const RerunOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
