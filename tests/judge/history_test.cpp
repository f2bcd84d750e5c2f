// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/judge/histories.h"
#include "tests/judge/results.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const TrackedValues kValues = {{"a/x:1", {{"net_ns", 5.25}, {"jited_bytes", 555}}},
                               {"b", {{"net_ns", 7}}}};

std::string line_of(std::size_t i) { return history_line(run_number(i), kValues) + "\n"; }

Result<History> parse(const std::string& text, const std::vector<std::string>& metrics = {}) {
  std::istringstream in(text);
  return parse_history(in, "h.jsonl", metrics);
}

TEST(HistoryFile, GivesBackWhatWasWritten) {
  TrackedRun run = run_number(1);
  run.label = "falco \"x\"";
  run.launches = 10;
  const auto history = parse(line_of(0) + history_line(run, {{"b", {{"net_ns", 8}}}}) + "\n");
  ASSERT_TRUE(history) << history.error().what;
  ASSERT_EQ(history->runs.size(), 2u);
  EXPECT_EQ(history->runs[1].label, "falco \"x\"");
  EXPECT_EQ(history->runs[1].launches, 10u);
  EXPECT_EQ(history->runs[1].line, 2u);
  EXPECT_EQ(history->runs[1].commit, "c1");
  EXPECT_EQ(history->runs[1].environment, run.environment);
  ASSERT_EQ(history->series.size(), 4u);
  EXPECT_EQ(history->series[1].metric, "net_ns");
  EXPECT_THAT(history->series[1].values, ElementsAre(5.25));
  EXPECT_EQ(history->series[3].label, "falco \"x\"");
}

TEST(HistoryFile, KeepsOnlyTheMetricsThatAreNamed) {
  const auto history = parse(line_of(0) + line_of(1), {"jited_bytes"});
  ASSERT_TRUE(history);
  ASSERT_EQ(history->series.size(), 1u);
  EXPECT_THAT(history->series[0].values, ElementsAre(555, 555));
  EXPECT_THAT(history->series[0].runs, ElementsAre(0, 1));
}

TEST(HistoryFile, AnEmptyOneHasNoRuns) {
  const auto history = parse("");
  ASSERT_TRUE(history);
  EXPECT_TRUE(history->runs.empty());
}

TEST(HistoryFile, NamesFileAndLineOfWhatIsBroken) {
  using nlohmann::ordered_json;
  const auto edited = [](const auto& edit) {
    ordered_json line = ordered_json::parse(line_of(1));
    edit(line);
    return line.dump() + "\n";
  };
  const std::string good = line_of(1);
  const std::string middle = good.substr(0, good.size() / 2);
  struct Broken {
    std::string line, complaint;
  };
  const std::vector<Broken> all = {
      {middle + "\n", "column"},
      {middle, "no end"},
      {good.substr(0, good.size() - 1), "no end"},
      {"\n", "empty line"},
      {"[]\n", "array"},
      {"5\n", "number"},
      {"{}\n", "schema_version is missing"},
      {edited([](ordered_json& l) { l["schema_version"] = 2; }), "reads 1"},
      {edited([](ordered_json& l) { l.erase("date"); }), "date is missing"},
      {edited([](ordered_json& l) { l["surprise"] = 1; }), "unknown field 'surprise'"},
      {edited([](ordered_json& l) { l["launches"] = 0.5; }), "launches"},
      {edited([](ordered_json& l) { l["environment"]["kernel.release"] = "6.19"; }), "digest"},
      {edited([](ordered_json& l) { l["benchmarks"]["b"]["net_ns"] = nullptr; }), "null"},
      {edited([](ordered_json& l) { l["benchmarks"]["b"]["net_ns"] = "7"; }), "unexpected text"},
      {edited([](ordered_json& l) { l["benchmarks"]["b\n"] = {{"net_ns", 1}}; }), "name"},
      {R"({"date":"x","date":"x"})"
       "\n",
       "twice"},
      {R"({"benchmarks":{"b":{"x":1},"b":{"y":1}}})"
       "\n",
       "twice"},
      {R"({"benchmarks":{"b":{"x":1,"x":1}}})"
       "\n",
       "twice"},
      {R"({"benchmarks":{"b":{"net_ns":NaN}}})"
       "\n",
       "column"},
      {R"({"benchmarks":{"b":{"net_ns":1e999}}})"
       "\n",
       "1e999"},
  };
  for (const Broken& broken : all) {
    SCOPED_TRACE(broken.line);
    const auto history = parse(line_of(0) + broken.line);
    ASSERT_FALSE(history);
    EXPECT_THAT(history.error().what, StartsWith("h.jsonl:2: "));
    EXPECT_THAT(history.error().what, HasSubstr(broken.complaint));
    EXPECT_EQ(history.error().what.find('\n'), std::string::npos);
  }
}

