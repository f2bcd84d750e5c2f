// SPDX-License-Identifier: BSD-2-Clause
// Measures:         what the smallest program at a hook costs traffic that passes it on its way to
//                   a server: TCP over 1 and 48 connections (Table 2), and UDP to a server that
//                   drops (passthrough); and the hook itself, entered by live packets
//                   (hook_entry_live).
// Timed region:     TCP: blocks written by the client and read by the server in turn; UDP: a batch
//                   of datagrams, from the first one that is sent to the read of the last.
//                   User-space clock; client and server share a thread.
// Floor:            the same with nothing attached, with the same offloads (none). For hook:none:
//                   TCP: the same blocks through a pair of stream sockets; UDP: the frames thrown
//                   away. hook_entry_live/hook:xdp_native: the device polls without XDP as well.
// Does not measure: several CPUs; segments larger than the MTU.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/hook_switch.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/traffic.h"
#include "fixtures/bpf_stats.h"
#include "harness/clock.h"
#include "harness/program_identity.h"

namespace bpfmark {
namespace {

// --- UDP

struct UdpCase {
  LiveHook hook;
  bool polls;  // the device under test, also without XDP
  bool stats;  // ask the kernel how long the program runs
};

class UdpPassLoad : public TrafficLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const UdpCase& c);

  Result<void> prepare(Arm arm) override {
    before_ = {.read = received(), .passed = hook_->passed()};
    const int server = server_.get();
    return hook_->set(arm == Arm::kSubject, pair(), {&server, 1});
  }

  // Statistics cost two readings of the clock a run, so they are never on while something is timed.
  Result<void> finish(Findings& findings) override {
    if (Result<void> done = TrafficLoad::finish(findings); !done || !case_.stats) return done;
    constexpr std::uint64_t kPackets = 1024;
    const Result<BpfStats> stats = BpfStats::enable();
    if (!stats) return std::unexpected(stats.error());
    const int fd = hook_->program_fd();
    const Result<std::uint64_t> count_before = program_run_count(fd);
    const Result<std::uint64_t> time_before = program_run_time_ns(fd);
    if (!count_before) return std::unexpected(count_before.error());
    if (!time_before) return std::unexpected(time_before.error());
    if (Result<Batch> batch = run(Arm::kSubject, kPackets); !batch) {
      return std::unexpected(batch.error());
    }
    const Result<std::uint64_t> count = program_run_count(fd);
    const Result<std::uint64_t> time_ns = program_run_time_ns(fd);
    if (!count) return std::unexpected(count.error());
    if (!time_ns) return std::unexpected(time_ns.error());
    const std::uint64_t runs = *count - *count_before;
    if (runs < kPackets) {
      return wrong_result(
          fmt::format("the kernel counted {} runs of the program for {} packets", runs, kPackets));
    }
    findings.counters["run_stats_ns"] =
        static_cast<double>(*time_ns - *time_before) / static_cast<double>(runs);
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_subject(hook_->program_fd());
  }

 protected:
  bool reaches(Arm arm) const override {
    return arm == Arm::kSubject || case_.hook != LiveHook::kNone;
  }
  // By their bytes: SK_SKB hands on a stream of them, of which one read takes many datagrams.
  std::uint64_t received() const override { return read_bytes_ / BPFMARK_TRAFFIC_PAYLOAD; }
  std::string far_end() const override { return "the server"; }
  std::uint64_t lot() const override { return 64; }

  Result<void> drain() override {
    const Result<Datagrams> datagrams = read_datagrams(server_.get());
    if (!datagrams) return std::unexpected(datagrams.error());
    read_bytes_ += datagrams->bytes;
    return {};
  }

  Result<void> check(Arm arm) override {
    const bool attached = arm == Arm::kSubject && case_.hook != LiveHook::kNone;
    const std::uint64_t wanted = attached ? received() - before_.read : 0;
    const std::uint64_t passed = hook_->passed() - before_.passed;
    if (passed == wanted) return {};
    return wrong_result(
        fmt::format("the program let {} packets pass instead of {}", passed, wanted));
  }

 private:
  struct Progress {
    std::uint64_t read = 0;
    std::uint64_t passed = 0;
  };

  UdpPassLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source,
              const UdpCase& c, UniqueFd server, std::unique_ptr<HookSwitch> hook)
      : TrafficLoad(std::move(pair), std::move(source)),
        case_(c),
        server_(std::move(server)),
        hook_(std::move(hook)) {}

  UdpCase case_;
  UniqueFd server_;
  std::unique_ptr<HookSwitch> hook_;
  std::uint64_t read_bytes_ = 0;
  Progress before_;
};

Result<std::unique_ptr<PairedLoad>> UdpPassLoad::create(const UdpCase& c) {
  Result<std::unique_ptr<HookSwitch>> hook = HookSwitch::create(c.hook);
  if (!hook) return std::unexpected(hook.error());
  VethOptions options;
  options.offloads.generic_receive = c.polls;
  Result<VethPair> made = VethPair::create(options);
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  auto source = raw_source(*pair, uniform_traffic());
  if (!source) return std::unexpected(source.error());
  Result<UniqueFd> server = traffic_server(*pair);
  if (!server) return std::unexpected(server.error());
  return std::unique_ptr<PairedLoad>(
      new UdpPassLoad(pair, std::move(*source), c, std::move(*server), std::move(*hook)));
}

