// SPDX-License-Identifier: BSD-2-Clause
// What the programs at the hooks do with a frame: the same code, compiled for user space.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bpf/shared/echo.h"

namespace bpfmark {
namespace {

constexpr std::uint32_t kClient = 0xc6120001, kServer = 0xc6130001;

// A frame at the end of its memory, so that a sanitizer sees a byte too many, and 2 bytes into a
// word, so that all words of its headers are aligned.
class Frame {
 public:
  explicit Frame(std::size_t bytes)
      : memory_(std::make_unique<std::byte[]>(2 + bytes)), bytes_(bytes) {}

  std::byte* start() { return memory_.get() + 2; }
  std::byte* end() { return start() + bytes_; }
  ethhdr& ethernet() { return *reinterpret_cast<ethhdr*>(start()); }
  iphdr& ip() { return *reinterpret_cast<iphdr*>(start() + sizeof(ethhdr)); }
  std::byte* transport() { return start() + sizeof(ethhdr) + sizeof(iphdr); }
  udphdr& udp() { return *reinterpret_cast<udphdr*>(transport()); }
  tcphdr& tcp() { return *reinterpret_cast<tcphdr*>(transport()); }
  bpfmark_tcp_timestamps& timestamps() {
    return *reinterpret_cast<bpfmark_tcp_timestamps*>(transport() + sizeof(tcphdr));
  }

  // The sum of the transport header, its payload and the pseudo-header (RFC 768, RFC 9293); 0xffff
  // when the checksum in it is right.
  std::uint16_t transport_sum() {
    const std::size_t length = bytes_ - sizeof(ethhdr) - sizeof(iphdr);
    std::vector<std::uint8_t> covered(12);
    std::memcpy(covered.data(), &ip().saddr, 8);
    covered[9] = ip().protocol;
    covered[10] = static_cast<std::uint8_t>(length >> 8);
    covered[11] = static_cast<std::uint8_t>(length);
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(transport());
    covered.insert(covered.end(), bytes, bytes + length);
    if (covered.size() % 2 != 0) covered.push_back(0);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < covered.size(); i += 2) {
      sum += static_cast<std::uint32_t>(covered[i] << 8 | covered[i + 1]);
    }
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
  }

