// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string_view>

// What is embedded into every report. Written by report/EmbedAssets.cmake at build time; the parts
// of uPlot are empty where it was not installed.
namespace bpfmark {

struct Asset {
  std::string_view content;
  std::string_view sha256;  // hexadecimal
};

extern const Asset kReportStyle, kReportScript, kPlotStyle, kPlotScript;
extern const std::string_view kPlotLicence;

}  // namespace bpfmark
