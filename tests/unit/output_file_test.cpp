// SPDX-License-Identifier: BSD-2-Clause
#include "harness/output_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fixtures/unique_fd.h"
#include "tests/support/file_size_limit.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OutputFile : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_FALSE(directory_.path().empty()); }

  std::vector<std::string> names_in_directory() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

  static std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.file("run.json");
};

TEST_F(OutputFile, IsWrittenWholeAndAlone) {
  const std::string content(300'000, 'x');
  EXPECT_THAT(write_whole_file(path_, content), IsOk());
  EXPECT_EQ(content_of(path_), content);
  EXPECT_THAT(names_in_directory(), ElementsAre("run.json"));
}

TEST_F(OutputFile, KeepsEveryByte) {
  const std::string content("a\0b\r\n\xff", 6);
  EXPECT_THAT(write_whole_file(path_, content), IsOk());
  EXPECT_EQ(content_of(path_), content);
}

TEST_F(OutputFile, MayBeEmpty) {
  EXPECT_THAT(write_whole_file(path_, ""), IsOk());
  EXPECT_THAT(names_in_directory(), ElementsAre("run.json"));
}

TEST_F(OutputFile, ReplacesWhatWasThere) {
  std::ofstream(path_) << "old, and longer than the new content";
  EXPECT_THAT(write_whole_file(path_, "new"), IsOk());
  EXPECT_EQ(content_of(path_), "new");
}

TEST_F(OutputFile, IsNeverSeenHalfWritten) {
  std::ofstream(path_) << "old";
  const UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(write_whole_file(path_, "new"), IsOk());
  std::string seen(3, '\0');
  EXPECT_EQ(::read(reader.get(), seen.data(), seen.size()), 3);
  EXPECT_EQ(seen, "old") << "the old file was replaced, not written over";
}

TEST_F(OutputFile, IsAbsentWhenTheDiskIsFull) {
  const FileSizeLimit limit(1000);
  const Result<void> written = write_whole_file(path_, std::string(5000, 'x'));
  ASSERT_THAT(written, ErrorIs(ErrorKind::kSystem, HasSubstr(path_)));
  EXPECT_EQ(written.error().errnum, EFBIG);
  EXPECT_THAT(names_in_directory(), IsEmpty());
}

TEST_F(OutputFile, IsKeptAsItWasWhenTheDiskIsFull) {
  std::ofstream(path_) << "old";
  const FileSizeLimit limit(1000);
  EXPECT_THAT(write_whole_file(path_, std::string(5000, 'x')), ErrorIs(ErrorKind::kSystem, _));
  EXPECT_EQ(content_of(path_), "old");
  EXPECT_THAT(names_in_directory(), ElementsAre("run.json"));
}

// Devices by way of a link: code that replaces what it should write to must not cost root his own.
TEST_F(OutputFile, AFullDeviceIsAnError) {
  const std::string full = directory_.file("full");
  std::filesystem::create_symlink("/dev/full", full);
  EXPECT_THAT(check_writable(full), IsOk());
  const Result<void> written = write_whole_file(full, "x");
  ASSERT_THAT(written, ErrorIs(ErrorKind::kSystem, HasSubstr(full)));
  EXPECT_EQ(written.error().errnum, ENOSPC);
}

TEST_F(OutputFile, ADeviceIsWrittenToAndNotReplaced) {
  const std::string null = directory_.file("null");
  std::filesystem::create_symlink("/dev/null", null);
  EXPECT_THAT(check_writable(null), IsOk());
  EXPECT_THAT(write_whole_file(null, "x"), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(null));
  EXPECT_THAT(names_in_directory(), ElementsAre("null"));
}

TEST_F(OutputFile, MayBeAPipe) {
  const std::string pipe = directory_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const UniqueFd reader(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  EXPECT_THAT(write_whole_file(pipe, "through"), IsOk());
  std::string seen(7, '\0');
  EXPECT_EQ(::read(reader.get(), seen.data(), seen.size()), 7);
  EXPECT_EQ(seen, "through");
  EXPECT_THAT(names_in_directory(), ElementsAre("pipe"));
}

struct BadPlace {
  std::string path;
  int errnum;  // 0: any
};

TEST_F(OutputFile, CannotStandWhereNoFileCan) {
  const BadPlace places[] = {
      {directory_.path().string(), EISDIR},
      {directory_.file("missing/run.json"), ENOENT},
      {"/proc/self/run.json", 0},
  };
  for (const BadPlace& place : places) {
    SCOPED_TRACE(place.path);
    const Result<void> checked = check_writable(place.path);
    const Result<void> written = write_whole_file(place.path, "x");
    ASSERT_THAT(checked, ErrorIs(ErrorKind::kSystem, HasSubstr(place.path)));
    ASSERT_THAT(written, ErrorIs(ErrorKind::kSystem, HasSubstr(place.path)));
    if (place.errnum != 0) {
      EXPECT_EQ(checked.error().errnum, place.errnum);
      EXPECT_EQ(written.error().errnum, place.errnum);
    }
  }
  EXPECT_THAT(names_in_directory(), IsEmpty());
}

TEST_F(OutputFile, CannotStandInADirectoryWithoutPermission) {
  if (::geteuid() == 0) GTEST_SKIP() << "root writes everywhere - run as another user";
  std::filesystem::permissions(
      directory_.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_THAT(check_writable(path_), ErrorIs(ErrorKind::kSystem, _));
  EXPECT_THAT(write_whole_file(path_, "x"), ErrorIs(ErrorKind::kSystem, _));
  std::filesystem::permissions(directory_.path(), std::filesystem::perms::owner_all);
  EXPECT_THAT(names_in_directory(), IsEmpty());
}

TEST_F(OutputFile, TheQuestionWhetherItIsWritableLeavesNoTrace) {
  EXPECT_THAT(check_writable(path_), IsOk());
  EXPECT_THAT(names_in_directory(), IsEmpty());
  std::ofstream(path_) << "old";
  EXPECT_THAT(check_writable(path_), IsOk());
  EXPECT_EQ(content_of(path_), "old");
  EXPECT_THAT(names_in_directory(), ElementsAre("run.json"));
}

}  // namespace
}  // namespace bpfmark
