// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "ci/judge/compare.h"
#include "ci/judge/launch_plan.h"
#include "harness/result.h"

// `bench compare --run`: launches both sides itself, in turn, and judges what they gave.
namespace bpfmark {

// One of the two that are compared.
struct Contestant {
  std::string name;                // as the report calls it
  std::string program;             // the bench to execute
  std::vector<std::string> flags;  // for this one alone
  std::string label;               // goes into its results, if not empty
  std::string before, after;       // shell commands around each of its launches, if not empty
};

struct RunRequest {
  Contestant old_one, new_one;
  std::vector<std::string> flags;  // for both
  std::size_t launches = 10;       // of A, of A' and of B
  std::optional<double> budget_s;
  std::uint64_t seed = 1;
  std::string keep_directory;  // where the results stay, if not empty
};

// What was launched: A, A', B.
struct LaunchedSides {
  ResultSet old_one, old_again, new_one;
};

// Everything that the judging needs beside the launches.
struct JudgeRequest {
  std::vector<Metric> metrics;
  ReadOptions read;
  Rules rules;
  double injected = 1;        // factor by which NEW is made worse on purpose
  std::string noise_history;  // path, or empty
};

// Launches and judges; regressions are confirmed by one fresh set of launches, restricted to their
// benchmarks; twice as many if these are at most half of all. Says on `log` what it does. Errors:
// kInterrupted after a stop signal; otherwise what went wrong, with the child's last words.
// Commands that undo run on every way out, and one that fails is an error.
Result<Comparison> run_and_compare(const RunRequest& run, const JudgeRequest& request,
                                   std::ostream& log);

// Judges anew what --keep kept in that directory.
Result<Comparison> compare_kept(const std::string& directory, const JudgeRequest& request);

}  // namespace bpfmark
