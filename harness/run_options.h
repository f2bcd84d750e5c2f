// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/paired.h"
#include "harness/planted.h"
#include "harness/registry.h"

namespace bpfmark {

enum class OutputFormat { kConsole, kJson, kCsv };

// What the command line asks of a run.
struct RunOptions {
  std::string filter;
  Suite suite = Suite::kDefault;
  MeasureOptions measure;
  int repetitions = 1;
  OutputFormat format = OutputFormat::kConsole;
  std::string out_path;
  OutputFormat out_format = OutputFormat::kJson;
  bool display_aggregates_only = false;
  bool histograms = false;     // in the table
  bool show_emulated = false;  // times in the table of an emulated machine too
  std::string time_unit = "ns";
  std::optional<int> cpu;  // absent: chosen
  // Shuffles the cases of every repetition; absent: the order of registration.
  std::optional<std::uint64_t> order_seed;
  std::string label;
  std::string devices;                         // that cases use in the place of their own
  Plants plants;                               // only in a build that can
  std::set<std::string> required;              // capabilities whose skip is a failure
  std::map<std::string, std::string> context;  // --benchmark_context
  std::vector<std::string> library_arguments;  // flags that Google Benchmark itself reads
  std::vector<std::string> arguments;          // the whole command line, for the result file
};

// Units of `unit` ("ns", "us", "ms", "s") in one ns.
double per_ns(const std::string& unit);

}  // namespace bpfmark
