// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <benchmark/benchmark.h>

#include <string>

// The only file that knows versions of Google Benchmark. BPFMARK_BENCHMARK_HAS_SKIP is set by CMake
// for 1.8.0 and newer: `if constexpr` is not enough, the newer name is not a dependent one.
namespace bpfmark {

// Ends the case without a number because it cannot run here.
inline void skip_case(benchmark::State& state, const std::string& message) {
#ifdef BPFMARK_BENCHMARK_HAS_SKIP
  state.SkipWithMessage(message);
#else
  state.SkipWithError(message.c_str());
#endif
}

// Ends the case without a number because something was wrong.
inline void fail_case(benchmark::State& state, const std::string& message) {
  state.SkipWithError(message.c_str());
}

// Whether the run was skipped or failed; which of the two stands in the run log.
inline bool gave_no_number(const benchmark::BenchmarkReporter::Run& run) {
#ifdef BPFMARK_BENCHMARK_HAS_SKIP
  return run.skipped != benchmark::internal::NotSkipped;
#else
  return run.error_occurred;
#endif
}

}  // namespace bpfmark