  std::string copy() { return {reinterpret_cast<const char*>(start()), bytes_}; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t bytes_;
};

void fill(Frame& frame, std::uint8_t protocol, std::size_t headers, std::size_t payload) {
  std::memset(frame.ethernet().h_dest, 2, ETH_ALEN);
  std::memset(frame.ethernet().h_source, 1, ETH_ALEN);
  frame.ethernet().h_proto = bpfmark_be16(ETH_P_IP);
  frame.ip().version = 4;
  frame.ip().ihl = 5;
  frame.ip().ttl = 64;
  frame.ip().protocol = protocol;
  frame.ip().tot_len = bpfmark_be16(sizeof(iphdr) + headers + payload);
  frame.ip().saddr = bpfmark_be32(kClient);
  frame.ip().daddr = bpfmark_be32(kServer);
  std::byte* const message = frame.transport() + headers;
  for (std::size_t i = 0; i < payload; ++i) message[i] = static_cast<std::byte>(i * 7);
  const bpfmark_message head{.magic = BPFMARK_MESSAGE_MAGIC, .sequence = 5};
  if (payload >= sizeof(head)) std::memcpy(message, &head, sizeof(head));
}

Frame udp_request(std::size_t payload) {
  Frame frame(sizeof(ethhdr) + sizeof(iphdr) + sizeof(udphdr) + payload);
  fill(frame, BPFMARK_PROTOCOL_UDP, sizeof(udphdr), payload);
  frame.udp().source = bpfmark_be16(BPFMARK_ECHO_CLIENT_PORT);
  frame.udp().dest = bpfmark_be16(BPFMARK_ECHO_PORT);
  frame.udp().len = bpfmark_be16(sizeof(udphdr) + payload);
  frame.udp().check = bpfmark_be16(~frame.transport_sum());
  return frame;
}

Frame tcp_segment(std::size_t payload, bool timestamps, std::uint32_t sequence = 1000) {
  const std::size_t headers = sizeof(tcphdr) + (timestamps ? sizeof(bpfmark_tcp_timestamps) : 0);
  Frame frame(sizeof(ethhdr) + sizeof(iphdr) + headers + payload);
  fill(frame, BPFMARK_PROTOCOL_TCP, headers, payload);
  frame.tcp().source = bpfmark_be16(BPFMARK_ECHO_CLIENT_PORT);
  frame.tcp().dest = bpfmark_be16(BPFMARK_ECHO_PORT);
  frame.tcp().seq = bpfmark_be32(sequence);
  frame.tcp().ack_seq = bpfmark_be32(777);
  frame.tcp().doff = (timestamps ? 8u : 5u) & 0xfu;
  frame.tcp().ack = 1;
  frame.tcp().psh = 1;
  if (timestamps) {
    frame.timestamps() = {
        .kind = BPFMARK_TCP_TIMESTAMPS, .value = bpfmark_be32(111), .echo = bpfmark_be32(222)};
  }
  frame.tcp().check = bpfmark_be16(~frame.transport_sum());
  return frame;
}

bpfmark_echo_verdict look(Frame& frame) {
  bpfmark_echo_headers headers{};
  return bpfmark_echo_look(frame.start(), frame.end(), &headers);
}

void turn(Frame& frame) {
  bpfmark_echo_headers headers{};
  ASSERT_EQ(bpfmark_echo_look(frame.start(), frame.end(), &headers), BPFMARK_ECHO_MESSAGE);
  bpfmark_echo_turn(&headers);
}

TEST(EchoFrame, DatagramGoesBackAsItCame) {
  for (const std::size_t payload : {8u, 13u, 1400u}) {
    Frame frame = udp_request(payload);
    ASSERT_EQ(frame.transport_sum(), 0xffff);
    ASSERT_NO_FATAL_FAILURE(turn(frame));
    EXPECT_EQ(frame.ethernet().h_dest[0], 1);
    EXPECT_EQ(frame.ethernet().h_source[5], 2);
    EXPECT_EQ(frame.ip().saddr, bpfmark_be32(kServer));
    EXPECT_EQ(frame.ip().daddr, bpfmark_be32(kClient));
    EXPECT_EQ(frame.udp().source, bpfmark_be16(BPFMARK_ECHO_PORT));
    EXPECT_EQ(frame.udp().dest, bpfmark_be16(BPFMARK_ECHO_CLIENT_PORT));
    EXPECT_EQ(frame.transport_sum(), 0xffff);
    const std::string request = udp_request(payload).copy();
    EXPECT_EQ(frame.copy().substr(request.size() - payload),
              request.substr(request.size() - payload));
  }
}

TEST(EchoFrame, SegmentIsAcknowledgedByItsReplyWithARightChecksum) {
  for (const bool timestamps : {false, true}) {
    for (const std::size_t payload : {8u, 13u, 256u, 1400u}) {
      for (const std::uint32_t sequence : {0u, 1000u, 0xffffu, 0xffff0000u, 0xfffffff0u}) {
        SCOPED_TRACE(std::to_string(payload) + " bytes from " + std::to_string(sequence));
        Frame frame = tcp_segment(payload, timestamps, sequence);
        ASSERT_EQ(frame.transport_sum(), 0xffff);
        ASSERT_NO_FATAL_FAILURE(turn(frame));
        EXPECT_EQ(frame.tcp().seq, bpfmark_be32(777));
        EXPECT_EQ(frame.tcp().ack_seq,
                  bpfmark_be32(sequence + static_cast<std::uint32_t>(payload)));
        EXPECT_EQ(frame.tcp().dest, bpfmark_be16(BPFMARK_ECHO_CLIENT_PORT));
        EXPECT_EQ(frame.transport_sum(), 0xffff);
        if (!timestamps) continue;
        EXPECT_EQ(frame.timestamps().value, bpfmark_be32(222));
        EXPECT_EQ(frame.timestamps().echo, bpfmark_be32(111));
      }
    }
  }
}

TEST(EchoFrame, BareAcknowledgementIsNoMessage) {
  for (const bool timestamps : {false, true}) {
    Frame frame = tcp_segment(0, timestamps);
    EXPECT_EQ(look(frame), BPFMARK_ECHO_ACKNOWLEDGE);
  }
}

TEST(EchoFrame, WhatIsNotOursPasses) {
  const auto look_at = [](Frame frame, auto change) {
    change(frame);
    return look(frame);
  };
  const auto udp = [] { return udp_request(13); };
  const auto tcp = [] { return tcp_segment(13, true); };
  EXPECT_EQ(look_at(udp(), [](Frame&) {}), BPFMARK_ECHO_MESSAGE);
  EXPECT_EQ(look_at(tcp(), [](Frame&) {}), BPFMARK_ECHO_MESSAGE);
  const std::pair<const char*, bpfmark_echo_verdict> others[] = {
      {"IPv6", look_at(udp(), [](Frame& f) { f.ethernet().h_proto = bpfmark_be16(ETH_P_IPV6); })},
      {"options of IP", look_at(udp(), [](Frame& f) { f.ip().ihl = 6; })},
      {"ICMP", look_at(udp(), [](Frame& f) { f.ip().protocol = 1; })},
      {"port of UDP", look_at(udp(), [](Frame& f) { f.udp().dest = 0; })},
      {"port of TCP", look_at(tcp(), [](Frame& f) { f.tcp().dest = 0; })},
      {"magic", look_at(udp(), [](Frame& f) { f.end()[-13] ^= std::byte{1}; })},
      {"SYN", look_at(tcp(), [](Frame& f) { f.tcp().syn = 1; })},
      {"FIN", look_at(tcp(), [](Frame& f) { f.tcp().fin = 1; })},
      {"RST", look_at(tcp(), [](Frame& f) { f.tcp().rst = 1; })},
      {"other options of TCP", look_at(tcp(), [](Frame& f) { f.timestamps().kind = 0; })},
      {"more options of TCP", look_at(tcp(), [](Frame& f) { f.tcp().doff = 9; })},
  };
  for (const auto& [what, verdict] : others) EXPECT_EQ(verdict, BPFMARK_ECHO_OTHER) << what;
}

TEST(EchoFrame, IsNeverReadBeyondItsEnd) {
  for (const std::string& whole : {udp_request(8).copy(), tcp_segment(8, true).copy()}) {
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
      Frame frame(bytes);
      std::memcpy(frame.start(), whole.data(), bytes);
      EXPECT_EQ(look(frame), BPFMARK_ECHO_OTHER) << bytes;
    }
  }
}

}  // namespace
}  // namespace bpfmark
