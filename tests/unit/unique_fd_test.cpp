// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

namespace bpfmark {
namespace {

UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

static_assert(!std::is_copy_constructible_v<UniqueFd> && !std::is_copy_assignable_v<UniqueFd>);
static_assert(!std::is_convertible_v<UniqueFd, int> && !std::is_convertible_v<UniqueFd, bool>);

TEST(UniqueFd, ClosesWhenItGoes) {
  int number = -1;
  {
    const UniqueFd fd = open_null();
    number = fd.get();
    ASSERT_TRUE(fd);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, IsNothingUnlessGivenADescriptor) {
  EXPECT_FALSE(UniqueFd());
  EXPECT_FALSE(UniqueFd(-1));
  EXPECT_TRUE(UniqueFd(::dup(0)));
}

TEST(UniqueFd, MovesInsteadOfClosing) {
  UniqueFd from = open_null();
  const int number = from.get();
  const UniqueFd to = std::move(from);
  EXPECT_EQ(to.get(), number);
  EXPECT_TRUE(is_open(number));
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move): that is the subject
}

TEST(UniqueFd, ClosesWhatItHeldWhenAssignedTo) {
  UniqueFd to = open_null();
  const int old = to.get();
  UniqueFd from = open_null();
  const int number = from.get();
  to = std::move(from);
  EXPECT_FALSE(is_open(old));
  EXPECT_TRUE(is_open(number));
  EXPECT_EQ(to.get(), number);
}

TEST(UniqueFd, SurvivesAssignmentToItself) {
  UniqueFd fd = open_null();
  const int number = fd.get();
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(is_open(number));
}

}  // namespace
}  // namespace bpfmark
