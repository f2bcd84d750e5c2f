// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/loopback_socket.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

TEST(LoopbackSocket, HoldsAPortOfItsOwnOfTheLoopbackAddress) {
  const Result<LoopbackSocket> first = LoopbackSocket::create();
  const Result<LoopbackSocket> second = LoopbackSocket::create();
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  EXPECT_NE(first->port, second->port);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(first->port);
  const UniqueFd other(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_NE(::bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(errno, EADDRINUSE);
}

}  // namespace
}  // namespace bpfmark
