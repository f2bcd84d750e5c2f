// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/tool.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <ranges>

namespace bpfmark {
namespace {

// Longer than any tool takes on a busy machine.
constexpr std::chrono::minutes kToolTimeout{2};

// The first of `places` that exists: paths as they are, other names in the directories of PATH.
std::optional<std::string> find(const std::vector<std::string>& places, int access_mode) {
  const char* const path = std::getenv("PATH");
  for (const std::string& place : places) {
    if (place.find('/') != std::string::npos) {
      if (::access(place.c_str(), access_mode) == 0) return place;
      continue;
    }
    for (auto part : std::views::split(std::string_view(path == nullptr ? "" : path), ':')) {
      const std::string file =
          fmt::format("{}/{}", std::string_view(part.begin(), part.end()), place);
      if (::access(file.c_str(), access_mode) == 0) return file;
    }
  }
  return std::nullopt;
}

}  // namespace

const Tool kComparePy = {.name = "compare_py",
                         .places = {"/usr/share/benchmark/compare.py"},
                         .interpreter = "/usr/bin/python3"};
const Tool kPromtool = {.name = "promtool",
                        .places = {BPFMARK_TOOLS_DIRECTORY "/promtool", "promtool"}};
const Tool kXmllint = {.name = "xmllint", .places = {"xmllint"}};
const Tool kHdrHistogramJs = {.name = "hdr_histogram_js",
                              .places = {BPFMARK_NODE_MODULES "/hdr-histogram-js/package.json"},
                              .interpreter = "node"};
const Tool kPlaywright = {.name = "playwright",
                          .places = {BPFMARK_NODE_MODULES "/playwright-core/package.json"},
                          .interpreter = "node"};
const Tool kChromium = {.name = "chromium", .places = {"/usr/bin/chromium"}};

Result<ProcessResult> run_tool(const Tool& tool, std::vector<std::string> arguments,
                               const std::string& input) {
  const auto absent = [&tool](std::string_view what) {
    return std::unexpected(Error{.kind = ErrorKind::kAbsent,
                                 .what = fmt::format("{}: not found", what),
                                 .remedy = "ci/setup installs it",
                                 .capability = fmt::format("tool_{}", tool.name)});
  };
  const std::optional<std::string> found =
      find(tool.places, tool.interpreter.empty() ? X_OK : R_OK);
  if (!found) return absent(tool.places.front());
  std::string program = *found;
  if (!tool.interpreter.empty()) {
    const std::optional<std::string> interpreter = find({std::string(tool.interpreter)}, X_OK);
    if (!interpreter) return absent(tool.interpreter);
    program = *interpreter;
    // A module is no program: the script that uses it is.
    if (!found->ends_with("/package.json")) arguments.insert(arguments.begin(), *found);
  }
  Result<Process> process =
      Process::start({.program = program, .arguments = std::move(arguments), .stdin_path = input});
  if (!process) return std::unexpected(process.error());
  return process->wait(kToolTimeout);
}

}  // namespace bpfmark
