// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/export_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <unordered_map>
#include <utility>

#include "harness/statistics.h"

namespace bpfmark {
namespace {

// Why these rows are nothing for a tracker, or "".
std::string objection(const std::vector<const ResultRow*>& rows,
                      const std::map<std::string, double, std::less<>>& medians) {
  for (const ResultRow* row : rows) {
    if (!row->details.verdict.empty() && row->details.verdict != "resolved")
      return row->details.verdict;
  }
  const auto net = medians.find("net_ns");
  if (net == medians.end()) return "no net_ns";
  return net->second > 0 ? "" : "net is not above 0";
}

std::optional<double> metric(const std::map<std::string, double, std::less<>>& metrics,
                             std::string_view name) {
  const auto found = metrics.find(name);
  return found == metrics.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

std::vector<std::vector<const ResultRow*>> rows_by_case(const Launch& launch) {
  std::vector<std::vector<const ResultRow*>> cases;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const ResultRow& row : launch.rows) {
    const auto [place, is_new] = places.try_emplace(row.name, cases.size());
    if (is_new) cases.emplace_back();
    cases[place->second].push_back(&row);
  }
  for (auto& rows : cases) std::ranges::sort(rows, {}, &ResultRow::repetition);
  return cases;
}

std::map<std::string, double, std::less<>> medians_of(const std::vector<const ResultRow*>& rows) {
  std::map<std::string, std::vector<double>, std::less<>> values;
  for (const ResultRow* row : rows) {
    for (const auto& [name, value] : row->metrics) values[name].push_back(value);
  }
  std::map<std::string, double, std::less<>> medians;
  for (const auto& [name, sample] : values) medians[name] = *median(sample);
  return medians;
}

ExportedCases exported_cases(const Launch& launch) {
  ExportedCases exported;
  for (const auto& rows : rows_by_case(launch)) {
    auto medians = medians_of(rows);
    const std::string& name = rows.front()->name;
    if (std::string why = objection(rows, medians); !why.empty()) {
      exported.left_out.push_back({.name = name, .reason = std::move(why)});
      continue;
    }
    exported.cases.push_back({.name = name,
                              .repetitions = rows.size(),
                              .raw_ns = metric(medians, "real_time").value_or(0),
                              .net_ns = *metric(medians, "net_ns"),
                              .net_lo_ns = metric(medians, "net_lo_ns"),
                              .net_hi_ns = metric(medians, "net_hi_ns"),
                              .metrics = std::move(medians)});
  }
  return exported;
}

Result<ExportedCases> some_exported_cases(const Launch& launch) {
  ExportedCases exported = exported_cases(launch);
  if (exported.cases.empty()) {
    return wrong_result(
        fmt::format("{}: nothing to export: of {} cases none is resolved with a net above 0",
                    launch.path, exported.left_out.size()));
  }
  return exported;
}

CommonCases common_cases(const std::vector<Launch>& launches) {
  CommonCases common;
  std::vector<std::string> order;
  std::unordered_map<std::string, std::size_t> launches_with;
  for (const Launch& launch : launches) {
    auto& nets = common.net_ns.emplace_back();
    for (const ExportedCase& c : exported_cases(launch).cases) {
      if (++launches_with[c.name] == 1) order.push_back(c.name);
      nets[c.name] = c.net_ns;
    }
  }
  for (std::string& name : order) {
    const bool in_all = launches_with[name] == launches.size();
    (in_all ? common.names : common.partial).push_back(std::move(name));
  }
  return common;
}

std::optional<std::string> value_of_key(std::string_view name, std::string_view key) {
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find('/'));
    name.remove_prefix(std::min(part.size() + 1, name.size()));
    if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == ':') {
      return std::string(part.substr(key.size() + 1));
    }
  }
  return std::nullopt;
}

std::string identity_field(const Launch& launch, std::string_view field) {
  const auto found = launch.identity.find(field);
  return found == launch.identity.end() ? "" : found->second;
}

std::string stock_field(const Launch& launch, std::string_view field) {
  const auto found = launch.stock.find(field);
  return found == launch.stock.end() ? "" : found->second;
}

std::optional<double> run_time_s(const Launch& launch) {
  const std::string date = stock_field(launch, "date");
  std::tm time{};
  const char* const rest = ::strptime(date.c_str(), "%FT%T", &time);
  int hours = 0, minutes = 0;
  char sign = 0;
  if (rest == nullptr || std::sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3 ||
      (sign != '+' && sign != '-')) {
    return std::nullopt;
  }
  const int offset_s = (hours * 60 + minutes) * 60;
  return static_cast<double>(::timegm(&time)) - (sign == '+' ? offset_s : -offset_s);
}

std::string without(std::string_view text, std::string_view others) {
  std::string result(text);
  for (char& c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || others.contains(c)) c = '_';
  }
  return result;
}

}  // namespace bpfmark
