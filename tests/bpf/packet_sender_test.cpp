// SPDX-License-Identifier: BSD-2-Clause
#include "harness/packet_sender.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "fixtures/packet_socket.h"
#include "fixtures/veth_pair.h"
#include "harness/udp_frame.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAreArray;

constexpr std::size_t kBytes = 60;
constexpr std::size_t kSourceLastByte = 29;  // of the source address, in a frame

// Receives whole IPv4 frames at the far end, without waiting.
Result<UniqueFd> listen_at(const VethEnd& end) {
  UniqueFd made;
  const Result<void> done = end.net_ns.run([&]() -> Result<void> {
    made = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP)));
    return made ? Result<void>() : system_error(errno, "make a packet socket");
  });
  if (!done) return std::unexpected(done.error());
  return made;
}

TEST(PacketSender, SendsTheFramesOfItsStreamInTheirOrderWhateverTheWay) {
  const Result<VethPair> pair = VethPair::create();
  if (!pair) BPFMARK_SKIP_OR_FAIL(pair.error());
  FrameStream stream = {.frame_bytes = kBytes, .frames = {}, .order = {2, 0, 1}};
  for (std::uint32_t flow = 0; flow < 3; ++flow) {
    const auto frame = udp_frame(kBytes, {.source_mac = pair->client.mac,
                                          .destination_mac = pair->dut.mac,
                                          .source = {.s_addr = htonl(0xC6120100 + flow)},
                                          .destination = pair->dut.ipv4,
                                          .source_port = 1024,
                                          .destination_port = 8080});
    stream.frames.insert(stream.frames.end(), frame.begin(), frame.end());
  }
  // More than one batch, and no multiple of one or of the stream.
  constexpr std::uint64_t kFrames = 2 * PacketSender::kBatch + 7;
  std::vector<int> expected;
  for (std::uint64_t i = 0; i < kFrames; ++i) {
    expected.push_back(static_cast<int>(stream.order[i % stream.order.size()]));
  }
  for (const SendWay way :
       {SendWay::kUring, SendWay::kSendto, SendWay::kSendmmsg, SendWay::kTxRing}) {
    SCOPED_TRACE(send_way_name(way));
    const Result<UniqueFd> receiver = listen_at(pair->dut);
    ASSERT_THAT(receiver, IsOk());
    const Result<UniqueFd> socket = packet_socket(pair->client.net_ns, pair->client.ifindex);
    ASSERT_THAT(socket, IsOk());
    const auto sender = PacketSender::create(way, socket->get(), stream);
    if (!sender && way == SendWay::kUring) BPFMARK_SKIP_OR_FAIL(sender.error());
    ASSERT_THAT(sender, IsOk());
    ASSERT_THAT((*sender)->send(kFrames), IsOkAndHolds(0u));
    std::vector<int> seen;
    std::byte frame[2048];
    while (::recv(receiver->get(), frame, sizeof(frame), 0) == static_cast<ssize_t>(kBytes)) {
      seen.push_back(std::to_integer<int>(frame[kSourceLastByte]));
    }
    EXPECT_THAT(seen, ElementsAreArray(expected));
  }
}

TEST(PacketSender, DeviceThatThrowsEverythingAwayTakesAllOfIt) {
  const Result<VethPair> pair = VethPair::create();
  if (!pair) BPFMARK_SKIP_OR_FAIL(pair.error());
  const Result<int> hole = add_black_hole(pair->client);
  if (!hole) BPFMARK_SKIP_OR_FAIL(hole.error());
  const Result<UniqueFd> socket = packet_socket(pair->client.net_ns, *hole);
  ASSERT_THAT(socket, IsOk());
  const FrameStream stream = {.frame_bytes = kBytes, .frames = udp_frame(kBytes), .order = {0}};
  const auto sender = PacketSender::create(SendWay::kSendto, socket->get(), stream);
  ASSERT_THAT(sender, IsOk());
  EXPECT_THAT((*sender)->send(1000), IsOkAndHolds(0u));
  EXPECT_THAT(transmit_drops(pair->client), IsOkAndHolds(0u));
}

}  // namespace
}  // namespace bpfmark
