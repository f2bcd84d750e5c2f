// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/veth_pair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "fixtures/unique_fd.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::vector<std::string> interfaces() {
  std::vector<std::string> names;
  struct if_nameindex* const list = ::if_nameindex();
  for (const struct if_nameindex* entry = list; entry != nullptr && entry->if_index != 0; ++entry) {
    names.emplace_back(entry->if_name);
  }
  ::if_freenameindex(list);
  return names;
}

sockaddr_in6 address_of(const in6_addr& address) {
  sockaddr_in6 made{};
  made.sin6_family = AF_INET6;
  made.sin6_addr = address;
  made.sin6_port = htons(4711);
  return made;
}

sockaddr_in address_of(const in_addr& address) {
  sockaddr_in made{};
  made.sin_family = AF_INET;
  made.sin_addr = address;
  made.sin_port = htons(4711);
  return made;
}

// Sends a datagram from one end to the other and receives it there, at once or before `patience` is
// over.
template <class Address>
Result<void> send_and_receive(const VethEnd& from, const VethEnd& to, const Address& address,
                              const timeval& patience = {.tv_sec = 10}) {
  UniqueFd receiver;
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  const Result<void> bound = to.net_ns.run([&]() -> Result<void> {
    receiver = UniqueFd(::socket(name->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::bind(receiver.get(), name, sizeof(address)) != 0 ||
        ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0) {
      return system_error(errno, "bind");
    }
    return {};
  });
  if (!bound) return bound;
  const Result<void> sent = from.net_ns.run([&]() -> Result<void> {
    const UniqueFd sender(::socket(name->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (::sendto(sender.get(), "hello", 5, 0, name, sizeof(address)) != 5) {
      return system_error(errno, "send");
    }
    return {};
  });
  if (!sent) return sent;
  char text[8];
  if (::recv(receiver.get(), text, sizeof(text), 0) != 5) {
    return system_error(errno, "receive");
  }
  return {};
}

class VethPairTest : public ::testing::Test {
 protected:
  void create(const VethOptions& options) {
    auto pair = VethPair::create(options);
    if (!pair) BPFMARK_SKIP_OR_FAIL(pair.error());
    pair_.emplace(std::move(*pair));
  }

  std::optional<VethPair> pair_;
};

TEST_F(VethPairTest, EachEndIsAloneInItsNamespace) {
  create({});
  if (IsSkipped()) return;
  std::vector<std::string> client, dut;
  ASSERT_THAT(pair_->client.net_ns.run([&]() -> Result<void> {
    client = interfaces();
    return {};
  }),
              IsOk());
  ASSERT_THAT(pair_->dut.net_ns.run([&]() -> Result<void> {
    dut = interfaces();
    return {};
  }),
              IsOk());
  EXPECT_THAT(client, UnorderedElementsAre("lo", "client"));
  EXPECT_THAT(dut, UnorderedElementsAre("lo", "dut"));
  EXPECT_THAT(interfaces(), ::testing::AllOf(::testing::Not(::testing::Contains("client")),
                                             ::testing::Not(::testing::Contains("dut"))));
}

TEST_F(VethPairTest, CarriesBothFamiliesBothWaysAtOnce) {
  create({});
  if (IsSkipped()) return;
  for (const auto& [from, to] :
       {std::pair{&pair_->client, &pair_->dut}, std::pair{&pair_->dut, &pair_->client}}) {
    EXPECT_THAT(send_and_receive(*from, *to, address_of(to->ipv4)), IsOk());
    EXPECT_THAT(send_and_receive(*from, *to, address_of(to->ipv6)), IsOk());
  }
}

TEST_F(VethPairTest, NeighboursArePermanent) {
  create({});
  if (IsSkipped()) return;
  std::string table;
  ASSERT_THAT(pair_->client.net_ns.run([&]() -> Result<void> {
    std::ifstream file("/proc/thread-self/net/arp");
    table.assign(std::istreambuf_iterator<char>(file), {});
    return {};
  }),
              IsOk());
  // Address, type, flags: 4 is permanent, 2 complete.
  EXPECT_THAT(table, HasSubstr("198.19.0.1       0x1         0x6"));
  EXPECT_THAT(table, HasSubstr("02:62:70:66:00:02"));
}

TEST_F(VethPairTest, IsAsAskedFor) {
  const VethOptions all_on{.mtu_bytes = 9000,
                           .queues = 2,
                           .offloads = {.rx_checksum = true,
                                        .tx_checksum = true,
                                        .scatter_gather = true,
                                        .tcp_segmentation = true,
                                        .generic_segmentation = true,
                                        .generic_receive = true}};
  for (const VethOptions& options : {VethOptions{}, all_on}) {
    create(options);
    if (IsSkipped()) return;
    EXPECT_EQ(pair_->options.mtu_bytes, options.mtu_bytes);
    EXPECT_EQ(pair_->options.offloads, options.offloads);
    EXPECT_THAT(send_and_receive(pair_->client, pair_->dut, address_of(pair_->dut.ipv4)), IsOk());
  }
  EXPECT_EQ(VethOptions{}.offloads.on(), 0);
  EXPECT_EQ(all_on.offloads.on(), 6);
}

// The device cannot cut segments without computing their checksums, and switches it off by itself.
TEST_F(VethPairTest, RefusesADeviceThatIsNotAsAskedFor) {
  create({});
  if (IsSkipped()) return;
  EXPECT_THAT(VethPair::create({.offloads = {.tcp_segmentation = true}}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("offload tcp_segmentation")));
}

TEST_F(VethPairTest, TwoPairsDoNotMeet) {
  create({});
  if (IsSkipped()) return;
  const Result<VethPair> other = VethPair::create();
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT(
      send_and_receive(pair_->client, other->dut, address_of(other->dut.ipv4), {.tv_usec = 5000}),
      ErrorIs(ErrorKind::kSystem, HasSubstr("receive")));
}

}  // namespace
}  // namespace bpfmark
