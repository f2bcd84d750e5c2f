// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "ci/judge/environment_grade.h"
#include "ci/judge/html.h"
#include "ci/judge/report_assets.h"

namespace bpfmark {
namespace {

unsigned value_of_digit(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); }

// As a content security policy names a hash: "'sha256-...='".
std::string policy_hash(std::string_view hexadecimal) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : hexadecimal) {
    bits = (bits << 4 | value_of_digit(c)) & 0xffff;
    held += 4;
    if (held < 6) continue;
    held -= 6;
    text += kDigits[bits >> held & 63];
  }
  // 256 bits: 42 digits and four bits more.
  text += kDigits[bits << (6 - held) & 63];
  return fmt::format("'sha256-{}='", text);
}

std::string hashes(const std::vector<const Asset*>& assets) {
  std::string text;
  for (const Asset* asset : assets) {
    if (!asset->content.empty()) text += fmt::format(" {}", policy_hash(asset->sha256));
  }
  return text;
}

std::string element(const char* name, const Asset& asset) {
  if (asset.content.empty()) return {};
  return fmt::format("<{}>{}</{}>\n", name, asset.content, name);
}

std::string navigation(const std::vector<std::pair<const char*, std::string>>& sections) {
  std::string html = "<nav aria-label=\"Sections\">";
  for (const auto& [title, section] : sections) {
    if (section.empty()) continue;
    const auto start = section.find("id=\"") + 4;
    html += fmt::format("<a href=\"#{}\">{}</a>",
                        section.substr(start, section.find('"', start) - start), title);
  }
  return html + "</nav>\n";
}

std::string title_of(const ReportContent& content) {
  const auto label = content.result.identity.find("label");
  if (label != content.result.identity.end()) return fmt::format("bpfmark: {}", label->second);
  return fmt::format("bpfmark: {}", content.result.path);
}

std::string licence() {
  if (kPlotLicence.empty()) return {};
  return fmt::format(
      "<details><summary>Licence of uPlot, which draws the interactive plots</summary><pre>{}</pre>"
      "</details>\n",
      escape_html(kPlotLicence));
}

}  // namespace

std::vector<std::string> report_metrics() {
  std::vector<std::string> metrics = {"net_ns", "net_lo_ns", "net_hi_ns", "floor_ns", "real_time"};
  metrics.insert(metrics.end(), kLatencyMetrics.begin(), kLatencyMetrics.end());
  metrics.insert(metrics.end(), kGradedMetrics.begin(), kGradedMetrics.end());
  return metrics;
}

std::string report_page(const ReportContent& content) {
  PlotData data;
  const std::vector<std::pair<const char*, std::string>> sections = {
      {"Summary", summary_section(content)},
      {"Environment", environment_section(content)},
      {"Comparison", comparison_section(content)},
      {"Results", results_section(content)},
      {"Ladders", ladders_section(content)},
      {"Latency", latency_section(content, data)},
      {"Trials", trials_section(content)},
      {"History", history_section(content, data)},
      {"Skips and failures", absences_section(content)},
      {"Identity", identity_section(content)}};
  const std::string title = escape_html(title_of(content));
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'; "
      "form-action 'none'; style-src{}; script-src{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>{}</title>\n",
      hashes({&kReportStyle, &kPlotStyle}), hashes({&kReportScript, &kPlotScript}), title);
  html += element("style", kPlotStyle) + element("style", kReportStyle) + "</head>\n<body>\n";
  html += fmt::format(
      "<header><div><h1>{}</h1>{}</div><button type=\"button\" id=\"theme\" class=\"scripted\" "
      "aria-pressed=\"false\">Light / dark</button></header>\n<main>\n",
      title, navigation(sections));
  for (const auto& [name, section] : sections) html += section;
  html +=
      "</main>\n<footer><p>Every number comes from the files named above; nothing in this page was "
      "loaded from elsewhere.</p>\n" +
      licence() + "</footer>\n";
  const std::string json = nlohmann::ordered_json{{"runs", data.runs}, {"plots", data.plots}}.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  html += fmt::format("<script type=\"application/json\" id=\"plot-data\">{}</script>\n",
                      escape_script_json(json));
  html += element("script", kPlotScript) + element("script", kReportScript);
  return html + "</body>\n</html>\n";
}

}  // namespace bpfmark