class HistoryAppend : public ::testing::Test {
 protected:
  Result<void> append(std::size_t i) { return append_history(path_, {run_number(i)}, {kValues}); }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("h.jsonl");
};

TEST_F(HistoryAppend, MakesTheFileAndAddsToItsEnd) {
  ASSERT_TRUE(append(0));
  ASSERT_TRUE(append(1));
  EXPECT_EQ(text_of(path_), line_of(0) + line_of(1));
}

TEST_F(HistoryAppend, KeepsModeAndSymbolicLink) {
  ASSERT_TRUE(append(0));
  ::chmod(path_.c_str(), 0600);
  const std::string link = directory_.file("link.jsonl");
  std::filesystem::create_symlink(path_, link);
  ASSERT_TRUE(append_history(link, {run_number(1)}, {kValues}));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(text_of(path_), line_of(0) + line_of(1));
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
}

TEST_F(HistoryAppend, RefusesARunThatIsThereAlreadyAndAddsNoneBesideIt) {
  ASSERT_TRUE(append(0));
  const auto twice = append_history(path_, {run_number(1), run_number(0)}, {kValues, kValues});
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().what, HasSubstr("already"));
  EXPECT_EQ(text_of(path_), line_of(0));
}

TEST_F(HistoryAppend, LeavesWhatIsNoHistoryAlone) {
  for (const std::string text : {"{}\n", "no json", "{\"schema_version\":1"}) {
    write_text(path_, text);
    const auto added = append(0);
    ASSERT_FALSE(added);
    EXPECT_THAT(added.error().what, HasSubstr("h.jsonl:1: "));
    EXPECT_EQ(text_of(path_), text);
  }
}

// A limit on the size of files refuses in the middle, as a full disk does.
TEST_F(HistoryAppend, AFullDiskLeavesTheOldFileAndNothingElse) {
  ASSERT_TRUE(append(0));
  const std::string before = text_of(path_);
  {
    const FileSizeLimit limit(before.size() + 100);
    EXPECT_THAT(append(1), ErrorIs(ErrorKind::kSystem, HasSubstr("h.jsonl: File too large")));
  }
  EXPECT_EQ(text_of(path_), before);
  const std::filesystem::directory_iterator all(directory_.path());
  EXPECT_EQ(std::distance(begin(all), end(all)), 1);
}

TEST_F(HistoryAppend, WritersAtTheSameTimeLoseNothing) {
  constexpr std::size_t kWriters = 4, kRuns = 8;
  std::vector<pid_t> children;
  for (std::size_t writer = 0; writer < kWriters; ++writer) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      bool added = true;
      for (std::size_t i = 0; i < kRuns; ++i) added &= append(writer * kRuns + i).has_value();
      ::_exit(added ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const auto history = read_history(path_, {});
  ASSERT_TRUE(history) << history.error().what;
  EXPECT_EQ(history->runs.size(), kWriters * kRuns);
}

TEST_F(HistoryAppend, AWriterThatIsKilledLeavesAWholeHistoryAndNothingInTheWay) {
  for (std::size_t trial = 0; trial < 20; ++trial) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      for (std::size_t i = 0;; ++i) static_cast<void>(append(1000 * trial + i));
    }
    ::usleep(static_cast<useconds_t>(1000 + 700 * trial));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_TRUE(append(1000 * trial + 999));
    const auto history = read_history(path_, {});
    ASSERT_TRUE(history) << history.error().what;
  }
}

}  // namespace
}  // namespace bpfmark
