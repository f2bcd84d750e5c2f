// SPDX-License-Identifier: BSD-2-Clause
#include "tests/judge/readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>

namespace bpfmark {
namespace {

using nlohmann::json;

template <class Number>
std::optional<Number> whole(std::string_view text) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> finite(std::string_view text) {
  const auto value = whole<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// --- Go

std::vector<std::string> fields_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> fields;
  for (std::string field; in >> field;) fields.push_back(field);
  return fields;
}

// What a line of a benchmark is refused for, or nothing.
std::optional<std::string> read_go_line(const std::string& line, GoBenchmark& benchmark) {
  // Every space of Unicode would end a field, and we do not tell them apart here.
  if (std::ranges::any_of(line, [](unsigned char c) { return c > 0x7e || c < ' '; })) {
    return "not plain ASCII";
  }
  const std::vector<std::string> fields = fields_of(line);
  benchmark.name = fields.front().substr(std::string_view("Benchmark").size());
  static const std::regex kCpus("-[0-9]+$");
  benchmark.name = std::regex_replace(benchmark.name, kCpus, "");
  if (benchmark.name.empty()) return "no name";
  if (fields.size() < 2 || !whole<std::int64_t>(fields[1])) return "parsing iteration count";
  if (fields.size() < 4) return "missing measurements";
  if (fields.size() % 2 != 0) return "missing units";
  for (std::size_t i = 2; i < fields.size(); i += 2) {
    const auto value = finite(fields[i]);
    if (!value) return "parsing measurement";
    if (!benchmark.units.emplace(fields[i + 1], *value).second) return "a unit stands twice";
  }
  return std::nullopt;
}

std::optional<std::string> read_unit_line(const std::string& line,
                                          std::map<std::string, std::string>& metadata) {
  const std::vector<std::string> fields = fields_of(line);
  if (fields.size() < 2) return "missing unit";
  for (std::size_t i = 2; i < fields.size(); ++i) {
    const auto equals = fields[i].find('=');
    if (equals == std::string::npos || equals == 0) return "expected key=value";
    const std::string value = fields[i].substr(equals + 1);
    const auto [known, is_new] =
        metadata.emplace(fields[1] + " " + fields[i].substr(0, equals), value);
    if (!is_new && known->second != value) return "metadata already set";
  }
  return std::nullopt;
}

std::optional<std::string> read_key_line(const std::string& line,
                                         std::map<std::string, std::string>& configuration) {
  static const std::regex kLine("([a-z][^A-Z\\s:]*):([ \t]+(.*))?");
  std::smatch match;
  if (!std::regex_match(line, match, kLine)) return "would be ignored";
  if (match[3].str().empty()) {
    configuration.erase(match[1]);
  } else {
    configuration[match[1]] = match[3];
  }
  return std::nullopt;
}

// --- Bencher

bool is_slug(const std::string& text) {
  static const std::regex kSlug("[a-z0-9]+(-[a-z0-9]+)*");
  return text.size() <= 64 && std::regex_match(text, kSlug);
}

std::optional<std::string> check_metric(const json& metric) {
  if (!metric.is_object()) return "expected an object";
  for (const auto& [field, value] : metric.items()) {
    if (field != "value" && field != "lower_value" && field != "upper_value") {
      return "would be ignored: " + field;
    }
    if (!value.is_number()) return "expected a number";
  }
  if (!metric.contains("value")) return "missing field 'value'";
  const auto value = metric["value"].get<double>();
  if (metric.value("lower_value", value) > value || metric.value("upper_value", value) < value) {
    return "the value is not between its bounds";
  }
  return std::nullopt;
}

// --- Otava

// The cells of a line, as Python's csv module splits it: a quote within quotes is doubled.
std::optional<std::vector<std::string>> cells_of(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quoted && line[i] == '"') {
      if (i + 1 < line.size() && line[i + 1] == '"') {
        cells.back() += line[++i];
        continue;
      }
      quoted = false;
      if (i + 1 < line.size() && line[i + 1] != ',') return std::nullopt;
    } else if (!quoted && line[i] == '"') {
      if (!cells.back().empty()) return std::nullopt;
      quoted = true;
    } else if (!quoted && line[i] == ',') {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  return quoted ? std::nullopt : std::optional(cells);
}

}  // namespace

Result<std::vector<GoBenchmark>> read_benchfmt(const std::string& text) {
  constexpr std::size_t kMaxLineBytes = 64 << 10;  // bufio.MaxScanTokenSize
  std::vector<GoBenchmark> benchmarks;
  std::map<std::string, std::string> metadata, configuration;
  std::size_t number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    std::optional<std::string> complaint;
    if (line.size() >= kMaxLineBytes) {
      complaint = "token too long";
    } else if (line.starts_with("Benchmark")) {
      GoBenchmark& benchmark = benchmarks.emplace_back(GoBenchmark{.configuration = configuration});
      complaint = read_go_line(line, benchmark);
    } else if (line.starts_with("Unit ")) {
      complaint = read_unit_line(line, metadata);
    } else {
      complaint = read_key_line(line, configuration);
    }
    if (complaint) return wrong_result(fmt::format("{}: {}", number, *complaint));
  }
  return benchmarks;
}

