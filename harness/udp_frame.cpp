// SPDX-License-Identifier: BSD-2-Clause
#include "harness/udp_frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <algorithm>
#include <cstring>

namespace bpfmark {
namespace {

struct [[gnu::packed]] Headers {
  ethhdr ethernet;
  iphdr ip;
  udphdr udp;
};
static_assert(sizeof(Headers) == kUdpHeaderBytes);

Headers headers_of(std::size_t bytes, const UdpRoute& route) {
  Headers headers{};
  std::ranges::copy(route.source_mac, headers.ethernet.h_source);
  std::ranges::copy(route.destination_mac, headers.ethernet.h_dest);
  headers.ethernet.h_proto = htons(ETH_P_IP);
  headers.ip.version = 4;
  headers.ip.ihl = 5;
  headers.ip.ttl = 64;
  headers.ip.protocol = IPPROTO_UDP;
  headers.ip.tot_len = htons(static_cast<std::uint16_t>(bytes - sizeof(ethhdr)));
  headers.ip.saddr = route.source.s_addr;
  headers.ip.daddr = route.destination.s_addr;
  headers.udp.source = htons(route.source_port);
  headers.udp.dest = htons(route.destination_port);
  headers.udp.len = htons(static_cast<std::uint16_t>(bytes - sizeof(ethhdr) - sizeof(iphdr)));
  return headers;
}

// RFC 1071.
std::uint16_t checksum(const iphdr& header) {
  std::uint16_t words[sizeof(iphdr) / 2];
  std::memcpy(words, &header, sizeof(header));
  std::uint32_t sum = 0;
  for (const std::uint16_t word : words) sum += word;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::vector<std::byte> frame_of(std::size_t bytes, const Headers& headers) {
  std::vector<std::byte> frame(bytes);
  std::memcpy(frame.data(), &headers, sizeof(headers));
  return frame;
}

}  // namespace

std::vector<std::byte> udp_frame(std::size_t bytes) {
  bytes = std::max(bytes, sizeof(Headers));
  const in_addr loopback{.s_addr = htonl(INADDR_LOOPBACK)};
  return frame_of(bytes, headers_of(bytes, {.source = loopback,
                                            .destination = loopback,
                                            .source_port = 1024,
                                            .destination_port = 9}));
}

std::vector<std::byte> udp_frame(std::size_t bytes, const UdpRoute& route) {
  bytes = std::max(bytes, sizeof(Headers));
  Headers headers = headers_of(bytes, route);
  const iphdr ip = headers.ip;
  headers.ip.check = checksum(ip);
  return frame_of(bytes, headers);
}

}  // namespace bpfmark
