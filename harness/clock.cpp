// SPDX-License-Identifier: BSD-2-Clause
#include "harness/clock.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "harness/statistics.h"

namespace bpfmark {
namespace {

constexpr int kCalibrationReads = 2000;
constexpr int kReferenceSteps = 4000;
constexpr int kReferenceRepetitions = 5;

ClockCalibration calibrate() {
  std::vector<double> pairs;
  double resolution = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kCalibrationReads; ++i) {
    const std::uint64_t first = now_ns();
    const std::uint64_t second = now_ns();
    const auto step = static_cast<double>(second - first);
    pairs.push_back(step);
    if (step > 0) resolution = std::min(resolution, step);
  }
  return {.pair_ns = median(pairs).value_or(0), .resolution_ns = resolution};
}

}  // namespace

std::uint64_t now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

const ClockCalibration& user_clock() {
  static const ClockCalibration calibration = calibrate();
  return calibration;
}

double reference_step_ns() {
  std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
  for (int repetition = 0; repetition < kReferenceRepetitions; ++repetition) {
    std::uint64_t value = 3;
    const std::uint64_t start = now_ns();
    for (int step = 0; step < kReferenceSteps; ++step) {
      value *= 0x9E3779B97F4A7C15u;
      asm volatile("" : "+r"(value));
    }
    best = std::min(best, now_ns() - start);
  }
  return static_cast<double>(best) / kReferenceSteps;
}

}  // namespace bpfmark
