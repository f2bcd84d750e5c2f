// SPDX-License-Identifier: BSD-2-Clause
// The sections of a report that are text and tables.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ci/judge/compare_report.h"
#include "ci/judge/environment_grade.h"
#include "ci/judge/html.h"
#include "ci/judge/report_page.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {
namespace {

std::string value_of(const Identity& identity, std::string_view field) {
  const auto found = identity.find(field);
  return found == identity.end() ? std::string() : found->second;
}

std::string tile(const char* name, const std::string& value, const char* css = "") {
  return fmt::format("<div><dt>{}</dt><dd class=\"{}\">{}</dd></div>\n", name, css,
                     escape_html(value));
}

std::string fact(const char* name, const std::string& value) {
  if (value.empty()) return {};
  return fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escape_html(value));
}

// A cell that sorts by its number; without one it says so.
std::string number_cell(const std::optional<double>& value, const char* css = "") {
  if (!value) return "<td class=\"num muted\">&ndash;</td>";
  return fmt::format("<td class=\"num {}\" data-v=\"{}\">{}</td>", css, *value,
                     shown_number(*value));
}

std::vector<std::string> arguments_of(const Identity& identity) {
  std::vector<std::string> arguments;
  for (;;) {
    const auto found = identity.find(fmt::format("arguments[{}]", arguments.size()));
    if (found == identity.end()) return arguments;
    arguments.push_back(found->second);
  }
}

std::string filter_tools(const std::string& table, std::size_t rows) {
  return fmt::format(
      "<div class=\"tools scripted\"><label>Filter <input type=\"search\" data-table=\"{}\" "
      "placeholder=\"words that occur in the row\"></label> <span class=\"muted\" id=\"{}-count\" "
      "role=\"status\">{} rows</span></div>\n",
      table, table, rows);
}

const char* tone_of(Change change) {
  switch (change) {
    case Change::kRegression:
      return "worse";
    case Change::kImprovement:
      return "better";
    case Change::kSame:
      return "";
    case Change::kInconclusive:
      return "weak";
  }
  return "";
}

std::string skipped_table(const ResultSet& result) {
  if (result.skip_list.empty()) return {};
  std::string html =
      "<h3>Skips</h3>\n" + filter_tools("skips-table", result.skip_list.size()) +
      "<div class=\"scroll\"><table class=\"sortable\" id=\"skips-table\"><caption>Cases that "
      "cannot "
      "run here: no number, and no failure</caption><thead><tr><th scope=\"col\">case</th><th "
      "scope=\"col\">lacks</th><th scope=\"col\">cause</th><th "
      "scope=\"col\">remedy</th></tr></thead>"
      "<tbody>\n";
  for (const Absence& skip : result.skip_list) {
    html += fmt::format("<tr><td class=\"name\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        escape_html(skip.name), escape_html(skip.capability),
                        escape_html(skip.reason), escape_html(skip.remedy));
  }
  return html + "</tbody></table></div>\n";
}

