// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/launch_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "ci/judge/compare.h"
#include "harness/campaign.h"

namespace bpfmark {
namespace {

constexpr std::string_view kFilterFlag = "--benchmark_filter";
constexpr std::array<std::string_view, 7> kReserved = {
    "--benchmark_out",    "--benchmark_out_format",
    "--benchmark_format", "--benchmark_list_tests",
    "--order-seed",       "--help",
    "--version"};

}  // namespace

std::vector<PlannedLaunch> plan_launches(std::size_t launches, std::uint64_t seed) {
  std::vector<PlannedLaunch> plan;
  for (std::size_t round = 0; round < launches; ++round) {
    std::vector<std::size_t> places = shuffled_places(kArms, seed + round / 2);
    if (round % 2 == 1) std::ranges::reverse(places);
    for (const std::size_t place : places) {
      plan.push_back({static_cast<LaunchArm>(place), seed + round});
    }
  }
  return plan;
}

Result<std::size_t> affordable_launches(std::size_t wanted, double budget_s, double launch_s) {
  const double per_round_s = launch_s * static_cast<double>(kArms);
  const double rounds = std::floor(budget_s / per_round_s);
  if (rounds >= static_cast<double>(wanted)) return wanted;
  if (rounds < static_cast<double>(kMinLaunches)) {
    return wrong_result(fmt::format(
        "a launch takes {:.1f} s; {} launches a side, with as many for the noise floor, "
        "need {:.0f} s, and the budget is {:.0f} s",
        launch_s, kMinLaunches, std::ceil(per_round_s * kMinLaunches), budget_s));
  }
  return static_cast<std::size_t>(rounds);
}

std::optional<double> parse_seconds(const std::string& text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(stop, static_cast<std::size_t>(text.data() + text.size() - stop));
  const double scale = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  value *= scale;
  if (error != std::errc() || !(value > 0) || !(value < 1e9)) return std::nullopt;
  return value;
}

std::string exact_filter(const std::vector<std::string>& names) {
  std::string filter = "^(";
  for (const std::string& name : names) {
    if (&name != &names.front()) filter += '|';
    for (const char c : name) {
      if (std::string_view(R"(.[]{}()*+?^$|\)").contains(c)) filter += '\\';
      filter += c;
    }
  }
  return filter + ")$";
}

std::vector<std::string> without_filter(const std::vector<std::string>& flags) {
  std::vector<std::string> kept;
  for (auto flag = flags.begin(); flag != flags.end(); ++flag) {
    if (*flag == kFilterFlag) {
      if (++flag == flags.end()) break;
    } else if (!flag->starts_with(std::string(kFilterFlag) + "=")) {
      kept.push_back(*flag);
    }
  }
  return kept;
}

std::optional<std::string> reserved_flag(const std::vector<std::string>& flags) {
  for (const std::string& flag : flags) {
    if (std::ranges::find(kReserved, std::string_view(flag).substr(0, flag.find('='))) !=
        kReserved.end()) {
      return flag;
    }
  }
  return std::nullopt;
}

}  // namespace bpfmark
