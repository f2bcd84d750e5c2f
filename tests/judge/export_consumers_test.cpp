// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "ci/judge/export_command.h"
#include "tests/judge/results.h"
#include "tests/support/promised.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/tool.h"

// What we write is held against the programs that read it.
namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kResult = BPFMARK_GOLDEN_DIRECTORY "/export/result.json";
const std::string kHere = BPFMARK_SOURCE_DIRECTORY "/";

class Consumer : public ::testing::Test {
 protected:
  std::string exported(const std::string& format) {
    const std::string path = directory_.file(format);
    std::ostringstream out, err;
    EXPECT_EQ(run_export({.format = format, .inputs = {kResult}, .out_path = path}, out, err), 0)
        << err.str();
    return path;
  }

  TemporaryDirectory directory_;
};

TEST_F(Consumer, ComparePyReadsOurResultFile) {
  const auto run = run_tool(kComparePy, {"--no-color", "benchmarks", kResult, kResult});
  if (!run) BPFMARK_SKIP_OR_FAIL(run.error());
  EXPECT_EQ(run->exit_code, 0) << run->err;
  EXPECT_THAT(run->out, HasSubstr("map_lookup/type:hash/access:hit"));
  EXPECT_THAT(run->out, HasSubstr("OVERALL_GEOMEAN"));
}

TEST_F(Consumer, PromtoolAcceptsTheMetrics) {
  const auto run = run_tool(kPromtool, {"check", "metrics"}, exported("openmetrics"));
  if (!run) BPFMARK_SKIP_OR_FAIL(run.error());
  EXPECT_EQ(run->exit_code, 0) << run->out << run->err;
  EXPECT_EQ(run->err, "");
}

TEST_F(Consumer, PromtoolRefusesAMetricWithoutAnEndToItsLabel) {
  const std::string path = directory_.file("broken");
  write_text(path, "bpfmark_op_seconds{benchmark=\"a} 1\n");
  const auto run = run_tool(kPromtool, {"check", "metrics"}, path);
  if (!run) BPFMARK_SKIP_OR_FAIL(run.error());
  EXPECT_NE(run->exit_code, 0);
}

TEST_F(Consumer, XmllintFindsTheSchemaFollowed) {
  const auto run = run_tool(
      kXmllint, {"--noout", "--nonet", "--schema", kHere + "judge/junit.xsd", exported("junit")});
  if (!run) BPFMARK_SKIP_OR_FAIL(run.error());
  EXPECT_EQ(run->exit_code, 0) << run->err;
}

TEST_F(Consumer, XmllintRefusesAnotherOutcome) {
  std::string text = text_of(exported("junit"));
  text.replace(text.find("<skipped"), 8, "<dropped");
  write_text(directory_.file("junit"), text);
  const auto run = run_tool(kXmllint, {"--noout", "--nonet", "--schema", kHere + "judge/junit.xsd",
                                       directory_.file("junit")});
  if (!run) BPFMARK_SKIP_OR_FAIL(run.error());
  EXPECT_NE(run->exit_code, 0);
}

TEST_F(Consumer, HdrHistogramJsReadsTheSameCountsAndQuantiles) {
  const auto run = run_tool(kHdrHistogramJs, {kHere + "judge/read_hdr_log.js", exported("hdr")});
  if (!run) BPFMARK_SKIP_OR_FAIL(run.error());
  ASSERT_EQ(run->exit_code, 0) << run->err;
  const auto read = nlohmann::json::parse(run->out);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0]["tag"], "syscall_latency/call:execve/monitor:none:caller");
  EXPECT_EQ(read[0]["start_ms"], 1767319445000);
  EXPECT_EQ(read[0]["total"], 10 + 500 + 300 + 20 + 20 + 17 + 1);
  EXPECT_EQ(read[0]["min"], 100);
  // The ends of the buckets that hold ranks 435 and 860 of 868, and of the last bucket.
  EXPECT_EQ(read[0]["p50"], 101);
  EXPECT_EQ(read[0]["p99"], 4099);
  EXPECT_EQ(read[0]["max"], 303103);
  const auto lowest = [](const nlohmann::json& histogram) {
    nlohmann::json counts = nlohmann::json::array();
    for (const auto& bucket : histogram["buckets"]) counts.push_back({bucket[0], bucket[2]});
    return counts;
  };
  const auto result = nlohmann::json::parse(text_of(kResult));
  const auto& histograms = result["benchmarks"].back()["histograms"];
  EXPECT_EQ(read[0]["counts"], lowest(histograms[0]));
  EXPECT_EQ(read[1]["counts"], lowest(histograms[1]));
}

}  // namespace
}  // namespace bpfmark
