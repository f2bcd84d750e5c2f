// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/leak_check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <optional>

#include "fixtures/unique_fd.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

UniqueFd open_null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(LeakCheck, FindsNothingWhereNothingWasLeft) {
  const Inventory before = Inventory::take();
  {
    const UniqueFd fd = open_null();
  }
  EXPECT_THAT(left_behind(before), IsEmpty());
}

TEST(LeakCheck, NamesADescriptorThatWasLeftOpen) {
  const Inventory before = Inventory::take();
  const UniqueFd fd = open_null();
  EXPECT_THAT(left_behind(before), ElementsAre(fmt::format("descriptor {}: /dev/null", fd.get())));
}

TEST(LeakCheck, SeesThatANumberNowMeansAnotherFile) {
  std::optional<UniqueFd> fd = open_null();
  const int number = fd->get();
  const Inventory before = Inventory::take();
  fd.reset();
  const UniqueFd other(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(other.get(), number);
  EXPECT_THAT(left_behind(before), ElementsAre(fmt::format("descriptor {}: /dev/zero", number)));
}

TEST(LeakCheck, DoesNotBlameATestForWhatWasOpenBefore) {
  const UniqueFd fd = open_null();
  EXPECT_THAT(left_behind(Inventory::take()), IsEmpty());
}

TEST(LeakListener, FailsTheTestThatLeaks) {
  const ::testing::TestInfo& info = *::testing::UnitTest::GetInstance()->current_test_info();
  LeakListener listener;
  listener.OnTestStart(info);
  const UniqueFd fd = open_null();
  EXPECT_NONFATAL_FAILURE(listener.OnTestEnd(info), "/dev/null");
}

TEST(LeakListener, PassesTheTestThatDoesNot) {
  const ::testing::TestInfo& info = *::testing::UnitTest::GetInstance()->current_test_info();
  LeakListener listener;
  listener.OnTestStart(info);
  {
    const UniqueFd fd = open_null();
  }
  listener.OnTestEnd(info);
}

}  // namespace
}  // namespace bpfmark
