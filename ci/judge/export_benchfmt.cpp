// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <utility>

#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"

namespace bpfmark {
namespace {

struct Unit {
  std::string_view metric, unit, metadata;
};

// benchstat knows ns; the rest are units of ours.
constexpr std::array kUnits = {
    Unit{"real_time", "ns/op", ""},
    Unit{"net_ns", "net-ns/op", "better=lower"},
    Unit{"p50_ns", "p50-ns/op", "better=lower"},
    Unit{"p99_ns", "p99-ns/op", "better=lower"},
    Unit{"insns_xlated", "insns-xlated", "better=lower assume=exact"},
    Unit{"jited_bytes", "jited-B", "better=lower assume=exact"},
};

// A configuration line ends with its line; without a value it would delete the key.
std::string config_line(std::string_view key, std::string_view value) {
  std::string text;
  for (const char c : value) text += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  return text.empty() ? "" : fmt::format("{}: {}\n", key, text);
}

std::string go_architecture(const std::string& machine) {
  return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine;
}

// "map_lookup/type:hash" becomes "BenchmarkMap_lookup/type=hash": keys that benchstat can project.
std::string go_name(std::string_view name) {
  std::string text = "Benchmark";
  bool in_value = false;
  for (const char c : without(name, "")) {
    if (c == '/') in_value = false;
    const bool separates = c == ':' && !in_value && text.find('/') != std::string::npos;
    // White space beyond ASCII would end the name as well.
    text += separates ? '=' : static_cast<unsigned char>(c) > 0x7f ? '_' : c;
    in_value |= separates;
  }
  constexpr std::size_t kFirst = std::string_view("Benchmark").size();
  if (text.size() > kFirst) {
    text[kFirst] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[kFirst])));
  }
  // "-8" at the end would be a number of CPUs. 1 is what it is.
  const std::size_t digits = text.find_last_not_of("0123456789");
  if (digits != std::string::npos && digits + 1 < text.size() && text[digits] == '-') text += "-1";
  return text;
}

std::string row_line(const ResultRow& row) {
  if (row.details.verdict == "disturbed") return "";
  std::string text = fmt::format("{} {:.0f}", go_name(row.name), row.iterations);
  bool has_number = false;
  for (const Unit& unit : kUnits) {
    const auto value = row.metrics.find(unit.metric);
    if (value == row.metrics.end()) continue;
    const bool is_net = unit.metric == "net_ns";
    if (is_net && !row.details.verdict.empty() && row.details.verdict != "resolved") continue;
    text += fmt::format(" {} {}", value->second, unit.unit);
    has_number = true;
  }
  return has_number ? text + "\n" : "";
}

}  // namespace

Result<std::string> export_benchfmt(const ExportInput& input) {
  std::string text;
  for (const Unit& unit : kUnits) {
    if (!unit.metadata.empty()) text += fmt::format("Unit {} {}\n", unit.unit, unit.metadata);
  }
  for (const Launch& launch : input.launches) {
    const auto field = [&launch](std::string_view name) { return identity_field(launch, name); };
    text += "pkg: bpfmark\ngoos: linux\n";
    text += config_line("goarch", go_architecture(field("kernel.machine")));
    text += config_line("cpu", field("cpu.model"));
    text += config_line("kernel", field("kernel.release"));
    text += config_line("commit", field("build.commit"));
    // Without a label the one of the file before would stay.
    const std::string label = config_line("label", field("label"));
    text += label.empty() ? "label:\n" : label;
    for (const std::string& forced : input.forced) text += config_line("forced", forced);
    for (const ResultRow& row : launch.rows) text += row_line(row);
  }
  return text;
}

}  // namespace bpfmark
