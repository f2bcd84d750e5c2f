// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/traffic.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/shared/traffic.h"
#include "fixtures/device_hook.h"
#include "fixtures/packet_socket.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/key_stream.h"
#include "harness/ring.h"
#include "harness/test_run.h"
#include "harness/udp_frame.h"
#include "traffic_source.skel.h"

namespace bpfmark {
namespace {

// How long packets that were offered and not lost may keep away, in CPU time of the thread that
// waits: whoever handles them shares its CPU, on a busy machine too.
constexpr std::uint64_t kPatience_ns = 500'000'000;
// After which it is asked for the first time whether they were lost.
constexpr std::uint64_t kDoubt_ns = 2'000'000;

static_assert(kUdpHeaderBytes + BPFMARK_TRAFFIC_PAYLOAD == kSmallestFrame);

constexpr int kReceiveBufferBytes = 16 << 20;

std::vector<std::byte> flow_frame(const VethPair& pair, std::size_t frame_bytes,
                                  std::uint32_t flow) {
  return udp_frame(frame_bytes, {.source_mac = pair.client.mac,
                                 .destination_mac = pair.dut.mac,
                                 .source = {.s_addr = htonl(BPFMARK_FIRST_FLOW + flow)},
                                 .destination = pair.dut.ipv4,
                                 .source_port = kTrafficSourcePort,
                                 .destination_port = BPFMARK_TRAFFIC_PORT});
}

class RawSource : public TrafficSource {
 public:
  static Result<std::unique_ptr<TrafficSource>> create(const VethPair& pair,
                                                       const TrafficShape& shape, SendWay way) {
    std::unique_ptr<RawSource> source(new RawSource);
    source->stream_ = {.frame_bytes = shape.frame_bytes, .frames = {}, .order = shape.order};
    for (std::uint32_t flow = 0; flow < shape.flow_count; ++flow) {
      const std::vector<std::byte> frame = flow_frame(pair, shape.frame_bytes, flow);
      source->stream_.frames.insert(source->stream_.frames.end(), frame.begin(), frame.end());
    }
    const Result<int> hole = add_black_hole(pair.client);
    if (!hole) return std::unexpected(hole.error());
    for (const auto& [out, ifindex] :
         {std::pair{&source->out_, pair.client.ifindex}, std::pair{&source->nowhere_, *hole}}) {
      Result<UniqueFd> socket = packet_socket(pair.client.net_ns, ifindex);
      if (!socket) return std::unexpected(socket.error());
      out->socket = std::move(*socket);
      Result<std::unique_ptr<PacketSender>> sender =
          PacketSender::create(way, out->socket.get(), source->stream_);
      if (!sender) return std::unexpected(sender.error());
      out->sender = std::move(*sender);
    }
    return source;
  }

  Result<Offered> offer(std::uint64_t packets) override {
    sent_ += packets;
    return send(out_, packets);
  }
  Result<Offered> discard(std::uint64_t packets) override { return send(nowhere_, packets); }
  std::uint64_t sent() const override { return sent_; }

 private:
  struct Out {
    UniqueFd socket;
    std::unique_ptr<PacketSender> sender;
  };

  RawSource() = default;

  static Result<Offered> send(const Out& out, std::uint64_t packets) {
    const Result<std::uint64_t> refused = out.sender->send(packets);
    if (!refused) return std::unexpected(refused.error());
    return Offered{.packets = packets, .refused = *refused};
  }

