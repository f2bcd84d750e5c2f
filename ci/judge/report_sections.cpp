// SPDX-License-Identifier: BSD-2-Clause
// The sections of a report that are text and tables.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ci/judge/compare_report.h"
#include "ci/judge/environment_grade.h"
#include "ci/judge/html.h"
#include "ci/judge/report_page.h"
#include "ci/judge/report_table.h"
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

std::vector<std::string> arguments_of(const Identity& identity) {
  std::vector<std::string> arguments;
  for (;;) {
    const auto found = identity.find(fmt::format("arguments[{}]", arguments.size()));
    if (found == identity.end()) return arguments;
    arguments.push_back(found->second);
  }
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
      "<h3>Skips</h3>\n" + open_table("skips-table", result.skip_list.size(),
                                      "Cases that cannot run here: no number, and no failure",
                                      {{"case"}, {"lacks"}, {"cause"}, {"remedy"}});
  for (const Absence& skip : result.skip_list) {
    html += "<tr>" + name_cell(skip.name) + text_cell(skip.capability) + text_cell(skip.reason) +
            text_cell(skip.remedy) + "</tr>\n";
  }
  return html.append(kCloseTable);
}

std::string failed_table(const ResultSet& result) {
  if (result.failures.empty()) return {};
  std::string html = "<h3 class=\"worse\">Failures</h3>\n" +
                     open_table("failures-table", result.failures.size(),
                                "Cases that gave a wrong answer or broke", {{"case"}, {"message"}});
  for (const auto& [name, message] : result.failures) {
    html += "<tr>" + name_cell(name) + text_cell(message, "worse") + "</tr>\n";
  }
  return html.append(kCloseTable);
}

// "steal: 0.0200 of the CPU's time"
std::string finding_text(const EnvironmentFinding& finding) {
  return fmt::format("{}: {}{}{}", finding.subject, finding.value.empty() ? "none" : finding.value,
                     finding.unit.empty() ? "" : " ", finding.unit);
}

std::string finding_item(const EnvironmentFinding& finding) {
  const char* const css = finding.weight >= Weight::kMajor   ? "worse"
                          : finding.weight == Weight::kMinor ? "warn"
                                                             : "muted";
  std::string html =
      fmt::format("<li><span class=\"{}\">{}", css, escape_html(finding_text(finding)));
  if (!finding.why.empty()) html += fmt::format(" ({})", escape_html(finding.why));
  html += "</span>";
  if (!finding.remedy.empty()) {
    html += fmt::format(" <span class=\"muted\">&rarr; {}</span>", escape_html(finding.remedy));
  }
  return html + "</li>\n";
}

// One line for all findings of a weight that need no more.
std::string finding_line(const char* title, const EnvironmentGrade& grade, Weight weight) {
  std::string list;
  for (const EnvironmentFinding& finding : grade.findings) {
    if (finding.weight != weight) continue;
    list += (list.empty() ? "" : ", ") +
            (weight == Weight::kUnseen ? finding.subject : finding_text(finding));
  }
  if (list.empty()) return {};
  return fmt::format("<p class=\"muted\">{}: {}.</p>\n", title, escape_html(list));
}

// By program, for one that sits on a hook is there for every case that measures it.
std::string foreign_table(const ResultSet& result) {
  const std::vector<ForeignOnHooks> programs = foreign_programs(result);
  if (programs.empty()) return {};
  std::string html =
      "<h3>Programs of others</h3>\n" +
      open_table(
          "foreign-table", programs.size(),
          "BPF programs of others on the hooks that were measured: they are part of raw and "
          "floor there",
          {{"program"}, {"type"}, {"tag"}, {"attached to"}, {"cases", true}, {"first case"}});
  for (const ForeignOnHooks& one : programs) {
    const std::string name = one.program->text("name");
    html += "<tr>" + name_cell(name.empty() ? "-" : name) + text_cell(one.program->text("type")) +
            text_cell(one.program->text("tag")) + text_cell(one.program->text("attach")) +
            number_cell(static_cast<double>(one.cases), fmt::format("{}", one.cases), "") +
            name_cell(*one.first_case) + "</tr>\n";
  }
  return html.append(kCloseTable);
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
  shown.launches = std::max(samples("net_ns").size(), samples("real_time").size());
  shown.loads = benchmark.details.loads;
  shown.verdict = benchmark.details.verdict;
  shown.foreign_programs = benchmark.details.foreign_programs.size();
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
  EnvironmentGrade grade = grade_environment(content.result);
  std::ranges::stable_sort(grade.findings, std::ranges::greater(), &EnvironmentFinding::weight);
  const char* const tone = grade.letter <= 'B' ? "better" : grade.letter == 'C' ? "warn" : "worse";
  std::string html = fmt::format(
      "<section><h2 id=\"environment\">Environment</h2>\n<div class=\"grade\"><div class=\"letter "
      "{}\" "
      "aria-label=\"grade {}\">{}</div><div>",
      tone, grade.letter, grade.letter);
  std::string items;
  for (const EnvironmentFinding& finding : grade.findings) {
    if (finding.weight >= Weight::kNote) items += finding_item(finding);
  }
  html +=
      items.empty() ? "<p>nothing speaks against it</p>\n" : fmt::format("<ul>\n{}</ul>\n", items);
  html += finding_line("As it should be", grade, Weight::kGood) +
          finding_line("Not told by a result", grade, Weight::kUnseen);
  return html +
         "<p class=\"muted\">A: nothing speaks against the numbers. B: one or two minor "
         "things. "
         "C: more, or a major one. D: several major ones. F: not for judging.</p></div></div>\n" +
         foreign_table(content.result) + "</section>\n";
}

