// SPDX-License-Identifier: BSD-2-Clause
// A report in a real browser; what is looked at there stands in browser.mjs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "ci/judge/report_assets.h"
#include "tests/judge/reports.h"
#include "tests/support/promised.h"
#include "tests/support/tool.h"

namespace bpfmark {
namespace {

TEST(ReportInABrowser, SortsFiltersPrintsAndReadsWithoutScripts) {
  if (kPlotScript.content.empty()) {
    BPFMARK_SKIP_OR_FAIL((Error{.kind = ErrorKind::kAbsent,
                                .what = "built without uPlot",
                                .remedy = "ci/setup installs it; then configure anew",
                                .capability = "tool_uplot"}));
  }
  if (const auto version = run_tool(kChromium, {"--version"}); !version) {
    BPFMARK_SKIP_OR_FAIL(version.error());
  }
  const MadeUpReport report;
  const auto looked = run_tool(
      kPlaywright, {BPFMARK_BROWSER_SCRIPT, report.page_path(), report.directory(), "plots"});
  if (!looked) BPFMARK_SKIP_OR_FAIL(looked.error());
  EXPECT_EQ(looked->exit_code, 0) << looked->err;
}

}  // namespace
}  // namespace bpfmark
