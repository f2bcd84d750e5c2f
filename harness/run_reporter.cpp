// SPDX-License-Identifier: BSD-2-Clause
#include "harness/run_reporter.h"

#include "harness/console_reporter.h"
#include "harness/gbench_compat.h"

namespace bpfmark {
namespace {

double counter(const benchmark::BenchmarkReporter::Run& run, const char* name) {
  const auto found = run.counters.find(name);
  return found == run.counters.end() ? 0 : found->second.value;
}

}  // namespace

bool RunReporter::ReportContext(const Context& context) {
  document_.set_context(context);
  if (shows_times_) table_ += table_head(options_.time_unit);
  return true;
}

void RunReporter::ReportRuns(const std::vector<Run>& runs) {
  for (const Run& run : runs) {
    if (run.run_type == Run::RT_Aggregate) {
      document_.add_run(run, nullptr);
      if (!shows_times_) continue;
      const bool percentage = run.aggregate_unit == benchmark::kPercentage;
      table_ += table_aggregate(run.run_name.function_name + "_" + run.aggregate_name,
                                percentage ? run.real_accumulated_time : run.GetAdjustedRealTime(),
                                counter(run, "floor_ns"), counter(run, "net_ns"), percentage,
                                options_.time_unit);
    } else {
      report_run(run);
    }
  }
}

void RunReporter::report_run(const Run& run) {
  const std::string& name = run.run_name.function_name;
  const RunLog::Outcome* const outcome = log_.find(name, run.repetition_index);
  if (outcome == nullptr) {
    report_error(name, Error{.what = "the case ended without an outcome"});
  } else if (!*outcome) {
    report_error(name, outcome->error());
  } else {
    ++tally_.numbers;
    document_.add_run(run, &**outcome);
    if (!options_.display_aggregates_only || options_.repetitions == 1) {
      table_ += shows_times_ ? table_row(name, **outcome, options_.time_unit)
                             : table_verified(name, **outcome);
      table_ += table_findings(**outcome, options_.histograms && shows_times_);
    }
  }
}

void RunReporter::report_error(const std::string& name, const Error& error) {
  if (error.kind == ErrorKind::kInterrupted) return;
  if (log_.is_failure(error)) {
    ++tally_.failures;
    document_.add_failure(name, error);
    table_ += table_failure(name, error);
  } else {
    ++tally_.skips;
    document_.add_skip(name, error);
    table_ += table_skip(name, error);
  }
}

}  // namespace bpfmark