// --- TCP

constexpr std::size_t kBlock_bytes = 16384;
constexpr int kPatience_ms = 10'000;

// Both ends of a byte stream; neither blocks.
struct Stream {
  UniqueFd client;
  UniqueFd server;
};

class TcpPassLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(LiveHook hook, int connections);

  Result<void> prepare(Arm arm) override {
    return hook_->set(arm == Arm::kSubject, pair_, server_fds_);
  }

  // An operation is one block, on the next connection.
  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
    const bool bare = kind_ == LiveHook::kNone && arm == Arm::kFloor;
    const std::vector<Stream>& streams = bare ? local_ : connections_;
    const std::uint64_t before = hook_->passed();
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i < ops; ++i) {
      if (Result<void> moved = move_block(streams[next_++ % streams.size()]); !moved) {
        return std::unexpected(moved.error());
      }
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    if (Result<void> right = check(arm, ops, hook_->passed() - before); !right) {
      return std::unexpected(right.error());
    }
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    findings.counters["block_bytes"] = static_cast<double>(kBlock_bytes);
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_subject(hook_->program_fd());
  }

 private:
  TcpPassLoad(LiveHook kind, VethPair pair, std::unique_ptr<HookSwitch> hook)
      : kind_(kind), pair_(std::move(pair)), hook_(std::move(hook)) {}

  Result<void> connect_all(int connections);

  // A segment carries at most what the MTU leaves, and a hook in front of TCP sees every segment.
  // SK_SKB sees what TCP has put together already.
  Result<void> check(Arm arm, std::uint64_t ops, std::uint64_t passed) const {
    if (arm == Arm::kFloor || kind_ == LiveHook::kNone) {
      if (passed == 0) return {};
      return wrong_result(
          fmt::format("the program let {} packets pass where it was not to", passed));
    }
    const std::uint64_t least =
        kind_ == LiveHook::kSkSkb ? 1 : ops * kBlock_bytes / pair_.options.mtu_bytes;
    if (passed >= least) return {};
    return wrong_result(
        fmt::format("the program let {} packets pass, and there were {} at least", passed, least));
  }

  Result<void> move_block(const Stream& stream) {
    std::size_t sent = 0, read = 0;
    while (read < kBlock_bytes) {
      bool moved = false;
      if (sent < kBlock_bytes) {
        const ssize_t done = ::send(stream.client.get(), out_.data() + sent, kBlock_bytes - sent,
                                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done < 0 && errno != EAGAIN && errno != EINTR)
          return system_error(errno, "send a block");
        if (done > 0) sent += static_cast<std::size_t>(done);
        moved |= done > 0;
      }
      const ssize_t done =
          ::recv(stream.server.get(), in_.data() + read, kBlock_bytes - read, MSG_DONTWAIT);
      if (done == 0) return wrong_result("a connection ended in the middle of a block");
      if (done < 0 && errno != EAGAIN && errno != EINTR) {
        return system_error(errno, "receive a block");
      }
      if (done > 0) read += static_cast<std::size_t>(done);
      moved |= done > 0;
      if (moved) continue;
      pollfd waiting = {.fd = stream.server.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, kPatience_ms) == 0) {
        return wrong_result(
            fmt::format("{} of {} bytes that were sent arrived at the server", read, sent));
      }
    }
    return {};
  }

  LiveHook kind_;
  VethPair pair_;
  std::unique_ptr<HookSwitch> hook_;
  std::vector<Stream> connections_;
  std::vector<int> server_fds_;
  std::vector<Stream> local_;  // for the floor of hook:none
  std::uint64_t next_ = 0;
  std::vector<std::byte> out_ = std::vector<std::byte>(kBlock_bytes);
  std::vector<std::byte> in_ = std::vector<std::byte>(kBlock_bytes);
};

Result<void> TcpPassLoad::connect_all(int connections) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = pair_.dut.ipv4;
  address.sin_port = htons(BPFMARK_TRAFFIC_PORT);
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  UniqueFd listener;
  const Result<void> listening = pair_.dut.net_ns.run([&]() -> Result<void> {
    listener = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!listener) return system_error(errno, "make a socket");
    if (::bind(listener.get(), name, sizeof(address)) != 0) {
      return system_error(errno, "bind to a port of a namespace of our own");
    }
    if (::listen(listener.get(), connections) != 0) return system_error(errno, "listen");
    return {};
  });
  if (!listening) return listening;
  return pair_.client.net_ns.run([&]() -> Result<void> {
    for (int i = 0; i < connections; ++i) {
      Stream stream;
      stream.client = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (!stream.client) return system_error(errno, "make a socket");
      const int on = 1;
      ::setsockopt(stream.client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      if (::connect(stream.client.get(), name, sizeof(address)) != 0) {
        return system_error(errno, "connect a TCP socket");
      }
      stream.server = UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!stream.server) return system_error(errno, "accept a connection");
      server_fds_.push_back(stream.server.get());
      connections_.push_back(std::move(stream));
      int pair[2] = {-1, -1};
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return system_error(errno, "make a pair of sockets");
      }
      local_.push_back({.client = UniqueFd(pair[0]), .server = UniqueFd(pair[1])});
    }
    return {};
  });
}

