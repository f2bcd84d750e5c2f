// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "ci/judge/matrix_command.h"
#include "tests/judge/results.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using Kind = MatrixCell::Kind;

ordered_json result_on(const std::string& kernel) {
  ordered_json result = empty_result();
  result["context"]["bpfmark"]["kernel"]["release"] = kernel;
  return result;
}

void add_number(ordered_json& result, const std::string& name, double net_ns,
                const std::string& verdict = "resolved", int repetition = 0) {
  ordered_json entry = entry_of(name, {{"net_ns", net_ns}}, repetition);
  entry["verdict"] = verdict;
  result["benchmarks"].push_back(entry);
}

void add_skip(ordered_json& result, const std::string& name) {
  result["skips"].push_back({{"name", name},
                             {"capability", "attach_kprobe_session"},
                             {"support", "absent"},
                             {"cause", "attach_kprobe_session: Invalid argument"},
                             {"remedy", "needs Linux 6.10 or newer"}});
}

void add_failure(ordered_json& result, const std::string& name) {
  result["failures"].push_back({{"name", name}, {"error_message", "7 hits of 8"}});
}

Launch launch_of(const ordered_json& result, const std::string& path = "run.json") {
  std::istringstream in(result.dump());
  Result<Launch> launch = parse_outcomes(in, path);
  EXPECT_TRUE(launch.has_value()) << (launch ? "" : launch.error().what);
  return launch ? std::move(*launch) : Launch{};
}

// On the older kernel the newer way is skipped and one case fails; the newer has no failure.
std::vector<Launch> two_kernels() {
  ordered_json older = result_on("6.1.0"), newer = result_on("6.12.9");
  add_number(older, "b/both", 12.5);
  add_skip(older, "a/new");
  add_skip(older, "a/new/too");
  add_failure(older, "c/broken");
  add_number(newer, "b/both", 11);
  add_number(newer, "a/new", 3);
  add_number(newer, "a/new/too", 0.1, "not resolved");
  add_number(newer, "d/added", 1);
  return {launch_of(older), launch_of(newer)};
}

std::vector<Kind> kinds(const MatrixRow& row) {
  std::vector<Kind> found;
  for (const MatrixCell& cell : row.cells) found.push_back(cell.kind);
  return found;
}

TEST(Matrix, SaysOfEveryCaseWhatBecameOfItOnEveryKernel) {
  const Matrix matrix = make_matrix(two_kernels(), false);
  ASSERT_EQ(matrix.columns.size(), 2u);
  EXPECT_EQ(matrix.columns[0].head, "6.1.0");
  EXPECT_EQ(matrix.columns[1].head, "6.12.9");
  EXPECT_EQ(matrix.columns[0].numbers, 1u);
  EXPECT_EQ(matrix.columns[0].skipped, 2u);
  EXPECT_EQ(matrix.columns[0].failed, 1u);
  EXPECT_EQ(matrix.columns[1].numbers, 4u);
  std::vector<std::string> names;
  for (const MatrixRow& row : matrix.rows) names.push_back(row.name);
  EXPECT_THAT(names, ElementsAre("a/new", "a/new/too", "b/both", "c/broken", "d/added"));
  EXPECT_THAT(kinds(matrix.rows[0]), ElementsAre(Kind::kSkipped, Kind::kNumber));
  EXPECT_THAT(kinds(matrix.rows[2]), ElementsAre(Kind::kNumber, Kind::kNumber));
  EXPECT_THAT(kinds(matrix.rows[3]), ElementsAre(Kind::kFailed, Kind::kNotRun));
  EXPECT_EQ(matrix.rows[2].cells[0].net_ns, 12.5);
  EXPECT_EQ(matrix.rows[0].cells[0].capability, "attach_kprobe_session");
  EXPECT_EQ(matrix.rows[0].cells[0].remedy, "needs Linux 6.10 or newer");
  EXPECT_EQ(matrix.rows[3].cells[0].reason, "7 hits of 8");
}

TEST(Matrix, FailureOfOneRepetitionIsAFailureOfTheCase) {
  ordered_json result = result_on("6.1.0");
  add_number(result, "a", 10);
  add_failure(result, "a");
  EXPECT_EQ(make_matrix({launch_of(result)}, false).rows[0].cells[0].kind, Kind::kFailed);
}

TEST(Matrix, TakesAResultInWhichNothingGaveANumber) {
  ordered_json result = result_on("6.1.0");
  add_skip(result, "a");
  const Matrix matrix = make_matrix({launch_of(result), launch_of(result_on("6.12.9"))}, false);
  ASSERT_EQ(matrix.rows.size(), 1u);
  EXPECT_THAT(kinds(matrix.rows[0]), ElementsAre(Kind::kSkipped, Kind::kNotRun));
}

TEST(Matrix, HasNumbersOfDryRunsAndEmulatedMachinesByForceOnly) {
  for (const char* const stamp : {"dry_run", "emulated"}) {
    SCOPED_TRACE(stamp);
    ordered_json result = result_on("6.12.9");
    result["context"]["bpfmark"][stamp] = true;
    add_number(result, "a", 4321.5);
    const std::vector<Launch> launches = {launch_of(result)};
    const Matrix matrix = make_matrix(launches, false);
    EXPECT_EQ(matrix.rows[0].cells[0].kind, Kind::kVerified);
    EXPECT_EQ(matrix.columns[0].verified, 1u);
    for (const auto form : {matrix_text, matrix_markdown, matrix_csv, matrix_json}) {
      EXPECT_THAT(form(matrix), AllOf(HasSubstr("verified"), Not(HasSubstr("432"))));
    }
    const Matrix forced = make_matrix(launches, true);
    EXPECT_EQ(forced.rows[0].cells[0].net_ns, 4321.5);
    EXPECT_THAT(matrix_text(forced), HasSubstr("; FORCED: "));
  }
}

