// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/result.h"

// The rules by which programs that cannot be installed here accept what `bench export` writes, as
// their sources have them; and stricter where those skip silently what they do not understand, for
// we write nothing to be skipped. All errors are kWrongResult, with the line or the place.
namespace bpfmark {

// golang.org/x/perf: benchfmt/reader.go and result.go, which benchstat reads with.
struct GoBenchmark {
  std::string name;  // without "Benchmark" and the number of CPUs
  std::map<std::string, double> units;
  std::map<std::string, std::string> configuration;  // "goos" ...
};
Result<std::vector<GoBenchmark>> read_benchfmt(const std::string& text);

// github.com/benchmark-action/github-action-benchmark: extractCustomBenchmarkResult() in
// src/extract.ts, src/extractRangeInfo.ts. Values by name.
Result<std::map<std::string, double>> read_github_action(const std::string& text);

// github.com/bencherdev/bencher: JsonV0Results in lib/bencher_adapter/src/adapters/json/v0.rs,
// JsonNewMetric in bencher_json, BenchmarkName and Slug in bencher_valid. "value" of each measure
// by "name measure".
Result<std::map<std::string, double>> read_bencher(const std::string& text);

// github.com/apache/otava: CsvImporter in otava/importer.py, parse_datetime() in otava/util.py. The
// values of each metric, ascending in time.
Result<std::map<std::string, std::vector<double>>> read_otava(const std::string& text);

}  // namespace bpfmark
