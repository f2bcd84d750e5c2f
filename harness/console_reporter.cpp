// SPDX-License-Identifier: BSD-2-Clause
#include "harness/console_reporter.h"

#include <fmt/format.h>

#include <cmath>
#include <sstream>

#include "harness/capability.h"
#include "harness/run_options.h"

namespace bpfmark {
namespace {

constexpr int kNameColumns = 53;
constexpr int kNumberColumns = kTableColumns - kNameColumns;
constexpr int kNumberWidth = 8;  // "-999999", "-1.0e+08"

// Never wider than kNumberWidth: four significant digits, but no more than three decimals (0.123,
// 12.35, 1235), and powers of ten where plain digits would be too many.
std::string number(double value) {
  const double size = std::fabs(value);
  if (size >= 999999.5) return fmt::format("{:.1e}", value);
  const int decimals = size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string with_name(const std::string& name, const std::string& numbers) {
  if (static_cast<int>(name.size()) < kNameColumns) {
    return fmt::format("{:<{}}{}\n", name, kNameColumns, numbers);
  }
  return fmt::format("{}\n{:<{}}{}\n", name, "", kNameColumns, numbers);
}

// A fraction in per cent, not wider than kNumberWidth either.
std::string percentage_of(double fraction) {
  const double percent = fraction * 100;
  const double size = std::fabs(percent);
  if (size < 99.995) return fmt::format("{:.2f} %", percent);
  return size < 99999.5 ? fmt::format("{:.0f} %", percent) : fmt::format("{:.0e} %", percent);
}

std::string times(const std::string& raw, const std::string& floor, const std::string& net) {
  return fmt::format(" {:>{}} {:>{}} {:>{}}", raw, kNumberWidth, floor, kNumberWidth, net,
                     kNumberWidth);
}

std::string numbers(const std::string& raw, const std::string& floor, const std::string& net,
                    const std::string& interval, const std::string& n, const std::string& verdict) {
  return fmt::format("{} {:>20} {:>4} {}", times(raw, floor, net), interval, n, verdict);
}

std::string range(const std::optional<Interval>& interval, double scale) {
  if (!interval) return "-";
  return fmt::format("{} .. {}", number(interval->lo * scale), number(interval->hi * scale));
}

// For a line of the table; the result file and `bench probe` have the rest.
std::string short_reason(const Error& why) {
  if (why.capability.empty()) return why.what;
  return fmt::format("{} is {}", why.capability, support_name(support_of(why.kind)));
}

// Below the row of a case whose plan asks for it: by how much the floor became dearer.
std::string overhead_line(const Measurement& m, const std::string& unit) {
  if (!m.overhead) return "";
  return fmt::format("    {:+.1f} % ({}); {} {} in all ({})\n", m.overhead->percent,
                     range(m.overhead->percent_interval, 1), number(m.raw_ns * per_ns(unit)), unit,
                     range(m.overhead->raw_interval, per_ns(unit)));
}

}  // namespace

std::string table_head(const std::string& unit) {
  static_assert(3 * (1 + kNumberWidth) + 21 + 5 + 13 <= kNumberColumns);
  return fmt::format(
      "{:<{}}{}\n{:-<{}}\n", "benchmark", kNameColumns,
      numbers("raw " + unit, "floor " + unit, "net " + unit, "95 % interval", "n", "verdict"), "",
      kTableColumns);
}

std::string table_row(const std::string& name, const Measurement& m, const std::string& unit) {
  const double scale = per_ns(unit);
  const std::string row =
      with_name(name, numbers(number(m.raw_ns * scale), number(m.floor_ns * scale),
                              number(m.net_ns * scale), range(m.net_interval, scale),
                              fmt::format("{}", m.loads.size()), verdict_name(m.verdict)));
  return row + overhead_line(m, unit);
}

std::string table_verified(const std::string& name, const Measurement& m) {
  return with_name(name, fmt::format(" verified: {} operations, {} batches", m.ops, m.batches));
}

std::string table_findings(const Measurement& m, bool histograms) {
  std::string text;
  const auto lost = m.findings.counters.find("lost");
  if (lost != m.findings.counters.end() && lost->second > 0) {
    text += fmt::format("    lost: {:.0f} events\n", lost->second);
  }
  for (const ForeignProgram& program : m.findings.foreign_programs) {
    text += fmt::format("    also attached: {} {} (id {}, tag {}) at {}\n", program.type,
                        program.name, program.id, program.tag, program.attach);
  }
  for (const Missing& missing : m.findings.missing) {
    text += fmt::format("    without {}: {}\n", missing.what, short_reason(missing.why));
  }
  if (!histograms) return text;
  for (const auto& [name, histogram] : m.findings.histograms) {
    text += fmt::format("    {}, ns: {} samples\n", name, histogram.count());
    std::istringstream lines(histogram.to_text());
    for (std::string line; std::getline(lines, line);) text += fmt::format("    {}\n", line);
  }
  return text;
}

std::string table_aggregate(const std::string& name, double raw_ns, double floor_ns, double net_ns,
                            bool percentage, const std::string& unit) {
  const auto cell = [&](double value) {
    if (!std::isfinite(value)) return std::string("-");  // the CV of a net around 0
    return percentage ? percentage_of(value) : number(value * per_ns(unit));
  };
  return with_name(name, times(cell(raw_ns), cell(floor_ns), cell(net_ns)));
}

std::string table_ladder(const std::string& name, const std::vector<LadderStep>& steps,
                         const std::string& unit) {
  const double scale = per_ns(unit);
  std::string text =
      fmt::format("\n{}\n    net {}, and how much that is above the line before\n", name, unit);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const LadderStep& step = steps[i];
    text += fmt::format("    {:<16} {:>{}}", step.value, number(step.net_ns * scale), kNumberWidth);
    if (i > 0) {
      text += fmt::format(
          "  {:>12}  {}",
          step.resolved() ? fmt::format("+{}", number(step.above_ns * scale)) : "not resolved",
          range(step.above_interval, scale));
    }
    text += "\n";
  }
  return text;
}

std::string table_skip(const std::string& name, const Error& error) {
  return fmt::format("{}\n    skipped: {}\n", name, error.text());
}

std::string table_failure(const std::string& name, const Error& error) {
  return fmt::format("{}\n    FAILED: {}\n", name, error.text());
}

}  // namespace bpfmark