  FrameStream stream_;
  Out out_;
  Out nowhere_;
  std::uint64_t sent_ = 0;
};

class LiveSource : public TrafficSource {
 public:
  static Result<std::unique_ptr<TrafficSource>> create(const VethPair& pair,
                                                       const TrafficShape& shape) {
    Result<Skeleton<traffic_source_bpf>> opened = Skeleton<traffic_source_bpf>::open();
    if (!opened) return std::unexpected(opened.error());
    if (shape.order.size() > BPFMARK_MAX_FLOW_STREAM) {
      return wrong_result("the order of the flows is too long");
    }
    Skeleton<traffic_source_bpf>& skeleton = *opened;
    skeleton->rodata->flow_mask = static_cast<__u32>(shape.order.size() - 1);
    if (Result<void> loaded = skeleton.load(); !loaded) return std::unexpected(loaded.error());
    for (std::size_t i = 0; i < shape.order.size(); ++i) {
      skeleton->bss->flows[i] = flow_header(pair, shape, shape.order[i]);
    }
    // The kernel looks for the device in the namespace of the caller.
    const Result<void> let_out = pair.client.net_ns.run([&]() -> Result<void> {
      const __u32 key = 0;
      const auto value = static_cast<__u32>(pair.client.ifindex);
      const int err = bpf_map__update_elem(skeleton->maps.outlet, &key, sizeof(key), &value,
                                           sizeof(value), BPF_ANY);
      if (err != 0) return system_error(-err, "put a device into a map");
      return {};
    });
    if (!let_out) return std::unexpected(let_out.error());
    std::unique_ptr<LiveSource> source(
        new LiveSource(std::move(skeleton), flow_frame(pair, shape.frame_bytes, 0)));
    if (Result<void> shown = source->show_dispatcher(pair); !shown) {
      return std::unexpected(shown.error());
    }
    return source;
  }

  Result<Offered> offer(std::uint64_t packets) override { return run(send_, packets); }
  Result<Offered> discard(std::uint64_t packets) override { return run(discard_, packets); }
  std::uint64_t sent() const override { return shared_count(skeleton_->bss->generated); }

 private:
  LiveSource(Skeleton<traffic_source_bpf> skeleton, const std::vector<std::byte>& frame)
      : skeleton_(std::move(skeleton)),
        send_(bpf_program__fd(skeleton_->progs.traffic_send), live(frame)),
        discard_(bpf_program__fd(skeleton_->progs.traffic_discard), live(frame)) {}

  Result<void> show_dispatcher(const VethPair& pair) {
    for (const auto& [program, end] : {std::pair{skeleton_->progs.traffic_send, &pair.client},
                                       std::pair{skeleton_->progs.traffic_discard, &pair.dut}}) {
      Result<Attachment> kept = keep_in_dispatcher(program, end->net_ns);
      if (!kept) return std::unexpected(kept.error());
      kept_.push_back(std::move(*kept));
    }
    return {};
  }

  static TestRunInput live(const std::vector<std::byte>& frame) {
    return {.packet = frame, .context = {}, .flags = BPF_F_TEST_XDP_LIVE_FRAMES};
  }

  static bpfmark_flow flow_header(const VethPair& pair, const TrafficShape& shape,
                                  std::uint32_t flow) {
    const std::vector<std::byte> frame = flow_frame(pair, shape.frame_bytes, flow);
    iphdr ip;
    std::memcpy(&ip, frame.data() + sizeof(ethhdr), sizeof(ip));
    return {.source = ip.saddr, .checksum = ip.check};
  }

  Result<Offered> run(const TestRun& program, std::uint64_t packets) {
    const std::uint64_t before = sent();
    const Result<TestRunOutcome> outcome = program.run(static_cast<std::uint32_t>(packets));
    if (!outcome) return std::unexpected(outcome.error());
    const std::uint64_t made = sent() - before;
    if (outcome->restarts == 0 && made != packets) {
      return wrong_result(fmt::format("{} frames were made instead of {}", made, packets));
    }
    return Offered{.packets = made};
  }

