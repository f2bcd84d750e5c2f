// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "ci/judge/history.h"

// Made-up histories for the tests of the judge.
namespace bpfmark {

// Draws that every standard library gives alike: the sum of twelve uniform ones, less six.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : generator_(seed) {}
  double operator()() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(generator_() >> 11) * 0x1p-53;
    return sum;
  }

 private:
  std::mt19937_64 generator_;
};

struct Level {
  std::size_t runs;
  double value;
};

// Levels one after the other, with noise of that fraction of them.
inline std::vector<double> series_of(const std::vector<Level>& levels, double relative_noise,
                                     std::uint64_t seed = 1) {
  Noise noise(seed);
  std::vector<double> series;
  for (const Level& level : levels) {
    for (std::size_t i = 0; i < level.runs; ++i) {
      series.push_back(level.value * (1 + relative_noise * noise()));
    }
  }
  return series;
}

// The run number i: a commit and a date of its own, the same environment.
inline TrackedRun run_number(std::size_t i) {
  return {.date = "run " + std::to_string(i),
          .commit = "c" + std::to_string(i),
          .environment = {{"kernel.release", "6.18.0"}, {"cpu.model", "made up"}}};
}

using EditRun = std::function<void(TrackedRun& run, std::size_t i)>;

// A history of one metric of benchmark "b", as it is read from its lines.
inline History history_of(
    const std::vector<double>& values, const EditRun& edit = [](TrackedRun&, std::size_t) {},
    const std::string& metric = "net_ns") {
  std::stringstream lines;
  for (std::size_t i = 0; i < values.size(); ++i) {
    TrackedRun run = run_number(i);
    edit(run, i);
    lines << history_line(run, {{"b", {{metric, values[i]}}}}) << "\n";
  }
  return parse_history(lines, "h.jsonl", {}).value();
}

}  // namespace bpfmark
