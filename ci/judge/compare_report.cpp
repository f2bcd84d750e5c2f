// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

#include "ci/judge/compare_formats.h"
#include "ci/judge/shown_text.h"
#include "harness/console_reporter.h"

namespace bpfmark {
namespace {

constexpr int kNameColumns = 34;
constexpr std::size_t kShownForced = 10;

struct Cells {
  std::string old_value, new_value, estimate, interval, n, p, effect, noise_floor, verdict;
};

Cells cells_of(const Row& row) {
  Cells cells;
  cells.old_value = shown_number(row.old_median);
  cells.new_value = shown_number(row.new_median);
  cells.estimate =
      fmt::format("{}{}", row.as_ratio || row.estimate < 0 ? "" : "+", shown_number(row.estimate));
  cells.interval = row.interval ? fmt::format("{} .. {}", shown_number(row.interval->lo),
                                              shown_number(row.interval->hi))
                                : "-";
  cells.n = fmt::format("{}/{}", row.old_n, row.new_n);
  cells.p = row.p_holm ? fmt::format("{:.2g}", *row.p_holm) : "-";
  cells.effect = row.cliffs_delta ? fmt::format("{:+.2f}", *row.cliffs_delta) : "-";
  cells.noise_floor = row.metric.exact ? "-" : shown_amount(row, row.noise_floor);
  cells.verdict = shown_change(row);
  if (row.change == Change::kRegression && row.old_label.empty()) cells.verdict = "REGRESSION";
  return cells;
}

// Why a row is inconclusive, and what would not have been; what confirmed or did not confirm it.
std::string explanation(const Row& row) {
  if (row.confirmation) {
    const Confirmation& c = *row.confirmation;
    const std::string again =
        c.interval ? fmt::format("{} ({} .. {})", shown_number(c.estimate),
                                 shown_number(c.interval->lo), shown_number(c.interval->hi))
                   : shown_number(c.estimate);
    return c.agrees ? fmt::format("confirmed by fresh launches: {}", again)
                    : fmt::format("{}: {}, {}", row.reason, change_name(c.change), again);
  }
  if (!row.detectable) return row.reason;
  return fmt::format("{}; a change of {} would show", row.reason,
                     shown_amount(row, *row.detectable));
}

std::string table_line(const std::string& name, const Cells& c) {
  static_assert(kNameColumns + 9 + 9 + 8 + 17 + 6 + 8 + 7 + 9 + 1 + 12 <= kTableColumns);
  const std::string cells =
      fmt::format("{:>9}{:>9}{:>8}{:>17}{:>6}{:>8}{:>7}{:>9} {}", c.old_value, c.new_value,
                  c.estimate, c.interval, c.n, c.p, c.effect, c.noise_floor, c.verdict);
  if (static_cast<int>(name.size()) < kNameColumns) {
    return fmt::format("{:<{}}{}\n", name, kNameColumns, cells);
  }
  return fmt::format("{}\n{:<{}}{}\n", name, "", kNameColumns, cells);
}

std::string side_text(const Side& side) {
  const auto value = [&side](std::string_view field) {
    const auto found = side.identity.find(field);
    return found == side.identity.end() ? std::string("unknown") : found->second;
  };
  return fmt::format("{} ({} launch{}; commit {}, kernel {}, libbpf {})", side.path, side.launches,
                     side.launches == 1 ? "" : "es", value("build.commit"), value("kernel.release"),
                     value("build.libbpf"));
}

// The inputs, what differs between them, and what was forced: one line each, without markup.
std::vector<std::string> head_lines(const Comparison& comparison) {
  std::vector<std::string> lines;
  if (comparison.is_column_comparison()) {
    lines.push_back(
        fmt::format("{}, by {}", side_text(comparison.old_side), comparison.column_key));
  } else {
    lines.push_back("OLD  " + side_text(comparison.old_side));
    lines.push_back("NEW  " + side_text(comparison.new_side));
  }
  for (const Difference& difference : comparison.notable) lines.push_back(to_text(difference));
  const std::size_t shown = std::min(comparison.forced.size(), kShownForced);
  for (std::size_t i = 0; i < shown; ++i) lines.push_back("FORCED: " + comparison.forced[i]);
  if (shown < comparison.forced.size()) {
    lines.push_back(fmt::format("FORCED: {} more", comparison.forced.size() - shown));
  }
  return lines;
}

// Where noise was seen above the threshold of interest, "same" says less than the reader may think.
std::vector<std::string> noise_lines(const Comparison& comparison) {
  std::size_t noisy = 0;
  double largest = 0;
  for (const Row& row : comparison.rows) {
    if (!row.noise_source.starts_with("A/A'") || !row.as_ratio) continue;
    ++noisy;
    largest = std::max(largest, row.noise_floor);
  }
  if (noisy == 0) return {};
  return {
      fmt::format("noise: in {} of {} rows identical code differed by more than the threshold, "
                  "by up to {:.1f} %; smaller changes cannot be seen there",
                  noisy, comparison.rows.size(), largest * 100)};
}

std::vector<std::string> tail_lines(const Comparison& comparison) {
  std::vector<std::string> lines = noise_lines(comparison);
  for (const MissingRow& m : comparison.missing) {
    lines.push_back(fmt::format("missing in {}: {} ({})", m.side, m.name, m.reason));
  }
  for (const Absence& a : comparison.unmeasured) {
    lines.push_back(fmt::format("without a number: {} ({})", a.name, a.reason));
  }
  return lines;
}

std::string rule_line(const Comparison& comparison) {
  const std::string_view verdict = comparison.is_column_comparison() ? "slower" : "regression";
  return fmt::format(
      "{}: the 95 % interval of the medians lies beyond the floor, and p "
      "(Mann-Whitney, Holm) < {:g}",
      verdict, comparison.rules.alpha);
}

std::string table(const Comparison& comparison) {
  std::string text;
  for (const std::string& line : head_lines(comparison)) text += line + "\n";
  text += "\n";
  const Cells titles{"old", "new",    "new/old", "95 % interval", "n",
                     "p",   "effect", "floor",   "verdict"};
  text += table_line("benchmark", titles);
  text += fmt::format("{:-<{}}\n", "", kTableColumns);
  // Too few launches is the reason of many rows, if of any.
  std::map<std::string, std::size_t> shared_reasons;
  for (const Row& row : comparison.rows) {
    text += table_line(shown_name(row), cells_of(row));
    if (row.detectable || row.confirmation) {
      text += fmt::format("    {}\n", explanation(row));
    } else if (!row.reason.empty()) {
      ++shared_reasons[row.reason];
    }
  }
  for (const auto& [reason, rows] : shared_reasons) {
    text += fmt::format("{} inconclusive: {}\n", rows, reason);
  }
  for (const std::string& line : tail_lines(comparison)) text += line + "\n";
  return text + fmt::format("\n{}\n{}\n", summary_line(comparison), rule_line(comparison));
}

constexpr std::string_view kMarkdownHead =
    "| benchmark | old | new | new/old | 95 % interval | n | p | effect | floor | verdict |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|\n";

std::string markdown_row(const Row& row) {
  const Cells c = cells_of(row);
  std::string verdict = row.change == Change::kSame || row.change == Change::kInconclusive
                            ? c.verdict
                            : fmt::format("**{}**", c.verdict);
  if (!row.reason.empty() || row.confirmation)
    verdict += fmt::format(" ({})", markdown_text(explanation(row)));
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
                     markdown_text(shown_name(row)), c.old_value, c.new_value, c.estimate,
                     c.interval, c.n, c.p, c.effect, c.noise_floor, verdict);
}

// What needs a reader comes first; everything is in the fold.
std::string markdown(const Comparison& comparison) {
  std::string text = fmt::format("### {}\n\n", summary_line(comparison));
  for (const std::string& line : head_lines(comparison)) {
    text += fmt::format("- {}\n", markdown_text(line));
  }
  std::size_t lines_cut = 0;
  const auto append = [&](const std::string& line) {
    if (text.size() + line.size() > kMaxMarkdownBytes) {
      ++lines_cut;
    } else {
      text += line;
    }
  };
  const auto changed = [](const Row& row) {
    return row.change == Change::kRegression || row.change == Change::kImprovement;
  };
  if (std::ranges::any_of(comparison.rows, changed)) text += fmt::format("\n{}", kMarkdownHead);
  for (const Row& row : comparison.rows) {
    if (changed(row)) append(markdown_row(row));
  }
  text += "\n";
  for (const std::string& line : tail_lines(comparison)) {
    append(fmt::format("- {}\n", markdown_text(line)));
  }
  text += fmt::format("\n<details><summary>All {} rows</summary>\n\n{}", comparison.rows.size(),
                      kMarkdownHead);
  for (const Row& row : comparison.rows) append(markdown_row(row));
  text += "\n</details>\n\n";
  if (lines_cut > 0)
    text += fmt::format("{} lines left out: too large for a summary\n\n", lines_cut);
  return text + fmt::format("{}\n", markdown_text(rule_line(comparison)));
}

}  // namespace

