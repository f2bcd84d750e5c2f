// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "ci/judge/track.h"
#include "harness/commands.h"

namespace bpfmark {

// What the command line asks of `bench track`.
struct TrackOptions {
  enum class Action { kAdd, kShow, kCheck };
  Action action = Action::kShow;
  std::vector<std::string> results;  // to add: a file or a directory of launches is one run
  std::string history;
  std::vector<std::string> metrics;
  TrackRules rules;
};

Subcommand add_track_command(CLI::App& app);

// The command itself. Exit status: 0; 1 for a check that found a regression among the newest runs;
// 2 for bad input, wrong usage, and a history that cannot be written.
int run_track(const TrackOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
