// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "harness/ladder_steps.h"
#include "harness/measurement.h"
#include "harness/result.h"

namespace bpfmark {

// The table for a person, at most kTableColumns wide as long as no name is longer than that.
inline constexpr int kTableColumns = 120;

// Head of the table. `unit` is the unit of all times.
std::string table_head(const std::string& unit);

// One line, or two where the name does not fit beside the numbers; and one more with the overhead
// in per cent where that was asked for.
std::string table_row(const std::string& name, const Measurement& measurement,
                      const std::string& unit);

// In the place of the row where no time is to be shown: what was counted, and was right.
std::string table_verified(const std::string& name, const Measurement& measurement);

// What belongs below the row: events that were lost, programs of others that were in the way and,
// with `histograms`, the distributions. Empty for most cases.
std::string table_findings(const Measurement& measurement, bool histograms);

// A line for an aggregate over repetitions ("mean", "cv" ...), of which only single numbers exist.
// A percentage is given as a fraction.
std::string table_aggregate(const std::string& name, double raw_ns, double floor_ns, double net_ns,
                            bool percentage, const std::string& unit);

// Below the table: cases that differ in one key alone, whose value in `name` is "*".
std::string table_ladder(const std::string& name, const std::vector<LadderStep>& steps,
                         const std::string& unit);

std::string table_skip(const std::string& name, const Error& error);
std::string table_failure(const std::string& name, const Error& error);

}  // namespace bpfmark
