// SPDX-License-Identifier: BSD-2-Clause
#include "harness/ring.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <thread>

#include "fixtures/unique_fd.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kLong_ns = 10'000'000'000;

class RingTest : public ::testing::TestWithParam<Wait> {
 protected:
  void SetUp() override {
    add_ring_capability(Capabilities::instance());
    if (auto met = Capabilities::instance().check({"io_uring"}); !met) {
      BPFMARK_SKIP_OR_FAIL(met.error());
    }
    auto ring = Ring::create(4);
    ASSERT_THAT(ring, IsOk());
    ring_.emplace(std::move(*ring));
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, raw_.data()), 0);
    own_ = UniqueFd(raw_[0]);
    peer_ = UniqueFd(raw_[1]);
  }

  std::optional<Ring> ring_;
  std::array<int, 2> raw_{};
  UniqueFd own_;
  UniqueFd peer_;
};

TEST_P(RingTest, WhatIsSubmittedComesBackOnceWithItsMark) {
  for (const std::uint64_t mark : {7u, 8u, 9u}) {
    io_uring_sqe* const entry = ring_->next_entry();
    ASSERT_NE(entry, nullptr);
    io_uring_prep_nop(entry);
    io_uring_sqe_set_data64(entry, mark);
  }
  ASSERT_THAT(ring_->submit(3, GetParam(), kLong_ns), IsOk());
  for (const std::uint64_t mark : {7u, 8u, 9u}) {
    const Ring::Completion done = ring_->take();
    EXPECT_EQ(done.user_data, mark);
    EXPECT_EQ(done.result, 0);
  }
  EXPECT_EQ(ring_->ready(), 0u);
}

TEST_P(RingTest, ReceiverIsThereWhenTheMessageComesLater) {
  std::array<char, 8> buffer{};
  io_uring_prep_recv(ring_->next_entry(), own_.get(), buffer.data(), buffer.size(), 0);
  const std::jthread sender([this] { ::send(peer_.get(), "late", 4, 0); });
  ASSERT_THAT(ring_->submit(1, GetParam(), kLong_ns), IsOk());
  EXPECT_EQ(ring_->take().result, 4);
}

TEST_P(RingTest, PatienceEndsTheWaitForWhatDoesNotCome) {
  std::array<char, 8> buffer{};
  io_uring_prep_recv(ring_->next_entry(), own_.get(), buffer.data(), buffer.size(), 0);
  const Result<void> waited = ring_->submit(1, GetParam(), 2'000'000);
  ASSERT_THAT(waited, ErrorIs(ErrorKind::kSystem, HasSubstr("wait for completions")));
  EXPECT_EQ(waited.error().errnum, ETIMEDOUT);
  EXPECT_EQ(ring_->ready(), 0u);
}

TEST_P(RingTest, NothingToWaitForReturnsAtOnce) {
  EXPECT_THAT(ring_->submit(0, GetParam(), kLong_ns), IsOk());
}

TEST_P(RingTest, EntriesAreLimited) {
  for (int i = 0; i < 4; ++i) EXPECT_NE(ring_->next_entry(), nullptr);
  EXPECT_EQ(ring_->next_entry(), nullptr);
}

TEST_P(RingTest, SubmissionOfAnotherThreadIsRefused) {
  io_uring_prep_nop(ring_->next_entry());
  Result<void> submitted;
  std::jthread([&] { submitted = ring_->submit(1, GetParam(), kLong_ns); }).join();
  ASSERT_THAT(submitted, ErrorIs(ErrorKind::kSystem, HasSubstr("submit")));
  EXPECT_EQ(submitted.error().errnum, EEXIST);
}

INSTANTIATE_TEST_SUITE_P(Waiting, RingTest, ::testing::Values(Wait::kBlocking, Wait::kBusy),
                         [](const auto& wait) {
                           return wait.param == Wait::kBusy ? "Busy" : "Blocking";
                         });

TEST(Ring, TooManyEntriesAreAnError) {
  EXPECT_THAT(Ring::create(1u << 30), ErrorIs(ErrorKind::kSystem, HasSubstr("io_uring")));
}

}  // namespace
}  // namespace bpfmark
