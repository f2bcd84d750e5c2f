// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/registry.h"
#include "harness/run_options.h"

namespace CLI {
class App;
}

namespace bpfmark {

// Exit status of the program; documented in README.md.
inline constexpr int kExitOk = 0;       // every selected case gave a number or a typed skip
inline constexpr int kExitFailure = 1;  // a case failed, or the result could not be written
inline constexpr int kExitUsage = 2;    // bad flag or value, or the filter selected nothing
inline constexpr int kExitSignalBase = 128;

// A subcommand of the program. `run` does the work and gives the exit status; it is called after
// parsing, if the command line chose it.
struct Subcommand {
  const CLI::App* parser = nullptr;  // owned by the App it was added to
  std::function<int()> run;
  // Where the arguments after "--" go; without it there may be none.
  std::vector<std::string>* rest = nullptr;
};
using AddSubcommand = std::function<Subcommand(CLI::App&)>;

// What a family prepares for a whole run, and undoes after it: gets what the command line asks for,
// calls `run` unless it does something else in its place, and gives the exit status.
using AroundRun = std::function<int(RunOptions& options, const std::function<int()>& run)>;
// Adds its flags to the command line of a run.
using AddRunFlags = std::function<AroundRun(CLI::App&, const Registry&)>;

// Parses the command line, runs what it asks for, returns the exit status. `additions` are
// subcommands beside `list` and `probe`. Text goes to stdout, complaints to stderr.
int run_program(int argc, char** argv, const Registry& registry,
                const std::vector<AddSubcommand>& additions, const AddRunFlags& add_run_flags);

int run_benchmarks(const Registry& registry, const RunOptions& options);
int run_list(const Registry& registry, bool names_only, bool as_json);
// Of all capabilities, or of those named.
int run_probe(const std::vector<std::string>& names, bool as_json);

}  // namespace bpfmark
