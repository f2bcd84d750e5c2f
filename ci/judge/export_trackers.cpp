// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"
#include "ci/judge/shown_text.h"
#include "harness/csv.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;

std::string json_text(const ordered_json& document) {
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<std::string> export_github_action(const ExportInput& input) {
  ordered_json list = ordered_json::array();
  for (const ExportedCase& c : exported_cases(input.launches.front()).cases) {
    ordered_json entry = {{"name", c.name}, {"unit", "ns/op"}, {"value", c.net_ns}};
    std::string extra = fmt::format("raw {} ns/op", shown_number(c.raw_ns));
    if (c.net_lo_ns && c.net_hi_ns) {
      entry["range"] = fmt::format("± {}", shown_number((*c.net_hi_ns - *c.net_lo_ns) / 2));
      extra += fmt::format("\nnet 95 % {} .. {} ns/op", shown_number(*c.net_lo_ns),
                           shown_number(*c.net_hi_ns));
    }
    extra += fmt::format("\n{} repetition{}", c.repetitions, c.repetitions == 1 ? "" : "s");
    entry["extra"] = extra;
    list.push_back(std::move(entry));
  }
  return json_text(list);
}

Result<std::string> export_bencher(const ExportInput& input) {
  ordered_json document = ordered_json::object();
  for (const ExportedCase& c : exported_cases(input.launches.front()).cases) {
    ordered_json latency = {{"value", c.net_ns}};
    if (c.net_lo_ns && c.net_hi_ns) {
      latency["lower_value"] = *c.net_lo_ns;
      latency["upper_value"] = *c.net_hi_ns;
    }
    ordered_json& measures = document[c.name];
    measures["latency"] = std::move(latency);  // Bencher's own measure, in ns.
    for (const auto& [measure, metric] : {std::pair{"raw-latency", "real_time"},
                                          {"p99-latency", "p99_ns"},
                                          {"insns-xlated", "insns_xlated"},
                                          {"jited-bytes", "jited_bytes"}}) {
      if (const auto value = c.metrics.find(metric); value != c.metrics.end()) {
        measures[measure] = {{"value", value->second}};
      }
    }
  }
  return json_text(document);
}

Result<std::string> export_otava(const ExportInput& input) {
  std::vector<std::map<std::string, double>> rows;
  std::vector<std::string> columns;  // in the order in which they first occur
  std::set<std::string> known;
  for (const Launch& launch : input.launches) {
    auto& row = rows.emplace_back();
    for (const ExportedCase& c : exported_cases(launch).cases) {
      if (known.insert(c.name).second) columns.push_back(c.name);
      row[c.name] = c.net_ns;
    }
  }
  std::string text = "time,commit";
  for (const std::string& column : columns) text += fmt::format(",{}", csv_cell(column));
  text += "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Launch& launch = input.launches[i];
    text += fmt::format("{},{}", csv_cell(stock_field(launch, "date")),
                        csv_cell(identity_field(launch, "build.commit")));
    for (const std::string& column : columns) {
      const auto value = rows[i].find(column);
      text += value == rows[i].end() ? "," : fmt::format(",{}", value->second);
    }
    text += "\n";
  }
  return text;
}

}  // namespace bpfmark
