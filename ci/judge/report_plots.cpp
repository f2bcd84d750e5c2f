// SPDX-License-Identifier: BSD-2-Clause
// The sections of a report that are plots.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ci/judge/compare_report.h"
#include "ci/judge/html.h"
#include "ci/judge/ladder.h"
#include "ci/judge/report_page.h"
#include "ci/judge/shown_text.h"
#include "ci/judge/svg_plot.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;

// More would make the page heavy, and nobody looks at them; a line says what was left out.
constexpr std::size_t kMostLadders = 40, kMostRungs = 30, kMostForestRows = 60, kMostSeries = 100;

std::string ladder_figure(const Ladder& ladder, const std::vector<ShownCase>& cases) {
  DotPlot plot{.title = fmt::format("{}: net cost by {}", ladder.name, ladder.key),
               .unit = "net, ns per operation",
               .from_zero = true};
  for (const Ladder::Rung& rung : ladder.rungs) {
    const ShownCase& shown = cases[rung.benchmark];
    if (!shown.net_ns || plot.rows.size() == kMostRungs) continue;
    plot.rows.push_back({.label = rung.value,
                         .value = *shown.net_ns,
                         .interval = shown.interval,
                         .note = fmt::format("{}, n {}{}", shown_ns(*shown.net_ns), shown.n(),
                                             shown.resolved() ? "" : ", not resolved"),
                         .tone = shown.resolved() ? "" : "weak"});
  }
  if (plot.rows.size() < 2) return {};
  return figure(ladder.name, dot_plot_svg(plot),
                fmt::format("by {}; whiskers are 95 % intervals{}", ladder.key,
                            ladder.rungs.size() > kMostRungs ? "; cut off" : ""),
                "");
}

std::string series_figure(const History& history, const TrackedSeries& tracked, PlotData& data) {
  const Series& series = *tracked.series;
  TimePlot plot{.title = fmt::format("{} over {} runs", series.benchmark, series.values.size()),
                .unit = tracked.metric.name,
                .values = series.values,
                .first_label = history.runs[series.runs.front()].date,
                .last_label = history.runs[series.runs.back()].date};
  std::vector<std::size_t> edges = tracked.segments, break_places, change_places;
  for (std::size_t i = 1; i < tracked.segments.size(); ++i) {
    const std::size_t place = tracked.segments[i];
    const auto differences =
        environment_differences(history.runs[series.runs[place - 1]].environment,
                                history.runs[series.runs[place]].environment);
    std::string text = "break: ";
    for (const Difference& difference : differences) text += to_text(difference) + "; ";
    plot.breaks.push_back({.place = place, .text = text, .tone = ""});
    break_places.push_back(place);
  }
  std::string list;
  for (const LevelChange& change : tracked.changes) {
    const char* const tone = change.row.change == Change::kRegression ? "worse" : "better";
    const std::string text = to_text(change, history);
    plot.changes.push_back({.place = change.place, .text = text, .tone = tone});
    change_places.push_back(change.place);
    edges.push_back(change.place);
    list += fmt::format("<li class=\"{}\">{}{}</li>\n", tone, escape_html(text),
                        change.is_news ? " (recent)" : "");
  }
  for (const TimePlot::Mark& mark : plot.breaks) {
    list += fmt::format("<li class=\"muted\">{}</li>\n", escape_html(mark.text));
  }
  edges.push_back(series.values.size());
  std::ranges::sort(edges);
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    const Values level = Values(series.values).subspan(edges[i], edges[i + 1] - edges[i]);
    if (const auto middle = median(level)) plot.levels.push_back({edges[i], edges[i + 1], *middle});
  }
  const std::string name = fmt::format("series-{}", data.plots.size());
  std::vector<std::size_t> places(series.values.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  data.plots[name] = {{"unit", tracked.metric.name},
                      {"runs", series.runs},
                      {"breaks", break_places},
                      {"changes", change_places},
                      {"data", ordered_json::array({places, series.values})}};
  std::string title = series.benchmark;
  if (!series.label.empty()) title += fmt::format(" ({})", series.label);
  std::string html =
      figure(title, time_svg(plot),
             fmt::format("{}, n {} runs{}", tracked.metric.name, series.values.size(),
                         tracked.too_short ? "; too few in the newest environment" : ""),
             name);
  if (!list.empty()) html += fmt::format("<ul class=\"plain\">{}</ul>\n", list);
  return html;
}

}  // namespace

std::string left_out(std::size_t all, std::size_t shown, const char* what) {
  if (all <= shown) return {};
  return fmt::format("<p class=\"muted\">{} more {} are not drawn.</p>\n", all - shown, what);
}

std::string figure(const std::string& title, const std::string& svg, const std::string& caption,
                   const std::string& plot_name) {
  std::string html = fmt::format("<figure><h3>{}</h3>\n{}", escape_html(title), svg);
  html += fmt::format("<figcaption>{}", escape_html(caption));
  if (!plot_name.empty()) {
    html += fmt::format(
        " <button type=\"button\" class=\"plotted\" data-plot=\"{}\" "
        "aria-pressed=\"false\">Interactive plot</button>",
        plot_name);
  }
  return html + "</figcaption></figure>\n";
}

