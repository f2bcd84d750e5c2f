// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <nlohmann/json.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "ci/judge/compare.h"
#include "ci/judge/history.h"
#include "ci/judge/result_file.h"
#include "ci/judge/track.h"

namespace bpfmark {

// What a report is about. `result` must have been read with kReportMetrics and details.
struct ReportContent {
  ResultSet result;
  std::optional<Comparison> comparison;
  std::optional<History> history;
  std::optional<TrackAnalysis> track;  // of `history`
};

// What the table of latencies shows of a case.
inline constexpr std::array<const char*, 7> kLatencyMetrics = {
    "samples", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns", "lost"};

// Which metrics a report shows, or needs for the grade of the environment.
std::vector<std::string> report_metrics();

// One page of HTML that needs nothing else: the same content gives the same text. All text of files
// is escaped, and a policy in its head lets nothing run or load but what this program embedded.
std::string report_page(const ReportContent& content);

// Its sections, in report_sections.cpp, report_latency.cpp and report_plots.cpp; each is empty
// where there is nothing. Plots that a script can take over leave their numbers in `plots`, by a
// name.
struct PlotData {
  nlohmann::ordered_json plots = nlohmann::ordered_json::object();
  nlohmann::ordered_json runs = nlohmann::ordered_json::array();
};
std::string summary_section(const ReportContent& content);
std::string environment_section(const ReportContent& content);
std::string results_section(const ReportContent& content);
std::string absences_section(const ReportContent& content);
std::string identity_section(const ReportContent& content);
std::string ladders_section(const ReportContent& content);
std::string latency_section(const ReportContent& content, PlotData& data);
std::string trials_section(const ReportContent& content);
std::string comparison_section(const ReportContent& content);
std::string history_section(const ReportContent& content, PlotData& data);

// A plot with its title; by `plot_name` its numbers are in PlotData, "" for one without.
std::string figure(const std::string& title, const std::string& svg, const std::string& caption,
                   const std::string& plot_name);

// A line about what is not drawn, where that is something.
std::string left_out(std::size_t all, std::size_t shown, const char* what);

// The rows of a comparison as a table, and what one side lacks.
std::string comparison_table(const Comparison& comparison);

// A case as the report shows it.
struct ShownCase {
  std::string name;
  std::optional<double> net_ns, raw_ns, floor_ns;  // medians over the launches
  std::optional<Interval> interval;  // of net: the file's own, or over six launches and more
  std::size_t launches = 0, loads = 0;
  std::size_t foreign_programs = 0;  // on the hook that was measured
  std::string verdict;
  bool resolved() const { return verdict.empty() || verdict == "resolved"; }
  std::string n() const;  // "12" loads, or "10 launches"
};
ShownCase shown_case(const BenchmarkSamples& benchmark, std::size_t files);

}  // namespace bpfmark