std::string results_section(const ReportContent& content) {
  const ResultSet& result = content.result;
  std::string html =
      "<section><h2 id=\"results\">Results</h2>\n" +
      open_table("results-table", result.benchmarks.size(),
                 "Nanoseconds per operation. net: raw less floor, the paired difference, with its "
                 "95 % interval. n: loads, each laid out in memory anew; or launches, where there "
                 "are several.",
                 {{"case"},
                  {"net", true},
                  {"from", true},
                  {"to", true},
                  {"raw", true},
                  {"floor", true},
                  {"n", true},
                  {"verdict"}});
  for (const BenchmarkSamples& benchmark : result.benchmarks) {
    const ShownCase shown = shown_case(benchmark, result.files.size());
    const char* const css = shown.resolved() ? "" : "weak";
    std::optional<double> lo, hi;
    if (shown.interval) {
      lo = shown.interval->lo;
      hi = shown.interval->hi;
    }
    std::string verdict = shown.verdict;
    if (shown.foreign_programs > 0) {
      verdict += fmt::format("{}programs of others: {}", verdict.empty() ? "" : "; ",
                             shown.foreign_programs);
    }
    html += "<tr>" + name_cell(shown.name) + number_cell(shown.net_ns, css) + number_cell(lo, css) +
            number_cell(hi, css) + number_cell(shown.raw_ns) + number_cell(shown.floor_ns) +
            number_cell(static_cast<double>(shown.launches > 1 ? shown.launches : shown.loads),
                        shown.n(), "") +
            text_cell(verdict, shown.resolved() ? "verdict" : "verdict weak") + "</tr>\n";
  }
  return html.append(kCloseTable) + "</section>\n";
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
  std::string html = open_table(
      "comparison-table", comparison.rows.size(),
      "Medians over launches; new over old with its 95 % interval, or new minus old where a value "
      "is not above 0; p of the Mann-Whitney test with Holm's correction",
      {{"case"},
       {"old", true},
       {"new", true},
       {"new/old", true},
       {"from", true},
       {"to", true},
       {"n", true},
       {"p", true},
       {"verdict"}});
  for (const Row& row : comparison.rows) {
    std::optional<double> lo, hi;
    if (row.interval) {
      lo = row.interval->lo;
      hi = row.interval->hi;
    }
    const std::string reason = row.reason.empty() ? ""
                                                  : fmt::format(" <span class=\"muted\">{}</span>",
                                                                escape_html(row.reason));
    html += "<tr>" + name_cell(shown_name(row)) + number_cell(row.old_median) +
            number_cell(row.new_median) + number_cell(row.estimate) + number_cell(lo) +
            number_cell(hi) +
            number_cell(static_cast<double>(std::min(row.old_n, row.new_n)),
                        fmt::format("{}/{}", row.old_n, row.new_n), "") +
            number_cell(row.p_holm.value_or(2),
                        row.p_holm ? fmt::format("{:.2g}", *row.p_holm) : "–", "") +
            fmt::format("<td><span class=\"{}\">{}</span>{}</td></tr>\n", tone_of(row.change),
                        shown_change(row), reason);
  }
  html += kCloseTable;
  if (comparison.missing.empty()) return html;
  html += "<h3>Missing on one side</h3><ul class=\"plain\">\n";
  for (const MissingRow& missing : comparison.missing) {
    html += fmt::format("<li>{} in {}: {}</li>\n", escape_html(missing.name),
                        escape_html(missing.side), escape_html(missing.reason));
  }
  return html + "</ul>\n";
}

}  // namespace bpfmark
