// SPDX-License-Identifier: BSD-2-Clause
#include "harness/program_type.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "harness/udp_frame.h"

namespace bpfmark {
namespace {

constexpr std::size_t kFrameBytes = 64;

TestRunInput nothing() { return {}; }

TestRunInput frame() { return {.packet = udp_frame(kFrameBytes), .context = {}}; }

// A netfilter hook sees the packet from the network header on.
TestRunInput ip_packet() {
  std::vector<std::byte> packet = udp_frame(kFrameBytes);
  packet.erase(packet.begin(), packet.begin() + 14);
  return {.packet = std::move(packet), .context = {}};
}

TestRunInput socket_lookup() {
  bpf_sk_lookup lookup{};
  lookup.family = AF_INET;
  lookup.protocol = IPPROTO_TCP;
  TestRunInput input;
  input.context.resize(sizeof(lookup));
  std::memcpy(input.context.data(), &lookup, sizeof(lookup));
  return input;
}

constexpr auto kNoAttachType = static_cast<bpf_attach_type>(0);

constexpr std::array kTypes{
    ProgramType{"cgroup_skb", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, true, "4.12",
                "CONFIG_CGROUP_BPF", frame},
    ProgramType{"flow_dissector", BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, true, "5.0",
                "CONFIG_NET", frame},
    ProgramType{"lwt_in", BPF_PROG_TYPE_LWT_IN, kNoAttachType, true, "4.12", "CONFIG_LWTUNNEL_BPF",
                frame},
    ProgramType{"lwt_out", BPF_PROG_TYPE_LWT_OUT, kNoAttachType, true, "4.12",
                "CONFIG_LWTUNNEL_BPF", frame},
    ProgramType{"lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, kNoAttachType, true, "4.12",
                "CONFIG_LWTUNNEL_BPF", frame},
    ProgramType{"netfilter", BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER, true, "6.4",
                "CONFIG_NETFILTER_BPF_LINK", ip_packet},
    ProgramType{"raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, kNoAttachType, false, "5.10",
                "CONFIG_BPF_EVENTS", nothing},
    ProgramType{"sk_lookup", BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, true, "5.13", "CONFIG_INET",
                socket_lookup},
    ProgramType{"socket_filter", BPF_PROG_TYPE_SOCKET_FILTER, kNoAttachType, true, "4.12",
                "CONFIG_NET", frame},
    ProgramType{"syscall", BPF_PROG_TYPE_SYSCALL, kNoAttachType, false, "5.14",
                "CONFIG_BPF_SYSCALL", nothing},
    ProgramType{"tc", BPF_PROG_TYPE_SCHED_CLS, kNoAttachType, true, "4.12", "CONFIG_NET_CLS_ACT",
                frame},
    ProgramType{"xdp", BPF_PROG_TYPE_XDP, kNoAttachType, true, "4.12", "CONFIG_NET", frame},
};

}  // namespace

std::span<const ProgramType> program_types() { return kTypes; }

const ProgramType* find_program_type(std::string_view name) {
  const auto* const found = std::ranges::find(kTypes, name, &ProgramType::name);
  return found == kTypes.end() ? nullptr : found;
}

}  // namespace bpfmark
