// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

#include "harness/result_document.h"
#include "harness/run_log.h"
#include "harness/run_options.h"

namespace bpfmark {

// What Google Benchmark reports to: fills the result document and, for the console format, the
// table. Prints nothing: the library flushes stdout and overlooks what could not be written.
class RunReporter : public benchmark::BenchmarkReporter {
 public:
  struct Tally {
    std::size_t numbers = 0;
    std::size_t skips = 0;
    std::size_t failures = 0;
  };

  // Without `shows_times` the table says what was verified, and no figure.
  RunReporter(const RunOptions& options, const RunLog& log, ResultDocument& document,
              bool shows_times)
      : options_(options), log_(log), document_(document), shows_times_(shows_times) {}

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  const Tally& tally() const { return tally_; }
  const std::string& table() const { return table_; }

 private:
  void report_run(const Run& run);
  void report_error(const std::string& name, const Error& error);

  const RunOptions& options_;
  const RunLog& log_;
  ResultDocument& document_;
  const bool shows_times_;
  Tally tally_;
  std::string table_;
};

}  // namespace bpfmark