  Skeleton<traffic_source_bpf> skeleton_;
  TestRun send_;
  TestRun discard_;
  std::vector<Attachment> kept_;
};

}  // namespace

TrafficShape uniform_traffic(std::size_t frame_bytes) {
  constexpr std::uint32_t kFlows = 1024;
  return {.frame_bytes = frame_bytes,
          .flow_count = kFlows,
          .order = draw_keys(KeyPattern::kUniform, kFlows, 1u << 14)};
}

Result<std::unique_ptr<TrafficSource>> raw_source(const VethPair& pair, const TrafficShape& shape,
                                                  SendWay way) {
  return RawSource::create(pair, shape, way);
}

Result<std::unique_ptr<TrafficSource>> live_source(const VethPair& pair,
                                                   const TrafficShape& shape) {
  return LiveSource::create(pair, shape);
}

const char* source_name(SourceKind kind) { return kind == SourceKind::kRaw ? "raw" : "live"; }

Result<std::unique_ptr<TrafficSource>> make_source(SourceKind kind, const VethPair& pair,
                                                   const TrafficShape& shape) {
  return kind == SourceKind::kRaw ? raw_source(pair, shape) : live_source(pair, shape);
}

std::uint64_t shared_count(const __u64& word) {
  return std::atomic_ref<__u64>(const_cast<__u64&>(word)).load(std::memory_order_acquire);
}

// --- a load

Result<Batch> TrafficLoad::run(Arm arm, std::uint64_t ops) {
  if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
  if (!known_drops_) {
    const Result<std::uint64_t> drops = dropped();
    if (!drops) return std::unexpected(drops.error());
    known_drops_ = *drops;
  }
  while (true) {
    const std::uint64_t before = received();
    const std::uint64_t start = now_ns();
    const Result<Offered> offered = reaches(arm) ? offer(ops) : source_->discard(ops);
    if (!offered) return std::unexpected(offered.error());
    std::uint64_t arrived = ops;
    if (reaches(arm)) {
      const Result<std::uint64_t> awaited = await(before, *offered);
      if (!awaited) return std::unexpected(awaited.error());
      arrived = *awaited;
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    if (offered->packets != ops) continue;  // a signal broke the source, which then did more
    if (arrived == 0) {
      return wrong_result(fmt::format("none of {} packets reached {}", ops, far_end()));
    }
    if (!reaches(arm)) return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
    if (Result<void> right = check(arm); !right) return std::unexpected(right.error());
    if (arm == Arm::kSubject) {
      subject_.offered += ops;
      subject_.received += arrived;
    }
    const double scaled_ns = elapsed_ns * static_cast<double>(ops) / static_cast<double>(arrived);
    return Batch{.elapsed_ns = scaled_ns, .user_elapsed_ns = scaled_ns};
  }
}

Result<Offered> TrafficLoad::offer(std::uint64_t packets) {
  Offered sum;
  while (packets > 0) {
    const std::uint64_t lot_packets = std::min(packets, lot());
    const Result<Offered> offered = source_->offer(lot_packets);
    if (!offered) return offered;
    if (Result<void> drained = drain(); !drained) return std::unexpected(drained.error());
    sum.packets += offered->packets;
    sum.refused += offered->refused;
    packets -= lot_packets;
  }
  *known_drops_ += sum.refused;
  return sum;
}

Result<std::uint64_t> TrafficLoad::await(std::uint64_t before, const Offered& offered) {
  const std::uint64_t expected = offered.packets - offered.refused;
  std::uint64_t arrived = received() - before;
  std::uint64_t doubt_ns = now_ns() + kDoubt_ns;
  std::optional<std::uint64_t> deadline_ns;  // set once there is doubt
  while (arrived < expected) {
    // What a thread of the kernel has to do it does once this one lets it.
    ::sched_yield();
    if (Result<void> drained = drain(); !drained) return std::unexpected(drained.error());
    const std::uint64_t now = now_ns();
    if (const std::uint64_t so_far = received() - before; so_far != arrived) {
      arrived = so_far;
      deadline_ns.reset();
    }
    if (arrived >= expected || now < doubt_ns) continue;
    doubt_ns = now + 10 * kDoubt_ns;
    const Result<std::uint64_t> drops = dropped();
    if (!drops) return drops;
    const std::uint64_t silent = *drops - std::min(*drops, *known_drops_);
    arrived = received() - before;
    if (arrived + silent >= expected) {
      *known_drops_ += silent;
      break;
    }
    const std::uint64_t used_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);
    if (!deadline_ns) deadline_ns = used_ns + kPatience_ns;
    if (used_ns > *deadline_ns) {
      return wrong_result(
          fmt::format("{} packets were offered; the device refused {}, dropped {}, and {} counted "
                      "{}",
                      offered.packets, offered.refused, silent, far_end(), arrived));
    }
  }
  if (arrived > expected) {
    return wrong_result(
        fmt::format("{} counted {} packets, and only {} were sent", far_end(), arrived, expected));
  }
  return arrived;
}

Result<std::uint64_t> TrafficLoad::dropped() const {
  const Result<std::uint32_t> drops = transmit_drops(pair_->client);
  if (!drops) return std::unexpected(drops.error());
  return *drops;
}

Result<void> TrafficLoad::finish(Findings& findings) {
  findings.counters["offered"] += static_cast<double>(subject_.offered);
  findings.counters["received"] += static_cast<double>(subject_.received);
  findings.counters["lost"] += static_cast<double>(subject_.offered - subject_.received);
  return {};
}

// --- sockets of the device under test

Result<UniqueFd> traffic_server(const VethPair& pair) {
  UniqueFd made;
  const Result<void> done = pair.dut.net_ns.run([&]() -> Result<void> {
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return system_error(errno, "make a socket");
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes,
                     sizeof(kReceiveBufferBytes)) != 0) {
      return system_error(errno, "set SO_RCVBUFFORCE");
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr = pair.dut.ipv4;
    address.sin_port = htons(BPFMARK_TRAFFIC_PORT);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return system_error(
          errno, fmt::format("bind to port {} of a namespace of our own", BPFMARK_TRAFFIC_PORT));
    }
    made = std::move(fd);
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return made;
}

Result<Datagrams> read_datagrams(int socket_fd) {
  constexpr unsigned kAtOnce = 64;
  static thread_local std::array<std::array<std::byte, 2048>, kAtOnce> buffers;
  std::array<iovec, kAtOnce> vectors;
  std::array<mmsghdr, kAtOnce> messages{};
  for (unsigned i = 0; i < kAtOnce; ++i) {
    vectors[i] = {.iov_base = buffers[i].data(), .iov_len = buffers[i].size()};
    messages[i].msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  Datagrams sum;
  while (true) {
    const int count = ::recvmmsg(socket_fd, messages.data(), kAtOnce, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno != EAGAIN && errno != EINTR) {
      return system_error(errno, "receive datagrams");
    }
    for (int i = 0; i < count; ++i) sum.bytes += messages[static_cast<unsigned>(i)].msg_len;
    if (count > 0) sum.count += static_cast<std::uint64_t>(count);
    if (count < static_cast<int>(kAtOnce)) return sum;
  }
}

Result<void> enter_sk_skb(const bpf_program* program, int map_fd, int socket_fd,
                          std::uint32_t key) {
  int err = bpf_prog_attach(bpf_program__fd(program), map_fd, BPF_SK_SKB_VERDICT, 0);
  if (err != 0) return system_error(-err, "attach an SK_SKB program");
  const auto value = static_cast<__u64>(socket_fd);
  err = bpf_map_update_elem(map_fd, &key, &value, BPF_ANY);
  if (err != 0) return system_error(-err, "put a socket into a map");
  return {};
}

// --- capabilities

ProbeResult probe_traffic(const Loader& load, const std::string& first_kernel,
                          const std::string& config) {
  const Result<std::unique_ptr<PairedLoad>> loaded = load();
  Result<void> outcome;
  if (!loaded) {
    outcome = std::unexpected(loaded.error());
  } else if (const Result<Batch> batch = (*loaded)->run(Arm::kSubject, 1); !batch) {
    outcome = std::unexpected(batch.error());
  }
  if (!outcome && is_skip(outcome.error().kind)) {
    return {support_of(outcome.error().kind), outcome.error().what, outcome.error().remedy};
  }
  if (!outcome && outcome.error().kind == ErrorKind::kWrongResult) {
    return {Support::kSupported, "", ""};
  }
  return classify(outcome, first_kernel, config);
}

namespace {

Result<void> try_source(SourceKind kind) {
  const Result<VethPair> pair = VethPair::create();
  if (!pair) return std::unexpected(pair.error());
  const auto source = make_source(kind, *pair, {.order = {0}});
  if (!source) return std::unexpected(source.error());
  if (const Result<Offered> offered = (*source)->discard(1); !offered) {
    return std::unexpected(offered.error());
  }
  return {};
}

}  // namespace

void add_traffic_capabilities(Capabilities& capabilities) {
  add_ring_capability(capabilities);
  capabilities.add(
      {"traffic_raw",
       "send frames from a packet socket to a pair of devices in namespaces of our own", [] {
         return classify(try_source(SourceKind::kRaw), "",
                         "CONFIG_VETH, CONFIG_PACKET, CONFIG_DUMMY");
       }});
  capabilities.add({"traffic_live", "send frames made by BPF_PROG_TEST_RUN to a pair of devices",
                    [] { return classify(try_source(SourceKind::kLive), "5.18", "CONFIG_VETH"); }});
}

}  // namespace bpfmark
