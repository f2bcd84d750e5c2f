// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/result.h"

// Which launches `bench compare --run` makes, and in which order. Pure functions.
namespace bpfmark {

// A, A' and B. A' is OLD once more: what differs between the two is noise.
enum class LaunchArm { kOld, kOldAgain, kNew };
inline constexpr std::size_t kArms = 3;

struct PlannedLaunch {
  LaunchArm arm;
  std::uint64_t order_seed;  // for the cases inside; the same for the n-th launch of every arm
};

// `launches` of each arm, in blocks of the three arms in an order drawn by the seed and the same
// three backwards (A B A' A' B A), so that a drift that is linear over a block hits all alike. With
// an odd number the last block has its first half only. The plan of fewer launches is the beginning
// of the plan of more.
std::vector<PlannedLaunch> plan_launches(std::size_t launches, std::uint64_t seed);

// As many launches of each arm as fit the budget, at most `wanted`. Decided from the time of one
// launch, before any result is looked at. Errors (kWrongResult): fewer than kMinLaunches fit.
Result<std::size_t> affordable_launches(std::size_t wanted, double budget_s, double launch_s);

// "90", "90s", "1.5m", "2h" in seconds; nothing for what is no positive time.
std::optional<double> parse_seconds(const std::string& text);

// A filter of Google Benchmark (POSIX extended) that selects exactly these names.
std::string exact_filter(const std::vector<std::string>& names);

// `flags` without --benchmark_filter and its value.
std::vector<std::string> without_filter(const std::vector<std::string>& flags);

// The first flag that the comparison itself must set (where results go, the order of cases), or
// nothing.
std::optional<std::string> reserved_flag(const std::vector<std::string>& flags);

}  // namespace bpfmark