std::string shown_amount(const Row& row, double value) {
  if (row.as_ratio) return fmt::format("{:.1f} %", value * 100);
  return shown_number(value) + (row.metric.is_ns ? " ns" : "");
}

std::string shown_name(const Row& row) {
  std::string name = row.name;
  if (!row.old_label.empty()) {
    name.replace(name.find(":*") + 1, 1, fmt::format("{}|{}", row.old_label, row.new_label));
  }
  const bool usual = row.metric.name == "net_ns" || row.metric.name == "least_net_ns";
  return usual ? name : fmt::format("{} [{}]", name, row.metric.name);
}

std::string shown_change(const Row& row) {
  const bool changed = row.change == Change::kRegression || row.change == Change::kImprovement;
  if (row.old_label.empty() || !changed) return change_name(row.change);
  const bool worse = row.change == Change::kRegression;
  if (row.metric.is_ns) return worse ? "slower" : "faster";
  return worse ? "worse" : "better";
}

std::string summary_line(const Comparison& comparison) {
  const std::size_t worse = comparison.count(Change::kRegression);
  const std::size_t better = comparison.count(Change::kImprovement);
  const std::string changes =
      comparison.is_column_comparison()
          ? fmt::format("{} worse, {} better", worse, better)
          : fmt::format("{} regression{}, {} improvement{}", worse, worse == 1 ? "" : "s", better,
                        better == 1 ? "" : "s");
  return fmt::format("{} row{}: {}, {} same, {} inconclusive; {} missing; {} without a number",
                     comparison.rows.size(), comparison.rows.size() == 1 ? "" : "s", changes,
                     comparison.count(Change::kSame), comparison.count(Change::kInconclusive),
                     comparison.missing.size(), comparison.unmeasured.size());
}

std::string render(const Comparison& comparison, ReportFormat format, const ExitRules& rules) {
  switch (format) {
    case ReportFormat::kTable:
      break;
    case ReportFormat::kMarkdown:
      return markdown(comparison);
    case ReportFormat::kJson:
      return comparison_json(comparison, rules);
    case ReportFormat::kCsv:
      return comparison_csv(comparison);
    case ReportFormat::kJunit:
      return comparison_junit(comparison, rules);
  }
  return table(comparison);
}

}  // namespace bpfmark
