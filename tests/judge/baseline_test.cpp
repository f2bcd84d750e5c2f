// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/judge/environment.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

TEST(BaselineDirectory, IsWhereTheXdgSpecificationPutsIt) {
  const EnvironmentVariable home("HOME", "/home/me");
  {
    const EnvironmentVariable data("XDG_DATA_HOME", "/data");
    EXPECT_THAT(baseline_directory("main"), IsOkAndHolds("/data/bpfmark/baselines/main"));
  }
  for (const auto& ignored : {std::optional<std::string>(), std::optional<std::string>(""),
                              std::optional<std::string>("relative")}) {
    const EnvironmentVariable data("XDG_DATA_HOME", ignored);
    EXPECT_THAT(baseline_directory("main"),
                IsOkAndHolds("/home/me/.local/share/bpfmark/baselines/main"));
  }
}

TEST(BaselineDirectory, NeedsAPlace) {
  const EnvironmentVariable data("XDG_DATA_HOME", std::nullopt), home("HOME", std::nullopt);
  EXPECT_THAT(baseline_directory("main"), ErrorIs(ErrorKind::kWrongResult, HasSubstr("HOME")));
}

TEST(BaselineDirectory, RefusesANameThatIsAPathOrHidden) {
  for (const std::string& name :
       {std::string(""), std::string("."), std::string(".."), std::string("a/b"),
        std::string(".hidden"), std::string("a b"), std::string("a\n"), std::string(101, 'x')}) {
    EXPECT_THAT(baseline_directory(name), ErrorIs(ErrorKind::kWrongResult, HasSubstr("a name is")))
        << name;
  }
}

class SaveBaseline : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    write_text(directory_.file(name), text);
    return directory_.file(name);
  }

  TemporaryDirectory directory_;
  const EnvironmentVariable data_{"XDG_DATA_HOME", directory_.file("data")};
  const std::filesystem::path baselines_ = directory_.path() / "data/bpfmark/baselines";
};

TEST_F(SaveBaseline, CopiesTheFilesInTheirOrder) {
  ASSERT_THAT(save_baseline("main", {write("b.json", "1"), write("a.json", "2")}), IsOk());
  EXPECT_THAT(names_in(baselines_), ElementsAre("main"));
  EXPECT_THAT(names_in(baselines_ / "main"), ElementsAre("00000-b.json", "00001-a.json"));
  EXPECT_EQ(text_of((baselines_ / "main/00000-b.json").string()), "1");
}

TEST_F(SaveBaseline, ReplacesTheWholeOfAnOlderOne) {
  ASSERT_THAT(save_baseline("main", {write("a.json", "1"), write("b.json", "2")}), IsOk());
  ASSERT_THAT(save_baseline("main", {write("c.json", "3")}), IsOk());
  EXPECT_THAT(names_in(baselines_), ElementsAre("main"));
  EXPECT_THAT(names_in(baselines_ / "main"), ElementsAre("00000-c.json"));
}

TEST_F(SaveBaseline, CanBeGivenItsOwnFiles) {
  ASSERT_THAT(save_baseline("main", {write("a.json", "1")}), IsOk());
  ASSERT_THAT(save_baseline("main", {(baselines_ / "main/00000-a.json").string()}), IsOk());
  EXPECT_THAT(names_in(baselines_ / "main"), ElementsAre("00000-00000-a.json"));
}

TEST_F(SaveBaseline, LeavesTheOlderOneWhenACopyFails) {
  const std::string file = write("a.json", "1");
  ASSERT_THAT(save_baseline("main", {file}), IsOk());
  EXPECT_THAT(save_baseline("main", {file, directory_.file("absent.json")}),
              ErrorIs(ErrorKind::kSystem, HasSubstr("No such file")));
  EXPECT_THAT(names_in(baselines_), ElementsAre("main"));
  EXPECT_THAT(names_in(baselines_ / "main"), ElementsAre("00000-a.json"));
}

TEST_F(SaveBaseline, SaysWhenThereIsNoPlace) {
  write("data", "a file where the directory should be");
  EXPECT_THAT(save_baseline("main", {write("a.json", "1")}),
              ErrorIs(ErrorKind::kSystem, HasSubstr("data/bpfmark/baselines")));
}

}  // namespace
}  // namespace bpfmark
