// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "ci/judge/result_parser.h"
#include "harness/result.h"

namespace bpfmark {

// One case on one side of a comparison.
struct BenchmarkSamples {
  std::string name;
  // One sample a launch, in the order of the files. A launch in which the case gave no number has
  // no sample.
  std::map<std::string, std::vector<double>, std::less<>> metrics;
  CaseDetails details;  // of all launches together; only where asked for
};

// One side of a comparison: the launches that were read from one file or directory.
struct ResultSet {
  std::string path;
  std::vector<std::string> files;
  Identity identity;                                      // of the first file
  Identity stock;                                         // of the first file
  std::vector<BenchmarkSamples> benchmarks;               // in the order in which they first occur
  std::map<std::string, std::string, std::less<>> skips;  // by name, the first reason
  std::map<std::string, std::string, std::less<>> failures;  // by name, the first message
  std::vector<Absence> skip_list;         // each skipped case once, in the order of the files
  std::vector<std::string> forced;        // what only --force let through
  std::vector<std::string> metric_names;  // of the first benchmark

  std::unordered_map<std::string, std::size_t> index;  // places in benchmarks, by name

  // nullptr where no launch has a number.
  const BenchmarkSamples* find(const std::string& name) const;
};

struct ReadOptions {
  std::vector<std::string> metrics;  // which to keep
  bool force = false;
  bool details = false;
};

// Takes a further launch into the set. Errors (kWrongResult), unless forced: a dry run, a debug
// build, an incomplete run, an emulated machine, a planted cost, and an identity that differs from
// the launches before it.
Result<void> add_launch(ResultSet& set, Launch launch, bool force);

// Both sets as one, under the name and with the identity of `first`.
ResultSet pooled(const ResultSet& first, const ResultSet& again);

// Reads a result file, or all *.json of a directory. Errors: those of read_launch() and
// add_launch(); a directory without a result. All name the file.
Result<ResultSet> read_results(const std::string& path, const ReadOptions& options);

// As above, for several files and directories that make up one side. `paths` is not empty.
Result<ResultSet> read_results(const std::vector<std::string>& paths, const ReadOptions& options);

}  // namespace bpfmark