std::string ladders_section(const ReportContent& content) {
  std::vector<std::string> names;
  std::vector<ShownCase> cases;
  for (const BenchmarkSamples& benchmark : content.result.benchmarks) {
    names.push_back(benchmark.name);
    cases.push_back(shown_case(benchmark, content.result.files.size()));
  }
  const std::vector<Ladder> ladders = find_ladders(names, 2);
  std::string figures;
  std::size_t drawn = 0;
  for (const Ladder& ladder : ladders) {
    if (drawn == kMostLadders) break;
    const std::string one = ladder_figure(ladder, cases);
    drawn += !one.empty();
    figures += one;
  }
  if (figures.empty()) return {};
  return "<section><h2 id=\"ladders\">Ladders</h2>\n<p>Cases that differ in one key of their name "
         "alone.</p>\n" +
         figures + left_out(ladders.size(), kMostLadders, "ladders") + "</section>\n";
}

std::string comparison_section(const ReportContent& content) {
  if (!content.comparison) return {};
  const Comparison& comparison = *content.comparison;
  std::string html = fmt::format(
      "<section><h2 id=\"comparison\">Comparison</h2>\n<p>{}</p>\n<dl class=\"facts\"><dt>old</dt>"
      "<dd>{} ({} launches)</dd><dt>new</dt><dd>{} ({} launches)</dd></dl>\n",
      escape_html(summary_line(comparison)), escape_html(comparison.old_side.path),
      comparison.old_side.launches, escape_html(comparison.new_side.path),
      comparison.new_side.launches);
  std::vector<std::string> notes = comparison.forced;
  for (std::string& note : notes) note.insert(0, "FORCED: ");
  for (const Difference& difference : comparison.notable) notes.push_back(to_text(difference));
  html += "<ul class=\"plain\">\n";
  for (const std::string& note : notes) html += fmt::format("<li>{}</li>\n", escape_html(note));
  html += "</ul>\n";
  std::vector<const Row*> rows;
  for (const Row& row : comparison.rows) {
    if (row.as_ratio && row.interval) rows.push_back(&row);
  }
  // What changed first, then by the size of the change.
  std::ranges::stable_sort(rows, {}, [](const Row* row) {
    return std::pair(row->change, -std::abs(std::log(row->estimate)));
  });
  DotPlot plot{.title = "Change by case, with 95 % intervals",
               .unit = "new over old; grey: the threshold",
               .reference = 0,
               .band = comparison.rules.threshold,
               .as_percent = true};
  for (const Row* row : rows) {
    if (plot.rows.size() == kMostForestRows) break;
    plot.rows.push_back(
        {.label = shown_name(*row),
         .value = row->estimate - 1,
         .interval = Interval{.lo = row->interval->lo - 1, .hi = row->interval->hi - 1},
         .note = fmt::format("{:+.1f} %, n {}/{}, {}", (row->estimate - 1) * 100, row->old_n,
                             row->new_n, shown_change(*row)),
         .tone = row->change == Change::kRegression     ? "worse"
                 : row->change == Change::kImprovement  ? "better"
                 : row->change == Change::kInconclusive ? "weak"
                                                        : ""});
  }
  if (!plot.rows.empty()) {
    html += figure("Change by case", dot_plot_svg(plot), "dots: ratio of medians", "") +
            left_out(rows.size(), kMostForestRows, "cases");
  }
  return html + comparison_table(comparison) + "</section>\n";
}

std::string history_section(const ReportContent& content, PlotData& data) {
  if (!content.history || !content.track || content.track->series.empty()) return {};
  const History& history = *content.history;
  for (const TrackedRun& run : history.runs) {
    data.runs.push_back(fmt::format("{} {} {}", run.date, run.commit, run.label));
  }
  std::vector<const TrackedSeries*> order;
  for (const TrackedSeries& tracked : content.track->series) order.push_back(&tracked);
  std::ranges::stable_sort(order, {}, [](const TrackedSeries* tracked) {
    const bool news = std::ranges::any_of(tracked->changes, &LevelChange::is_news);
    return news ? 0 : tracked->changes.empty() ? 2 : 1;
  });
  std::string html = fmt::format(
      "<section><h2 id=\"history\">History</h2>\n<p>{}: {} runs, {} series, {} breaks. Lines are "
      "levels, triangles changes, dotted lines breaks: the environment changed, and levels on both "
      "sides are not compared.</p>\n",
      escape_html(history.path), history.runs.size(), content.track->series.size(),
      content.track->breaks.size());
  for (std::size_t i = 0; i < std::min(order.size(), kMostSeries); ++i) {
    html += series_figure(history, *order[i], data);
  }
  return html + left_out(order.size(), kMostSeries, "series without a change") + "</section>\n";
}

}  // namespace bpfmark
