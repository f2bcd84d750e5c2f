// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>
#include <string>

#include "harness/run_log.h"
#include "harness/run_options.h"

namespace bpfmark {

// Version of the additions to Google Benchmark's format; raised when a reader must change.
inline constexpr int kResultSchemaVersion = 1;

// The result file (design: Google Benchmark's JSON with additions only). harness/README.md lists
// every field.
class ResultDocument {
 public:
  // `identity` becomes context.bpfmark.
  ResultDocument(const RunOptions& options, nlohmann::ordered_json identity);

  void set_context(const benchmark::BenchmarkReporter::Context& context);

  // A run or an aggregate that gave a number; `measurement` is null for aggregates.
  void add_run(const benchmark::BenchmarkReporter::Run& run, const Measurement* measurement);
  void add_skip(const std::string& name, const Error& error);
  void add_failure(const std::string& name, const Error& error);
  void mark_incomplete();

  std::string json() const;  // always valid JSON: what is not finite is left out
  std::string csv() const;   // one line a run; columns are the union of all counters

 private:
  std::string time_unit_;
  nlohmann::ordered_json document_;
};

}  // namespace bpfmark
