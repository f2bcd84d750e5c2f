// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "harness/registry.h"
#include "harness/run_options.h"

namespace bpfmark {

// Exit status of the program; documented in README.md.
inline constexpr int kExitOk = 0;       // every selected case gave a number or a typed skip
inline constexpr int kExitFailure = 1;  // a case failed, or the result could not be written
inline constexpr int kExitUsage = 2;    // bad flag or value, or the filter selected nothing
inline constexpr int kExitSignalBase = 128;

// Parses the command line, runs what it asks for, returns the exit status. Each run_* below is one
// subcommand; text goes to stdout, complaints to stderr.
int run_program(int argc, char** argv, const Registry& registry);

int run_benchmarks(const Registry& registry, const RunOptions& options);
int run_list(const Registry& registry, bool names_only, bool as_json);
int run_probe(bool as_json);

}  // namespace bpfmark
