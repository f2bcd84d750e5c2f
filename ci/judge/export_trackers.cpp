// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

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
  const auto exported = some_exported_cases(input.launches.front());
  if (!exported) return std::unexpected(exported.error());
  ordered_json list = ordered_json::array();
  for (const ExportedCase& c : exported->cases) {
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
  const auto exported = some_exported_cases(input.launches.front());
  if (!exported) return std::unexpected(exported.error());
  ordered_json document = ordered_json::object();
  for (const ExportedCase& c : exported->cases) {
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

// Otava takes the rows for a series in time, and a number from every cell: one that is empty ends
// its import. So a case has a column if every result has it.
Result<std::string> export_otava(const ExportInput& input) {
  const CommonCases common = common_cases(input.launches);
  if (common.names.empty()) {
    return wrong_result(fmt::format("{}: nothing to export: no case is resolved in every result",
                                    input.launches.front().path));
  }
  std::multimap<double, std::size_t> order;  // places of the launches by their time
  for (std::size_t i = 0; i < input.launches.size(); ++i) {
    const auto time_s = run_time_s(input.launches[i]);
    if (!time_s) {
      return wrong_result(fmt::format("{}: context.date is no time: '{}'", input.launches[i].path,
                                      stock_field(input.launches[i], "date")));
    }
    order.emplace(*time_s, i);
  }
  std::string text = "time,commit";
  for (const std::string& name : common.names) text += fmt::format(",{}", csv_cell(name));
  text += "\n";
  for (const auto& [time_s, i] : order) {
    text += fmt::format("{},{}", csv_cell(stock_field(input.launches[i], "date")),
                        csv_cell(identity_field(input.launches[i], "build.commit")));
    for (const std::string& name : common.names) {
      text += fmt::format(",{}", common.net_ns[i].at(name));
    }
    text += "\n";
  }
  return text;
}

}  // namespace bpfmark