TEST(Matrix, HeadsTellColumnsApart) {
  ordered_json plain = result_on("6.12.9"), labelled = result_on("6.12.9");
  labelled["context"]["bpfmark"]["label"] = "agent";
  const Matrix matrix = make_matrix(
      {launch_of(plain, "x.json"), launch_of(plain, "y.json"), launch_of(labelled, "z.json")},
      false);
  std::vector<std::string> heads;
  for (const MatrixColumn& column : matrix.columns) heads.push_back(column.head);
  EXPECT_THAT(heads, ElementsAre("6.12.9 x.json", "6.12.9 y.json", "6.12.9 agent"));
}

TEST(MatrixText, IsATableWithNotesBelow) {
  EXPECT_EQ(
      matrix_text(make_matrix(two_kernels(), false)),
      "case             6.1.0        6.12.9\n"
      "a/new      skipped [1]         3.000\n"
      "a/new/too  skipped [1]  not resolved\n"
      "b/both           12.50         11.00\n"
      "c/broken    FAILED [2]             -\n"
      "d/added              -         1.000\n"
      "\n"
      "Numbers are net ns per operation; verified: it ran and its counts were right.\n"
      "6.1.0: 1 numbers, 0 verified, 2 skipped, 1 failed\n"
      "6.12.9: 4 numbers, 0 verified, 0 skipped, 0 failed\n"
      "[1] 2 cases: absent: attach_kprobe_session: Invalid argument (needs Linux 6.10 or newer)\n"
      "[2] 1 case: 7 hits of 8\n");
}

TEST(MatrixMarkdown, EscapesWhatIsNotOurs) {
  ordered_json result = result_on("6.1|<b>");
  add_failure(result, "a|b");
  const std::string text = matrix_markdown(make_matrix({launch_of(result)}, false));
  EXPECT_THAT(text,
              StartsWith("| case | 6.1\\|\\<b\\> |\n|---|---:|\n| a\\|b | FAILED \\[1\\] |\n"));
}

TEST(MatrixCsv, HasALineForEveryCellThatWasRun) {
  const std::string text = matrix_csv(make_matrix(two_kernels(), false));
  EXPECT_EQ(std::ranges::count(text, '\n'), 1 + 4 + 4);
  EXPECT_THAT(text, HasSubstr("\n\"a/new\",\"6.1.0\",\"\",\"run.json\",\"skipped\",,\"\","
                              "\"attach_kprobe_session\","));
  EXPECT_THAT(text, HasSubstr("\"number\",12.5,\"resolved\","));
}

TEST(MatrixJson, HoldsEveryCell) {
  const auto document = ordered_json::parse(matrix_json(make_matrix(two_kernels(), false)));
  EXPECT_EQ(document["format"], "bpfmark-matrix");
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["results"][0]["kernel"], "6.1.0");
  ASSERT_EQ(document["cases"].size(), 5u);
  EXPECT_EQ(document["cases"][0]["cells"][0]["outcome"], "skipped");
  EXPECT_EQ(document["cases"][0]["cells"][1]["net_ns"], 3.0);
  EXPECT_EQ(document["cases"][3]["cells"][1], (ordered_json{{"outcome", "not run"}}));
}

// --- the command

class MatrixCommand : public ::testing::Test {
 protected:
  int run(const MatrixOptions& options) { return run_matrix(options, out_, err_); }

  std::string written(const std::string& name, const std::string& text) {
    write_text(directory_.file(name), text);
    return directory_.file(name);
  }

  TemporaryDirectory directory_;
  std::ostringstream out_, err_;
};

TEST_F(MatrixCommand, PrintsOrWritesTheTable) {
  ordered_json result = result_on("6.1.0");
  add_number(result, "a", 2);
  const std::string path = written("run.json", result.dump());
  EXPECT_EQ(run({.inputs = {path}}), kExitOk);
  EXPECT_THAT(out_.str(), StartsWith("case  6.1.0\na     2.000\n"));
  EXPECT_EQ(run({.inputs = {path}, .format = "json", .out_path = directory_.file("m.json")}),
            kExitOk);
  EXPECT_TRUE(ordered_json::accept(text_of(directory_.file("m.json"))));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(MatrixCommand, RefusesWhatIsNoResultInOneLine) {
  const std::string good = written("good.json", result_on("6.1.0").dump());
  const std::string cut = written("cut.json", result_on("6.1.0").dump().substr(0, 200));
  for (const std::string& bad :
       {cut, written("empty.json", ""), written("other.json", "{}"), directory_.file("nowhere"),
        directory_.path().string(), std::string("/dev/zero")}) {
    SCOPED_TRACE(bad);
    err_.str("");
    EXPECT_EQ(run({.inputs = {good, bad}, .out_path = directory_.file("m.txt")}), kExitUsage);
    const std::string complaint = err_.str();
    EXPECT_THAT(complaint, AllOf(StartsWith("bench matrix: "), HasSubstr(bad)));
    EXPECT_EQ(std::ranges::count(complaint, '\n'), 1);
    EXPECT_FALSE(std::filesystem::exists(directory_.file("m.txt")));
  }
}

TEST_F(MatrixCommand, DoesNotWriteOverWhatItRead) {
  const std::string text = result_on("6.1.0").dump(), path = written("run.json", text);
  EXPECT_EQ(run({.inputs = {path}, .out_path = path}), kExitUsage);
  EXPECT_EQ(text_of(path), text);
  EXPECT_EQ(run({.inputs = {path}, .out_path = "/dev/full"}), kExitUsage);
}

}  // namespace
}  // namespace bpfmark
