// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/track_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/judge/results.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class TrackCommand : public ::testing::Test {
 protected:
  std::string result(int i, double net_ns) {
    nlohmann::ordered_json document = result_of({{"x", {{"net_ns", net_ns}, {"jited_bytes", 9}}}});
    document["context"]["date"] = "2026-01-" + std::to_string(10 + i);
    document["context"]["bpfmark"]["build"]["commit"] = "c" + std::to_string(i);
    const std::string path = directory_.file("run" + std::to_string(i) + ".json");
    write_text(path, document.dump());
    return path;
  }

  // As from the command line; -1 if that could not be parsed.
  int run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    CLI::App app("test", "bench");
    const Subcommand track = add_track_command(app);
    std::ranges::reverse(arguments);
    std::streambuf* const out = std::cout.rdbuf(out_.rdbuf());
    std::streambuf* const err = std::cerr.rdbuf(err_.rdbuf());
    int status = -1;
    try {
      app.parse(arguments);
      status = track.run();
    } catch (const CLI::ParseError&) {
    }
    std::cout.rdbuf(out);
    std::cerr.rdbuf(err);
    return status;
  }

  TemporaryDirectory directory_;
  std::string history_ = "--history=" + directory_.file("h.jsonl");
  std::ostringstream out_, err_;
};

TEST_F(TrackCommand, AddsShowsAndFindsARegression) {
  std::vector<std::string> add = {"track", "add", history_};
  const double levels[] = {100, 100.4, 99.8, 100.1, 99.7, 100.2, 109.9, 110.2, 110.1, 109.8};
  for (int i = 0; i < 10; ++i) add.push_back(result(i, levels[i]));
  ASSERT_EQ(run(add), 0) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("10 runs added"));
  EXPECT_EQ(run({"track", "check", history_}), 1);
  EXPECT_THAT(out_.str(), HasSubstr("regression from line 7 (2026-01-16, commit c6)"));
  EXPECT_EQ(run({"track", "check", history_, "--newest=3"}), 0);
  EXPECT_EQ(run({"track", "check", history_, "--threshold=15%"}), 0);
  EXPECT_EQ(run({"track", "check", history_, "--metric=jited_bytes"}), 0);
  EXPECT_EQ(run({"track", "show", history_}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("regression from line 7"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(TrackCommand, BadInputIsOneLineAndExitTwo) {
  const std::string good = result(0, 100);
  ASSERT_EQ(run({"track", "add", good, history_}), 0);
  const std::string before = text_of(directory_.file("h.jsonl"));
  write_text(directory_.file("broken.json"), "{\"context\"");
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"track", "add", good, history_},
           {"track", "add", directory_.file("broken.json"), history_},
           {"track", "add", directory_.file("absent.json"), history_},
           {"track", "add", good, "--history=" + directory_.file("absent/h.jsonl")},
           {"track", "check", "--history=" + good},
           {"track", "check", "--history=" + directory_.file("absent.jsonl")},
           {"track", "check", history_, "--metric=p99"},
           {"track", "check", history_, "--metric=nonsense"}}) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    EXPECT_EQ(run(arguments), 2);
    EXPECT_THAT(err_.str(), StartsWith("bench track: "));
    EXPECT_EQ(std::ranges::count(err_.str(), '\n'), 1);
    EXPECT_THAT(out_.str(), IsEmpty());
  }
  EXPECT_EQ(text_of(directory_.file("h.jsonl")), before);
}

TEST_F(TrackCommand, WantsAnActionAndAHistory) {
  EXPECT_EQ(run({"track"}), -1);
  EXPECT_EQ(run({"track", "check"}), -1);
  EXPECT_EQ(run({"track", "add", history_}), -1);
}

}  // namespace
}  // namespace bpfmark
