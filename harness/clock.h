// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <time.h>

#include <cstdint>

namespace bpfmark {

// `clock` in ns. The default is the clock of bpf_ktime_get_ns().
std::uint64_t now_ns(clockid_t clock = CLOCK_MONOTONIC);

struct ClockCalibration {
  double pair_ns = 0;        // median cost of two reads in a row
  double resolution_ns = 0;  // smallest step seen between two reads that differ
};

// Measured once per process, in about a millisecond.
const ClockCalibration& user_clock();

// Time of one step of a chain of dependent multiplications, in ns: the minimum over a few short
// repetitions. It depends on the core's clock frequency and on nothing else (no memory, no kernel),
// so that it tells a change of the machine's speed from a change of the subject.
double reference_step_ns();

}  // namespace bpfmark
