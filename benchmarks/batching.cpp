// SPDX-License-Identifier: BSD-2-Clause
// Measures:         a request (a datagram of 512 bytes, of which the server wants a digest) that a
//                   program at XDP, TC or the server's socket (SK_SKB) digests and joins with
//                   others, so that the server gets n as one datagram.
// Timed region:     a batch of requests, from the first one that is sent to the server's last
//                   digest, user-space clock; all on one CPU.
// Floor:            the same requests, each delivered to the server, which digests it itself: the
//                   net is what joining costs or saves. For hook:socket, which is that server, the
//                   frames thrown away.
// Does not measure: replies; how long a request waits for those that it is joined with.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/batching.h"
#include "bpf/shared/traffic.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "harness/key_stream.h"
#include "harness/program_identity.h"
#include "harness/udp_frame.h"
#include "request_batching.skel.h"

namespace bpfmark {
namespace {

using JoinSkeleton = Skeleton<request_batching_bpf>;
using ProgramSlot = bpf_program* decltype(request_batching_bpf::progs)::*;

struct JoinHook {
  const char* name;
  const char* what;
  ProgramSlot program;               // null: the server has all the work
  std::optional<DeviceHook> device;  // none: the server's socket
  const char* first_kernel;
  const char* config;
};

constexpr JoinHook kSocket{"socket", "the server", nullptr, {}, "", ""};
constexpr JoinHook kHooks[] = {
    {"xdp", "XDP in the driver", &decltype(request_batching_bpf::progs)::batching_xdp,
     DeviceHook::kXdpNative, "5.18", "CONFIG_VETH"},
    {"tc", "TC (clsact)", &decltype(request_batching_bpf::progs)::batching_tc,
     DeviceHook::kTcClsact, "5.18", "CONFIG_VETH"},
    // To see who asked it casts its context.
    {"sk_skb",
     "SK_SKB",
     &decltype(request_batching_bpf::progs)::batching_sk_skb,
     {},
     "6.2",
     "CONFIG_BPF_STREAM_PARSER"},
};

bool is_at_socket(const JoinHook& hook) { return hook.program != nullptr && !hook.device; }

// Every batch is a multiple of each, so that no request is left waiting.
constexpr std::uint32_t kRequests[] = {1, 5, 15, 32};
constexpr std::uint64_t kBatchRequests = 480;

// What a batch adds up to, by the order of the flows.
WindowSums digests_of(const TrafficShape& shape) {
  constexpr __u8 kPayload[BPFMARK_REQUEST_BYTES] = {};
  std::vector<std::uint64_t> of_flow, digests;
  for (std::uint32_t flow = 0; flow < shape.flow_count; ++flow) {
    of_flow.push_back(bpfmark_digest(htonl(BPFMARK_FIRST_FLOW + flow), kPayload));
  }
  for (const std::uint32_t flow : shape.order) {
    digests.push_back(of_flow[flow]);
  }
  return WindowSums(digests);
}

class JoinLoad : public TrafficLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const JoinHook& hook, std::uint32_t requests);

  Result<void> prepare(Arm arm) override {
    joins_ = arm == Arm::kSubject && hook_.program != nullptr;
    (*skeleton_)->bss->joining = joins_ ? 1 : 0;
    (*skeleton_)->bss->waiting_count = 0;
    before_ = {.read = read_, .sum = sum_, .sent = source().sent()};
    if (!is_at_socket(hook_)) return {};
    // Behind SK_SKB a datagram ends where the reader's buffer does, and has no sender any more.
    for (unsigned i = 0; i < kAtOnce; ++i) {
      vectors_[i].iov_len = datagram_bytes();
      messages_[i].msg_hdr.msg_namelen = sizeof(senders_[i]);
    }
    return switch_socket();
  }

  std::vector<ProgramIdentity> programs() const override {
    if (hook_.program == nullptr) return {};
    return identify_subject(bpf_program__fd((*skeleton_)->progs.*hook_.program));
  }

 protected:
  bool reaches(Arm arm) const override { return arm == Arm::kSubject || hook_.program != nullptr; }
  std::uint64_t received() const override { return read_; }
  std::string far_end() const override { return "the server"; }

  Result<void> drain() override {
    while (true) {
      const int count = ::recvmmsg(server_.get(), messages_.data(), kAtOnce, MSG_DONTWAIT, nullptr);
      if (count < 0 && errno == EAGAIN) return {};
      if (count < 0 && errno != EINTR) return system_error(errno, "receive requests");
      for (int i = 0; i < count; ++i) {
        if (Result<void> served = serve(static_cast<unsigned>(i)); !served) return served;
      }
    }
  }

  Result<void> check(Arm /*arm*/) override {
    const std::uint64_t sent = source().sent() - before_.sent;
    if (read_ - before_.read != sent) return {};  // some were lost, and are counted as such
    const std::uint64_t sum = sum_ - before_.sum;
    const std::uint64_t wanted = digests_.sum(before_.sent, sent);
    if (sum == wanted) return {};
    return wrong_result(fmt::format("the digests add up to {} instead of {}", sum, wanted));
  }

 private:
  static constexpr unsigned kAtOnce = 64;
  static_assert(BPFMARK_MAX_JOINED * sizeof(bpfmark_joined) <= BPFMARK_REQUEST_BYTES);

  struct Progress {
    std::uint64_t read = 0;
    std::uint64_t sum = 0;
    std::uint64_t sent = 0;
  };

  JoinLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source,
           const JoinHook& hook, std::uint32_t requests, const TrafficShape& shape, UniqueFd server)
      : TrafficLoad(std::move(pair), std::move(source)),
        hook_(hook),
        requests_(requests),
        digests_(digests_of(shape)),
        server_(std::move(server)) {
    for (unsigned i = 0; i < kAtOnce; ++i) {
      vectors_[i] = {.iov_base = buffers_[i].data(), .iov_len = BPFMARK_REQUEST_BYTES};
      messages_[i].msg_hdr = {.msg_name = &senders_[i],
                              .msg_namelen = sizeof(senders_[i]),
                              .msg_iov = &vectors_[i],
                              .msg_iovlen = 1};
    }
  }

  // Of those that the server gets.
  std::size_t datagram_bytes() const {
    return joins_ ? requests_ * sizeof(bpfmark_joined) : std::size_t{BPFMARK_REQUEST_BYTES};
  }

  // Behind the program to join requests, and on its own to get each.
  Result<void> switch_socket() {
    if (joins_ == entered_) return {};
    const int map_fd = bpf_map__fd((*skeleton_)->maps.sockets);
    if (joins_) {
      Result<void> entered =
          enter_sk_skb((*skeleton_)->progs.*hook_.program, map_fd, server_.get());
      if (!entered) return entered;
    } else {
      const __u32 key = 0;
      const int err = bpf_map_delete_elem(map_fd, &key);
      if (err != 0) return system_error(-err, "take a socket out of a map");
    }
    entered_ = joins_;
    return {};
  }

  // Digests one request, or takes the digests of many.
  Result<void> serve(unsigned i) {
    if ((messages_[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
      return wrong_result(fmt::format("a datagram has more than {} bytes", datagram_bytes()));
    }
    if (messages_[i].msg_len != datagram_bytes()) {
      return wrong_result(fmt::format("a datagram has {} bytes instead of {}", messages_[i].msg_len,
                                      datagram_bytes()));
    }
    if (!joins_) {
      sum_ += bpfmark_digest(senders_[i].sin_addr.s_addr, buffers_[i].data());
      ++read_;
      return {};
    }
    for (std::uint32_t request = 0; request < requests_; ++request) {
      bpfmark_joined joined;
      std::memcpy(&joined, buffers_[i].data() + request * sizeof(joined), sizeof(joined));
      sum_ += joined.digest;
    }
    read_ += requests_;
    return {};
  }

  const JoinHook& hook_;
  std::uint32_t requests_;
  WindowSums digests_;
  UniqueFd server_;
  std::optional<JoinSkeleton> skeleton_;
  Attachment attachment_;
  bool joins_ = false;
  bool entered_ = false;    // the socket is behind the program
  std::uint64_t read_ = 0;  // requests
  std::uint64_t sum_ = 0;   // of digests
  Progress before_;
  std::array<std::array<__u8, BPFMARK_REQUEST_BYTES>, kAtOnce> buffers_{};
  std::array<sockaddr_in, kAtOnce> senders_{};
  std::array<iovec, kAtOnce> vectors_{};
  std::array<mmsghdr, kAtOnce> messages_{};
};

Result<std::unique_ptr<PairedLoad>> JoinLoad::create(const JoinHook& hook, std::uint32_t requests) {
  auto skeleton = JoinSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  std::vector<const bpf_program*> wanted;
  if (hook.program != nullptr) wanted.push_back((*skeleton)->progs.*hook.program);
  skeleton->select(wanted);
  bpf_map__set_autocreate((*skeleton)->maps.sockets, is_at_socket(hook));
  (*skeleton)->rodata->requests = requests;
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  Result<VethPair> made = VethPair::create();
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  const TrafficShape shape = uniform_traffic(kUdpHeaderBytes + BPFMARK_REQUEST_BYTES);
  auto source = raw_source(*pair, shape);
  if (!source) return std::unexpected(source.error());
  Result<UniqueFd> server = traffic_server(*pair);
  if (!server) return std::unexpected(server.error());
  std::unique_ptr<JoinLoad> load(
      new JoinLoad(pair, std::move(*source), hook, requests, shape, std::move(*server)));
  load->skeleton_.emplace(std::move(*skeleton));
  if (!hook.device) return load;
  Result<Attachment> attached =
      attach_to_device((*load->skeleton_)->progs.*hook.program, *hook.device, pair->dut);
  if (!attached) return std::unexpected(attached.error());
  load->attachment_ = std::move(*attached);
  return load;
}

void register_join(Registry& registry, const JoinHook& hook, std::uint32_t requests,
                   const std::string& capability, Suite suite) {
  const bool socket = hook.program == nullptr;
  registry.add(
      {.name = fmt::format("batching/hook:{}/requests:{}", hook.name, requests),
       .question = socket
                       ? "What does a request cost that the server digests?"
                       : fmt::format("What does a request cost that {} digests, and delivers with "
                                     "{} others?",
                                     hook.what, requests - 1),
       .floor = socket ? "the same frames into a device that throws them away"
                       : "the same requests, one by one to the server",
       .needs = {"io_uring", "traffic_raw", capability, "jit"},
       .suite = suite,
       .plan = {.ops_per_batch = kBatchRequests, .rounds = 12, .loads = 12},
       .load = [&hook, requests] { return JoinLoad::create(hook, requests); }});
}

}  // namespace

void register_batching(Registry& registry, Capabilities& capabilities) {
  register_join(registry, kSocket, 1, "pass_none", Suite::kDefault);
  for (const JoinHook& hook : kHooks) {
    const std::string capability = fmt::format("batching_{}", hook.name);
    capabilities.add({capability, fmt::format("join requests at {}", hook.what), [&hook] {
                        return probe_traffic([&] { return JoinLoad::create(hook, 1); },
                                             hook.first_kernel, hook.config);
                      }});
    for (const std::uint32_t requests : kRequests) {
      register_join(registry, hook, requests, capability,
                    requests == 15 && hook.device ? Suite::kDefault : Suite::kFull);
    }
  }
}

}  // namespace bpfmark
