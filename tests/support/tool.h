// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/result.h"
#include "tests/support/process.h"

namespace bpfmark {

// A program of others that tests hold our output against. Its capability is "tool_" and its name,
// in ci/promised-features.txt and BPFMARK_REQUIRE as for the features of a kernel: a test that
// lacks a promised tool fails, where it would be skipped.
struct Tool {
  std::string_view name;            // "promtool", "hdr_histogram_js"
  std::vector<std::string> places;  // paths, or names that are looked for in PATH; the first counts
  std::string_view interpreter = {};  // path or name as well; none if the tool is executable
};

extern const Tool kComparePy;       // Google Benchmark's
extern const Tool kPromtool;        // Prometheus'
extern const Tool kXmllint;         // libxml2's
extern const Tool kHdrHistogramJs;  // a Node module; arguments begin with the script that uses it

extern const Tool kPlaywright;  // as above; drives the browser
extern const Tool kChromium;

// Runs the tool on these arguments to its end; it reads the file `input` if one is named. Errors:
// kAbsent with the tool's capability, for BPFMARK_SKIP_OR_FAIL; kSystem.
Result<ProcessResult> run_tool(const Tool& tool, std::vector<std::string> arguments,
                               const std::string& input = {});

}  // namespace bpfmark
