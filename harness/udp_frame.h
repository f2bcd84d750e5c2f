// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bpfmark {

// Ethernet, IPv4 and UDP headers: the shortest frame that udp_frame() makes.
inline constexpr std::size_t kUdpHeaderBytes = 42;

// A minimal Ethernet + IPv4 + UDP frame of `bytes` (at least 42), as a packet for a test-run.
std::vector<std::byte> udp_frame(std::size_t bytes);

// Where a frame that is really sent comes from and goes to. Ports are in host order.
struct UdpRoute {
  std::array<std::uint8_t, 6> source_mac{};
  std::array<std::uint8_t, 6> destination_mac{};
  in_addr source{};
  in_addr destination{};
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

// The same frame on that route, with the checksum of its IP header; UDP has none (0).
std::vector<std::byte> udp_frame(std::size_t bytes, const UdpRoute& route);

}  // namespace bpfmark