Result<std::unique_ptr<PairedLoad>> TcpPassLoad::create(LiveHook hook, int connections) {
  Result<std::unique_ptr<HookSwitch>> made = HookSwitch::create(hook);
  if (!made) return std::unexpected(made.error());
  Result<VethPair> pair = VethPair::create();
  if (!pair) return std::unexpected(pair.error());
  std::unique_ptr<TcpPassLoad> load(new TcpPassLoad(hook, std::move(*pair), std::move(*made)));
  if (Result<void> connected = load->connect_all(connections); !connected) {
    return std::unexpected(connected.error());
  }
  return load;
}

// --- registration

constexpr LiveHook kPassthrough[] = {LiveHook::kNone, LiveHook::kXdpNative, LiveHook::kTc,
                                     LiveHook::kSkSkb};

// The issue of Table 2 has one way to attach XDP and one to attach TC.
std::string_view passthrough_name(LiveHook hook) {
  return hook == LiveHook::kXdpNative ? "xdp" : live_hook(hook).name;
}

std::vector<std::string> needs_of(LiveHook hook) {
  std::vector<std::string> needs = {"io_uring", "traffic_raw",
                                    fmt::format("pass_{}", live_hook(hook).name)};
  if (hook != LiveHook::kNone) needs.push_back("jit");
  return needs;
}

Plan plan_of(std::uint64_t ops) { return {.ops_per_batch = ops, .rounds = 16, .loads = 12}; }

void register_tcp(Registry& registry, LiveHook hook, int connections) {
  const bool none = hook == LiveHook::kNone;
  registry.add(
      {.name = fmt::format("passthrough/hook:{}/proto:tcp/connections:{}", passthrough_name(hook),
                           connections),
       .question = none ? fmt::format("What do {} bytes cost over {} TCP connections?",
                                      kBlock_bytes, connections)
                        : fmt::format("What does {} cost {} bytes over {} TCP connections?",
                                      live_hook(hook).what, kBlock_bytes, connections),
       .floor = none ? "the same through a pair of stream sockets" : "the same, nothing attached",
       .needs = needs_of(hook),
       .suite = connections == 1 ? Suite::kFull : Suite::kDefault,
       .plan = plan_of(16),
       .load = [hook, connections] { return TcpPassLoad::create(hook, connections); }});
}

void register_udp(Registry& registry, LiveHook hook) {
  const bool none = hook == LiveHook::kNone;
  registry.add(
      {.name = fmt::format("passthrough/hook:{}/proto:udp", passthrough_name(hook)),
       .question = none ? "What does a packet cost on its way to a UDP server that drops it?"
                        : fmt::format("What does {} cost a packet on its way to a UDP server?",
                                      live_hook(hook).what),
       .floor = none ? "the same frames into a device that throws them away"
                     : "the same, nothing attached",
       .needs = needs_of(hook),
       .suite = none ? Suite::kDefault : Suite::kFull,
       .plan = plan_of(128),
       .load = [c = UdpCase{hook, false, false}] { return UdpPassLoad::create(c); }});
}

void register_entry(Registry& registry, LiveHook hook) {
  // One of the driver, of the device, of the cgroup and of the socket.
  const bool shown = hook == LiveHook::kXdpNative || hook == LiveHook::kTcx ||
                     hook == LiveHook::kCgroupSkb || hook == LiveHook::kSkSkb;
  registry.add(
      {.name = fmt::format("hook_entry_live/hook:{}", live_hook(hook).name),
       .question = fmt::format("What does it cost to prepare, enter and leave {} for live packets?",
                               live_hook(hook).what),
       .floor = "the same packets with nothing attached",
       .needs = needs_of(hook),
       .suite = shown ? Suite::kDefault : Suite::kFull,
       .plan = plan_of(128),
       .load = [c = UdpCase{hook, true, true}] { return UdpPassLoad::create(c); }});
}

}  // namespace

void register_passthrough(Registry& registry, Capabilities& capabilities) {
  for (const LiveHookKind& kind : live_hooks()) {
    capabilities.add(
        {fmt::format("pass_{}", kind.name),
         fmt::format("let packets pass {} on their way to a server", kind.what), [&kind] {
           return probe_traffic([&] { return UdpPassLoad::create({kind.hook, false, false}); },
                                kind.first_kernel, kind.config);
         }});
  }
  for (const LiveHook hook : kPassthrough) {
    for (const int connections : {1, 48}) register_tcp(registry, hook, connections);
    register_udp(registry, hook);
  }
  for (const LiveHookKind& kind : live_hooks()) {
    if (kind.hook != LiveHook::kNone) register_entry(registry, kind.hook);
  }
}

}  // namespace bpfmark
