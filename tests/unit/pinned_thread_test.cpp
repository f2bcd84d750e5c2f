// SPDX-License-Identifier: BSD-2-Clause
#include "harness/pinned_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include "harness/guards.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

TEST(PinnedThread, WorksOnItsCpuUntilTheOwnerGoes) {
  std::atomic<int> cpu = -1;
  std::atomic<bool> ended = false;
  const int wanted = allowed_cpus().back();
  {
    const auto thread = PinnedThread::start(wanted, [&](const PinnedThread& self) -> Result<void> {
      cpu = sched_getcpu();
      pollfd stop{.fd = self.stop_fd(), .events = POLLIN, .revents = 0};
      ::poll(&stop, 1, -1);
      ended = self.stopping();
      return {};
    });
    ASSERT_THAT(thread, IsOk());
    while (cpu < 0) std::this_thread::yield();
    EXPECT_FALSE((*thread)->failure().has_value());
    EXPECT_FALSE(ended);
  }
  EXPECT_EQ(cpu, wanted);
  EXPECT_TRUE(ended);
}

TEST(PinnedThread, ErrorAndEarlyEndAreFailures) {
  for (const auto& [outcome, text] : {std::pair{Result<void>(wrong_result("no luck")), "no luck"},
                                      std::pair{Result<void>(), "ended too early"}}) {
    const auto thread = PinnedThread::start(
        allowed_cpus().back(), [&](const PinnedThread&) -> Result<void> { return outcome; });
    ASSERT_THAT(thread, IsOk());
    while (!(*thread)->failure()) std::this_thread::yield();
    EXPECT_THAT((*thread)->failure()->what, HasSubstr(text));
  }
}

TEST(PinnedThread, CpuThatIsNotThereIsAnError) {
  const auto thread =
      PinnedThread::start(CPU_SETSIZE - 1, [](const PinnedThread&) -> Result<void> { return {}; });
  EXPECT_THAT(thread, ErrorIs(ErrorKind::kSystem, HasSubstr("pin to CPU")));
}

}  // namespace
}  // namespace bpfmark