std::string failed_table(const ResultSet& result) {
  if (result.failures.empty()) return {};
  std::string html =
      "<h3 class=\"worse\">Failures</h3>\n<div class=\"scroll\"><table class=\"sortable\" "
      "id=\"failures-table\"><caption>Cases that gave a wrong answer or "
      "broke</caption><thead><tr><th "
      "scope=\"col\">case</th><th scope=\"col\">message</th></tr></thead><tbody>\n";
  for (const auto& [name, message] : result.failures) {
    html += fmt::format("<tr><td class=\"name\">{}</td><td class=\"worse\">{}</td></tr>\n",
                        escape_html(name), escape_html(message));
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string ShownCase::n() const {
  if (launches > 1) return fmt::format("{} launches", launches);
  return loads > 0 ? fmt::format("{}", loads) : "–";
}

ShownCase shown_case(const BenchmarkSamples& benchmark, std::size_t files) {
  ShownCase shown{.name = benchmark.name};
  const auto samples = [&](const char* metric) -> Values {
    const auto found = benchmark.metrics.find(metric);
    return found == benchmark.metrics.end() ? Values() : Values(found->second);
  };
  shown.net_ns = median(samples("net_ns"));
  shown.raw_ns = median(samples("real_time"));
  shown.floor_ns = median(samples("floor_ns"));
  shown.p50_ns = median(samples("p50_ns"));
  shown.p99_ns = median(samples("p99_ns"));
  shown.launches = std::max(samples("net_ns").size(), samples("real_time").size());
  shown.loads = benchmark.details.loads;
  shown.verdict = benchmark.details.verdict;
  if (files > 1) {
    shown.interval = order_statistic_interval_median(samples("net_ns"));
  } else if (const auto lo = median(samples("net_lo_ns")), hi = median(samples("net_hi_ns"));
             lo && hi) {
    shown.interval = Interval{.lo = *lo, .hi = *hi};
  }
  return shown;
}

std::string summary_section(const ReportContent& content) {
  const ResultSet& result = content.result;
  std::size_t unresolved = 0;
  for (const BenchmarkSamples& benchmark : result.benchmarks) {
    unresolved += !shown_case(benchmark, result.files.size()).resolved();
  }
  std::string html = "<section id=\"summary\" aria-label=\"Summary\">\n<dl class=\"tiles\">\n";
  html += tile("cases with a number", fmt::format("{}", result.benchmarks.size()));
  html +=
      tile("of these not resolved", fmt::format("{}", unresolved), unresolved > 0 ? "warn" : "");
  html += tile("skipped", fmt::format("{}", result.skip_list.size()));
  html += tile("failed", fmt::format("{}", result.failures.size()),
               result.failures.empty() ? "" : "worse");
  if (content.comparison) {
    const auto worse = content.comparison->count(Change::kRegression);
    html += tile("regressions", fmt::format("{}", worse), worse > 0 ? "worse" : "better");
  }
  if (content.track) {
    const auto news = content.track->news(Change::kRegression);
    html += tile("recent regressions in the history", fmt::format("{}", news),
                 news > 0 ? "worse" : "better");
  }
  html += "</dl>\n<dl class=\"facts\">\n";
  const Identity& identity = result.identity;
  html += fact("label", value_of(identity, "label"));
  html += fact("date", value_of(result.stock, "date"));
  html += fact("machine",
               fmt::format("{}, {} CPUs, measured on CPU {}", value_of(identity, "cpu.model"),
                           value_of(result.stock, "num_cpus"), value_of(identity, "pinned_cpu")));
  html += fact("kernel", value_of(identity, "kernel.release"));
  html += fact("bpfmark", fmt::format("{}, commit {}, {}", value_of(identity, "build.version"),
                                      value_of(identity, "build.commit"),
                                      value_of(identity, "build.build_type")));
  html += fact("result", fmt::format("{} ({} launch{})", result.path, result.files.size(),
                                     result.files.size() == 1 ? "" : "es"));
  html += "</dl>\n";
  if (const auto arguments = arguments_of(identity); !arguments.empty()) {
    html += fmt::format("<h3>To run it again</h3>\n<pre id=\"rerun\">{}</pre>\n",
                        escape_html(shell_line(arguments)));
  }
  return html + "</section>\n";
}

std::string environment_section(const ReportContent& content) {
  using Weight = EnvironmentFinding::Weight;
  const EnvironmentGrade grade = grade_environment(content.result);
  const char* const tone = grade.grade <= 'B' ? "better" : grade.grade == 'C' ? "warn" : "worse";
  std::string html = fmt::format(
      "<section><h2 id=\"environment\">Environment</h2>\n<div class=\"grade\"><div class=\"letter "
      "{}\" "
      "aria-label=\"grade {}\">{}</div><div><ul>\n",
      tone, grade.grade, grade.grade);
  for (const EnvironmentFinding& finding : grade.findings) {
    const char* const css = finding.weight >= Weight::kMajor   ? "worse"
                            : finding.weight == Weight::kMinor ? "warn"
                                                               : "muted";
    html += fmt::format("<li><span class=\"{}\">{}</span>", css, escape_html(finding.what));
    if (!finding.remedy.empty()) {
      html += fmt::format(" <span class=\"muted\">&rarr; {}</span>", escape_html(finding.remedy));
    }
    html += "</li>\n";
  }
  if (grade.findings.empty()) html += "<li>nothing speaks against it</li>\n";
  return html +
         "</ul><p class=\"muted\">A: nothing speaks against the numbers. B: one or two minor "
         "things. "
         "C: more, or a major one. D: several major ones. F: not for judging.</p></div></div>"
         "</section>\n";
}

std::string results_section(const ReportContent& content) {
  const ResultSet& result = content.result;
  std::vector<ShownCase> cases;
  bool latency = false;
  for (const BenchmarkSamples& benchmark : result.benchmarks) {
    cases.push_back(shown_case(benchmark, result.files.size()));
    latency |= cases.back().p50_ns.has_value();
  }
  const char* const quantiles =
      latency ? "<th scope=\"col\" class=\"num\">p50</th><th scope=\"col\" class=\"num\">p99</th>"
              : "";
  std::string html =
      "<section><h2 id=\"results\">Results</h2>\n" + filter_tools("results-table", cases.size()) +
      "<div class=\"scroll\"><table class=\"sortable\" id=\"results-table\"><caption>Nanoseconds "
      "per "
      "operation. net: raw less floor, the paired difference, with its 95 % interval. n: loads, "
      "each "
      "laid out in memory anew; or launches, where there are several.</caption><thead><tr><th "
      "scope=\"col\">case</th><th scope=\"col\" "
      "class=\"num\">net</th><th scope=\"col\" class=\"num\">from</th><th scope=\"col\" "
      "class=\"num\">to</th><th scope=\"col\" class=\"num\">raw</th><th scope=\"col\" "
      "class=\"num\">floor</th>" +
      std::string(quantiles) +
      "<th scope=\"col\" class=\"num\">n</th><th scope=\"col\">verdict</th></tr></thead><tbody>\n";
  for (const ShownCase& shown : cases) {
    const char* const css = shown.resolved() ? "" : "weak";
    std::optional<double> lo, hi;
    if (shown.interval) {
      lo = shown.interval->lo;
      hi = shown.interval->hi;
    }
    html += fmt::format("<tr><td class=\"name\">{}</td>", escape_html(shown.name)) +
            number_cell(shown.net_ns, css) + number_cell(lo, css) + number_cell(hi, css) +
            number_cell(shown.raw_ns) + number_cell(shown.floor_ns);
    if (latency) html += number_cell(shown.p50_ns) + number_cell(shown.p99_ns);
    html += fmt::format(
        "<td class=\"num\" data-v=\"{}\">{}</td><td class=\"verdict {}\">{}</td></tr>\n",
        shown.launches > 1 ? shown.launches : shown.loads, shown.n(), css,
        escape_html(shown.verdict));
  }
  return html + "</tbody></table></div></section>\n";
}

std::string absences_section(const ReportContent& content) {
  const std::string tables = failed_table(content.result) + skipped_table(content.result);
  if (tables.empty()) return {};
  return "<section><h2 id=\"absences\">Skips and failures</h2>\n" + tables + "</section>\n";
}

std::string identity_section(const ReportContent& content) {
  std::string html =
      "<section><h2 id=\"identity\">Identity</h2>\n<details><summary>Everything that the result "
      "says "
      "about machine, kernel and build</summary><dl class=\"facts\">\n";
  for (const Identity* part : {&content.result.stock, &content.result.identity}) {
    for (const auto& [field, value] : *part) {
      html += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(field), escape_html(value));
    }
  }
  return html + "</dl></details></section>\n";
}

std::string comparison_table(const Comparison& comparison) {
  std::string html =
      filter_tools("comparison-table", comparison.rows.size()) +
      "<div class=\"scroll\"><table class=\"sortable\" id=\"comparison-table\"><caption>Medians "
      "over "
      "launches; new over old with its 95 % interval, or new minus old where a value is not above "
      "0; "
      "p of the Mann-Whitney test with Holm's correction</caption><thead><tr><th "
      "scope=\"col\">case</th><th scope=\"col\" class=\"num\">old</th><th scope=\"col\" "
      "class=\"num\">new</th><th scope=\"col\" class=\"num\">new/old</th><th scope=\"col\" "
      "class=\"num\">from</th><th scope=\"col\" class=\"num\">to</th><th scope=\"col\" "
      "class=\"num\">n</th><th scope=\"col\" class=\"num\">p</th><th "
      "scope=\"col\">verdict</th></tr>"
      "</thead><tbody>\n";
  for (const Row& row : comparison.rows) {
    std::optional<double> lo, hi;
    if (row.interval) {
      lo = row.interval->lo;
      hi = row.interval->hi;
    }
    const std::string p = row.p_holm ? fmt::format("{:.2g}", *row.p_holm) : "–";
    const std::string reason = row.reason.empty() ? ""
                                                  : fmt::format(" <span class=\"muted\">{}</span>",
                                                                escape_html(row.reason));
    html += fmt::format("<tr><td class=\"name\">{}</td>", escape_html(shown_name(row))) +
            number_cell(row.old_median) + number_cell(row.new_median) + number_cell(row.estimate) +
            number_cell(lo) + number_cell(hi) +
            fmt::format(
                "<td class=\"num\" data-v=\"{}\">{}/{}</td><td class=\"num\" data-v=\"{}\">{}"
                "</td><td><span class=\"{}\">{}</span>{}</td></tr>\n",
                std::min(row.old_n, row.new_n), row.old_n, row.new_n, row.p_holm.value_or(2), p,
                tone_of(row.change), shown_change(row), reason);
  }
  html += "</tbody></table></div>\n";
  if (comparison.missing.empty()) return html;
  html += "<h3>Missing on one side</h3><ul class=\"plain\">\n";
  for (const MissingRow& missing : comparison.missing) {
    html += fmt::format("<li>{} in {}: {}</li>\n", escape_html(missing.name),
                        escape_html(missing.side), escape_html(missing.reason));
  }
  return html + "</ul>\n";
}

}  // namespace bpfmark
