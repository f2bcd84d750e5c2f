// SPDX-License-Identifier: BSD-2-Clause
#include "harness/console_reporter.h"

#include <fmt/format.h>

#include <cmath>

#include "harness/run_options.h"

namespace bpfmark {
namespace {

constexpr int kNameColumns = 53;
constexpr int kNumberColumns = kTableColumns - kNameColumns;

// Four significant digits, but never more than three decimals: 0.123, 12.35, 1235.
std::string number(double value) {
  const double size = std::fabs(value);
  const int decimals = size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string with_name(const std::string& name, const std::string& numbers) {
  if (static_cast<int>(name.size()) < kNameColumns) {
    return fmt::format("{:<{}}{}\n", name, kNameColumns, numbers);
  }
  return fmt::format("{}\n{:<{}}{}\n", name, "", kNameColumns, numbers);
}

std::string numbers(const std::string& raw, const std::string& floor, const std::string& net,
                    const std::string& interval, const std::string& n, const std::string& verdict) {
  return fmt::format("{:>9}{:>9}{:>9}{:>21}{:>5} {}", raw, floor, net, interval, n, verdict);
}

}  // namespace

std::string table_head(const std::string& unit) {
  static_assert(9 + 9 + 9 + 21 + 5 + 1 + 12 <= kNumberColumns);
  return fmt::format(
      "{:<{}}{}\n{:-<{}}\n", "benchmark", kNameColumns,
      numbers("raw " + unit, "floor " + unit, "net " + unit, "95 % interval", "n", "verdict"), "",
      kTableColumns);
}

std::string table_row(const std::string& name, const Measurement& m, const std::string& unit) {
  const double scale = per_ns(unit);
  const std::string interval = m.net_interval
                                   ? fmt::format("{} .. {}", number(m.net_interval->lo * scale),
                                                 number(m.net_interval->hi * scale))
                                   : "-";
  return with_name(
      name, numbers(number(m.raw_ns * scale), number(m.floor_ns * scale), number(m.net_ns * scale),
                    interval, fmt::format("{}", m.loads.size()), verdict_name(m.verdict)));
}

std::string table_aggregate(const std::string& name, double raw_ns, double floor_ns, double net_ns,
                            bool percentage, const std::string& unit) {
  const auto cell = [&](double value) {
    return percentage ? fmt::format("{:.2f} %", value * 100) : number(value * per_ns(unit));
  };
  return with_name(name,
                   fmt::format("{:>9}{:>9}{:>9}", cell(raw_ns), cell(floor_ns), cell(net_ns)));
}

std::string table_skip(const std::string& name, const Error& error) {
  return fmt::format("{}\n    skipped: {}{}\n", name, error.what,
                     error.remedy.empty() ? "" : fmt::format(" ({})", error.remedy));
}

std::string table_failure(const std::string& name, const Error& error) {
  return fmt::format("{}\n    FAILED: {}\n", name, error.what);
}

}  // namespace bpfmark
