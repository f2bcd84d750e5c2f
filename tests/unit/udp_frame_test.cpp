// SPDX-License-Identifier: BSD-2-Clause
#include "harness/udp_frame.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "harness/program_type.h"

namespace bpfmark {
namespace {

constexpr std::size_t kSmallest = sizeof(ethhdr) + sizeof(iphdr) + sizeof(udphdr);

template <class T>
T read_at(const std::vector<std::byte>& frame, std::size_t offset) {
  T value;
  std::memcpy(&value, frame.data() + offset, sizeof(value));
  return value;
}

// RFC 1071 over the IP header.
std::uint16_t checksum(const iphdr& header) {
  std::uint16_t words[sizeof(iphdr) / 2];
  std::memcpy(words, &header, sizeof(header));
  std::uint32_t sum = 0;
  for (const std::uint16_t word : words) sum += word;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

TEST(UdpFrame, IsAsLongAsAskedForButNeverShorterThanItsHeaders) {
  for (const auto& [asked, given] : {std::pair<std::size_t, std::size_t>{0, kSmallest},
                                     {41, kSmallest},
                                     {42, kSmallest},
                                     {43, 43},
                                     {64, 64},
                                     {1514, 1514}}) {
    EXPECT_EQ(udp_frame(asked).size(), given);
  }
}

TEST(UdpFrame, HeadersStateTheLengthsThatFollow) {
  for (const std::size_t bytes : {kSmallest, std::size_t{64}, std::size_t{1514}}) {
    const auto frame = udp_frame(bytes);
    const auto ethernet = read_at<ethhdr>(frame, 0);
    const auto ip = read_at<iphdr>(frame, sizeof(ethhdr));
    const auto udp = read_at<udphdr>(frame, sizeof(ethhdr) + sizeof(iphdr));
    EXPECT_EQ(ntohs(ethernet.h_proto), ETH_P_IP);
    EXPECT_EQ(ip.version, 4);
    EXPECT_EQ(ip.ihl * 4u, sizeof(iphdr));
    EXPECT_EQ(ip.protocol, IPPROTO_UDP);
    EXPECT_GT(ip.ttl, 0);
    EXPECT_EQ(ip.frag_off, 0);
    EXPECT_EQ(ntohs(ip.tot_len), bytes - sizeof(ethhdr));
    EXPECT_EQ(ntohs(udp.len), bytes - sizeof(ethhdr) - sizeof(iphdr));
  }
}

TEST(UdpFrame, TakesAChecksumThatVerifies) {
  auto ip = read_at<iphdr>(udp_frame(64), sizeof(ethhdr));
  EXPECT_EQ(ip.check, 0) << "nothing to disturb the sum";
  ip.check = checksum(ip);
  EXPECT_EQ(checksum(ip), 0);
}

TEST(UdpFrame, CarriesZeroesBehindItsHeaders) {
  const auto frame = udp_frame(100);
  EXPECT_TRUE(std::all_of(frame.begin() + kSmallest, frame.end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST(UdpFrame, OnARouteStatesItAndAChecksumThatVerifies) {
  const UdpRoute route = {.source_mac = {2, 0, 0, 0, 0, 1},
                          .destination_mac = {2, 0, 0, 0, 0, 2},
                          .source = {.s_addr = htonl(0xC6120001)},
                          .destination = {.s_addr = htonl(0xC6130001)},
                          .source_port = 1025,
                          .destination_port = 8080};
  const auto frame = udp_frame(60, route);
  ASSERT_EQ(frame.size(), 60u);
  const auto ethernet = read_at<ethhdr>(frame, 0);
  const auto ip = read_at<iphdr>(frame, sizeof(ethhdr));
  const auto udp = read_at<udphdr>(frame, sizeof(ethhdr) + sizeof(iphdr));
  EXPECT_EQ(ethernet.h_source[5], 1);
  EXPECT_EQ(ethernet.h_dest[5], 2);
  EXPECT_EQ(ntohl(ip.saddr), 0xC6120001u);
  EXPECT_EQ(ntohl(ip.daddr), 0xC6130001u);
  EXPECT_EQ(ntohs(udp.source), 1025);
  EXPECT_EQ(ntohs(udp.dest), 8080);
  EXPECT_EQ(udp.check, 0) << "none";
  EXPECT_NE(ip.check, 0);
  EXPECT_EQ(checksum(ip), 0);
}

TEST(ProgramTypes, AreSortedByNameAndFoundByIt) {
  EXPECT_TRUE(std::ranges::is_sorted(program_types(), {}, &ProgramType::name));
  for (const ProgramType& type : program_types()) {
    EXPECT_EQ(find_program_type(type.name), &type);
  }
  EXPECT_EQ(find_program_type("xd"), nullptr);
}

TEST(ProgramTypes, FeedNetfilterTheFrameWithoutItsEthernetHeader) {
  const auto packet = find_program_type("netfilter")->input().packet;
  const auto frame = find_program_type("xdp")->input().packet;
  ASSERT_EQ(packet.size() + sizeof(ethhdr), frame.size());
  EXPECT_TRUE(std::equal(packet.begin(), packet.end(), frame.begin() + sizeof(ethhdr)));
}

}  // namespace
}  // namespace bpfmark
