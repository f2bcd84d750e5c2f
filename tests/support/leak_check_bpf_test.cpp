// SPDX-License-Identifier: BSD-2-Clause
// The leak check on BPF objects that no descriptor of this process shows.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include "fixtures/unique_fd.h"
#include "tests/support/leak_check.h"
#include "tests/support/promised.h"

namespace bpfmark {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Does what must not be found in vain: after it, nothing waits for two seconds.
constexpr std::chrono::milliseconds kNoPatience{0};

class LeakedMap : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = Inventory::take();
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
    const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "planted_leak", 4, 8, 1, &options);
    if (fd < 0) {
      BPFMARK_SKIP_OR_FAIL((Error{.kind = ErrorKind::kSystem,
                                  .errnum = -fd,
                                  .what = fmt::format("create a map: {}", std::strerror(-fd))}));
    }
    fd_ = UniqueFd(fd);
    __u32 first = 0;
    if (const int err = bpf_map_get_next_id(0, &first); err != 0) {
      BPFMARK_SKIP_OR_FAIL((Error{.kind = ErrorKind::kSystem,
                                  .errnum = -err,
                                  .what = fmt::format("list the maps: {}", std::strerror(-err))}));
    }
  }

  Inventory before_;
  UniqueFd fd_;
};

TEST_F(LeakedMap, IsNamed) {
  EXPECT_THAT(left_behind(before_, kNoPatience),
              Contains(ContainsRegex("^map [0-9]+: \"planted_leak\"$")));
}

TEST_F(LeakedMap, IsNamedWhenOnlyAMappingKeepsIt) {
  void* const memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd_.get(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  fd_ = UniqueFd();
  const auto lines = left_behind(before_, kNoPatience);
  ::munmap(memory, 4096);
  EXPECT_THAT(lines, Contains(HasSubstr("planted_leak")));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("descriptor"))));
}

TEST_F(LeakedMap, IsForgivenOnceTheKernelHasFreedIt) {
  fd_ = UniqueFd();
  EXPECT_THAT(left_behind(before_), IsEmpty());
}

TEST_F(LeakedMap, IsNotOursWhenAnotherProcessHoldsIt) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(pipe[1]);
    char byte = 0;
    ::_exit(::read(pipe[0], &byte, 1) == 0 ? 0 : 1);
  }
  fd_ = UniqueFd();
  ::close(pipe[0]);
  const auto lines = left_behind(before_, kNoPatience);
  ::close(pipe[1]);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(lines, Not(Contains(HasSubstr("planted_leak"))));
}

}  // namespace
}  // namespace bpfmark