Result<std::map<std::string, double>> read_github_action(const std::string& text) {
  // The space of the prefix is part of it; the value has a digit and one character more.
  static const std::regex kRange("(\\+-|±)\\s*(\\d.+)");
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array()) return wrong_result("must be JSON file containing an array");
  if (list.empty()) return wrong_result("No benchmark result was found");
  std::map<std::string, double> values;
  for (const json& entry : list) {
    const std::string place = fmt::format("[{}]", values.size());
    if (!entry.is_object()) return wrong_result(place + ": expected an object");
    for (const auto& [field, value] : entry.items()) {
      const bool known = field == "name" || field == "unit" || field == "range" || field == "extra";
      if (field == "value" ? !value.is_number() : !(known && value.is_string())) {
        return wrong_result(fmt::format("{}: {}", place, field));
      }
    }
    for (const char* const field : {"name", "unit", "value"}) {
      if (!entry.contains(field)) return wrong_result(fmt::format("{}: no {}", place, field));
    }
    if (entry.contains("range")) {
      std::smatch match;
      const auto range = entry["range"].get<std::string>();
      if (!std::regex_match(range, match, kRange) || !finite(match[2].str())) {
        return wrong_result(place + ": range");
      }
    }
    // Of two with one name, only the first would be found again.
    if (!values.emplace(entry["name"].get<std::string>(), entry["value"].get<double>()).second) {
      return wrong_result(place + ": the name stands twice");
    }
  }
  return values;
}

Result<std::map<std::string, double>> read_bencher(const std::string& text) {
  constexpr std::size_t kMaxNameBytes = 1024;
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) return wrong_result("expected an object");
  std::map<std::string, double> values;
  for (const auto& [name, measures] : document.items()) {
    if (name.empty() || name.size() > kMaxNameBytes) return wrong_result(name + ": invalid name");
    for (const char* const ignored : {"_bencher_ignore", "BencherIgnore", "-bencher-ignore"}) {
      if (name.ends_with(ignored)) return wrong_result(name + ": would be ignored");
    }
    if (!measures.is_object() || measures.empty()) return wrong_result(name + ": no measures");
    for (const auto& [measure, metric] : measures.items()) {
      if (!is_slug(measure)) return wrong_result(fmt::format("{}: {}: no slug", name, measure));
      if (const auto complaint = check_metric(metric)) {
        return wrong_result(fmt::format("{}: {}: {}", name, measure, *complaint));
      }
      values[name + " " + measure] = metric["value"].get<double>();
    }
  }
  return values;
}

Result<std::map<std::string, std::vector<double>>> read_otava(const std::string& text) {
  static const std::regex kTime("\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}[+-]\\d{2}:\\d{2}");
  std::vector<std::string> headers;
  std::map<std::string, std::vector<double>> values;
  std::size_t number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    const auto refused = [&](const std::string& complaint) {
      return wrong_result(fmt::format("{}: {}", number, complaint));
    };
    const auto cells = cells_of(line);
    if (!cells) return refused("quotes");
    if (number == 1) {
      headers = *cells;
      if (headers.size() < 3 || headers[0] != "time" || headers[1] != "commit") {
        return refused("Column not found");
      }
      if (std::set(headers.begin(), headers.end()).size() < headers.size()) {
        return refused("a column stands twice");
      }
      continue;
    }
    if (cells->size() != headers.size()) return refused("Number of values in the row");
    if (!std::regex_match(cells->front(), kTime)) return refused("Invalid datetime value");
    for (std::size_t i = 2; i < cells->size(); ++i) {
      const auto value = finite((*cells)[i]);
      if (!value) return refused("Could not convert value in column " + headers[i]);
      values[headers[i]].push_back(*value);
    }
  }
  if (number < 2) return wrong_result("no rows");
  return values;
}

}  // namespace bpfmark
