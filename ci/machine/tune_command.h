// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "harness/commands.h"

namespace bpfmark {

// Gone after a restart, as what it records is.
inline constexpr const char* kTuneStatePath = "/run/bpfmark/tune.jsonl";

struct TuneCommandOptions {
  std::string root;        // see TuneOptions; only tests set it
  std::optional<int> cpu;  // absent: the one that a run would choose
  bool offline_sibling = false;
  bool dry_run = false;
  std::string state_path = kTuneStatePath;
};

Subcommand add_tune_command(CLI::App& app);
Subcommand add_untune_command(CLI::App& app);

// What is done goes to `out`, complaints to `err`. Exit status 0, all is as it should be; 1, some
// setting could not be changed, or belongs to somebody else; 2, wrong usage, or no record could be
// kept, and then nothing was changed.
int run_tune(const TuneCommandOptions& options, std::ostream& out, std::ostream& err);
int run_untune(const TuneCommandOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
