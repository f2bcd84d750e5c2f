// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/echo_lab.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "bpf/shared/echo.h"
#include "echo.skel.h"
#include "fixtures/attachment.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "fixtures/xdp_socket.h"
#include "harness/pinned_thread.h"

namespace bpfmark {
namespace {

using EchoSkeleton = Skeleton<echo_bpf>;
using ProgramSlot = bpf_program* decltype(echo_bpf::progs)::*;
using Started = Result<std::unique_ptr<Echo>>;

// --- sockets

sockaddr_in address_of(in_addr ipv4, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr = ipv4;
  address.sin_port = htons(port);
  return address;
}

Result<UniqueFd> bound_socket(Protocol protocol, const sockaddr_in& address,
                              std::string_view place = "a namespace in which nobody else is") {
  const bool stream = protocol == Protocol::kTcp;
  UniqueFd made(::socket(AF_INET, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
  if (!made) return system_error(errno, "make a socket");
  if (stream) {
    // Ends by a reset: nobody waits for a server whose TCP was never asked.
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    const int on = 1;
    if (::setsockopt(made.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) != 0 ||
        ::setsockopt(made.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
      return system_error(errno, "set options of a TCP socket");
    }
  }
  if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return system_error(errno, fmt::format("take port {} of {}", ntohs(address.sin_port), place));
  }
  return made;
}

Result<void> connect_to(int fd, const sockaddr_in& address) {
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return system_error(errno, fmt::format("connect to port {}", ntohs(address.sin_port)));
  }
  return {};
}

// For datagrams that come and go by that device alone.
Result<UniqueFd> half_socket(const VethEnd& end, std::uint16_t port, const sockaddr_in& peer) {
  UniqueFd half;
  const Result<void> done = end.net_ns.run([&]() -> Result<void> {
    Result<UniqueFd> made = bound_socket(Protocol::kUdp, address_of(end.ipv4, port), end.device);
    if (!made) return std::unexpected(made.error());
    if (::setsockopt(made->get(), SOL_SOCKET, SO_BINDTODEVICE, end.device.c_str(),
                     static_cast<socklen_t>(end.device.size())) != 0) {
      return system_error(errno, "keep a socket to device " + end.device);
    }
    half = std::move(*made);
    return connect_to(half.get(), peer);
  });
  if (!done) return std::unexpected(done.error());
  return half;
}

// Somebody else's end, of which nothing is owned.
std::shared_ptr<const VethEnd> borrowed(const VethEnd& end) {
  return {std::shared_ptr<void>(), &end};
}

// --- in the kernel

std::uint64_t shared(__u64& word) {
  return std::atomic_ref<__u64>(word).load(std::memory_order_acquire);
}

class HookEcho : public Echo {
 public:
  HookEcho(EchoSkeleton skeleton, ProgramSlot answer)
      : skeleton_(std::move(skeleton)), answer_(answer) {}

  EchoSightings seen() const override {
    return {.hook = shared(skeleton_.get()->bss->counts.answered)};
  }
  int program_fd() const override { return bpf_program__fd(skeleton_.get()->progs.*answer_); }

  echo_bpf& object() { return *skeleton_.get(); }
  void add(Attachment attachment) { attachments_.push_back(std::move(attachment)); }

 private:
  // Shared with the program.
  mutable EchoSkeleton skeleton_;
  ProgramSlot answer_;
  std::vector<Attachment> attachments_;
};

// The first program is the one that answers. Only its map is made, if it has one.
Result<EchoSkeleton> load_programs(std::initializer_list<ProgramSlot> wanted) {
  auto skeleton = EchoSkeleton::open();
  if (!skeleton) return skeleton;
  std::vector<const bpf_program*> programs;
  for (const ProgramSlot slot : wanted) programs.push_back((*skeleton)->progs.*slot);
  skeleton->select(programs);
  const ProgramSlot first = *wanted.begin();
  bpf_map__set_autocreate((*skeleton)->maps.sockets,
                          first == &decltype(echo_bpf::progs)::echo_sk_skb);
  bpf_map__set_autocreate((*skeleton)->maps.user_sockets,
                          first == &decltype(echo_bpf::progs)::echo_af_xdp);
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return skeleton;
}

Result<std::unique_ptr<HookEcho>> start_at_tc(const EchoLab& lab, DeviceHook hook,
                                              ProgramSlot slot) {
  auto skeleton = load_programs({slot});
  if (!skeleton) return std::unexpected(skeleton.error());
  auto echo = std::make_unique<HookEcho>(std::move(*skeleton), slot);
  Result<Attachment> attachment = attach_to_device(echo->object().progs.*slot, hook, *lab.dut_end);
  if (!attachment) return std::unexpected(attachment.error());
  echo->add(std::move(*attachment));
  return echo;
}

template <DeviceHook kHook>
Started start_tc(const EchoLab& lab, const EchoPlace& /*place*/) {
  return start_at_tc(lab, kHook, &decltype(echo_bpf::progs)::echo_tc);
}

template <DeviceHook kHook>
Started start_xdp(const EchoLab& lab, const EchoPlace& /*place*/) {
  constexpr ProgramSlot kAnswer = &decltype(echo_bpf::progs)::echo_xdp;
  constexpr ProgramSlot kPass = &decltype(echo_bpf::progs)::pass_xdp;
  constexpr bool kNative = kHook == DeviceHook::kXdpNative;
  auto skeleton = kNative ? load_programs({kAnswer, kPass}) : load_programs({kAnswer});
  if (!skeleton) return std::unexpected(skeleton.error());
  auto echo = std::make_unique<HookEcho>(std::move(*skeleton), kAnswer);
  auto answer = attach_to_device(echo->object().progs.*kAnswer, kHook, *lab.dut_end);
  if (!answer) return std::unexpected(answer.error());
  echo->add(std::move(*answer));
  if (kNative && lab.client_end) {
    auto pass = attach_to_device(echo->object().progs.*kPass, kHook, *lab.client_end);
    if (!pass) return std::unexpected(pass.error());
    echo->add(std::move(*pass));
  }
  return echo;
}

Started start_sk_skb(const EchoLab& lab, const EchoPlace& /*place*/) {
  constexpr ProgramSlot kAnswer = &decltype(echo_bpf::progs)::echo_sk_skb;
  auto skeleton = load_programs({kAnswer});
  if (!skeleton) return std::unexpected(skeleton.error());
  auto echo = std::make_unique<HookEcho>(std::move(*skeleton), kAnswer);
  const int map_fd = bpf_map__fd(echo->object().maps.sockets);
  // The verdict alone, for sockets of both protocols.
  if (const int err = bpf_prog_attach(echo->program_fd(), map_fd, BPF_SK_SKB_VERDICT, 0);
      err != 0) {
    return system_error(-err, "attach an SK_SKB verdict");
  }
  const __u32 key = 0;
  const __u64 socket = static_cast<__u64>(lab.server.get());
  if (const int err = bpf_map_update_elem(map_fd, &key, &socket, BPF_ANY); err != 0) {
    return system_error(-err, "enter a socket into a sockmap");
  }
  return echo;
}

// --- in user space

class SocketEcho : public Echo {
 public:
  static Started start(const EchoLab& lab, const EchoPlace& place) {
    auto echo = std::unique_ptr<SocketEcho>(new SocketEcho(lab.server.get(), place));
    auto thread = PinnedThread::start(
        place.cpu, [self = echo.get()](const PinnedThread& own) { return self->serve(own); });
    if (!thread) return std::unexpected(thread.error());
    echo->thread_ = std::move(*thread);
    return echo;
  }

  // Whoever receives is woken up.
  ~SocketEcho() override { ::shutdown(fd_, SHUT_RDWR); }

  EchoSightings seen() const override { return {.server = bytes_.load() / place_.message_bytes}; }
  std::optional<Error> failure() const override { return thread_->failure(); }

 private:
  SocketEcho(int fd, const EchoPlace& place) : fd_(fd), place_(place) {}

  Result<void> serve(const PinnedThread& own) {
    std::array<std::byte, 2048> buffer;
    const int flags = place_.wait == Wait::kBusy ? MSG_DONTWAIT : 0;
    while (!own.stopping()) {
      const ssize_t bytes = ::recv(fd_, buffer.data(), buffer.size(), flags);
      if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (bytes < 0) return system_error(errno, "receive a request");
      if (bytes == 0) return {};  // shut down
      // Before the client can know: it may ask as soon as it has its reply.
      bytes_ += static_cast<std::uint64_t>(bytes);
      if (::send(fd_, buffer.data(), static_cast<std::size_t>(bytes), MSG_NOSIGNAL) != bytes) {
        return system_error(errno, "send a reply");
      }
    }
    return {};
  }

  int fd_;
  EchoPlace place_;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::unique_ptr<PinnedThread> thread_;
};

// Turns the frame round by the very code of the programs. Their headers are copied to where every
// word of them is aligned, which in the frame they are not.
bool turn_round(std::span<std::byte> frame) {
  constexpr std::size_t kGap = 2;  // makes 16 bytes of the Ethernet header
  constexpr std::size_t kMost = sizeof(ethhdr) + sizeof(iphdr) + sizeof(tcphdr) +
                                sizeof(bpfmark_tcp_timestamps) + sizeof(bpfmark_message);
  alignas(8) std::byte words[kGap + kMost];
  std::byte* const start = words + kGap;
  const std::size_t bytes = std::min(frame.size(), kMost);
  std::memcpy(start, frame.data(), bytes);
  bpfmark_echo_headers headers{};
  if (bpfmark_echo_look(start, start + bytes, &headers) != BPFMARK_ECHO_MESSAGE) return false;
  bpfmark_echo_turn(&headers);
  std::memcpy(frame.data(), start, bytes);
  return true;
}

class XdpSocketEcho : public Echo {
 public:
  static Started start(const EchoLab& lab, const EchoPlace& place) {
    constexpr ProgramSlot kAnswer = &decltype(echo_bpf::progs)::echo_af_xdp;
    auto skeleton = load_programs({kAnswer});
    if (!skeleton) return std::unexpected(skeleton.error());
    HookEcho hook(std::move(*skeleton), kAnswer);
    Result<XdpSocket> socket = XdpSocket::create(*lab.dut_end);
    if (!socket) return std::unexpected(socket.error());
    const int map_fd = bpf_map__fd(hook.object().maps.user_sockets);
    if (Result<void> entered = socket->enter(map_fd); !entered) {
      return std::unexpected(entered.error());
    }
    auto attached =
        attach_to_device(hook.object().progs.*kAnswer, DeviceHook::kXdpNative, *lab.dut_end);
    if (!attached) return std::unexpected(attached.error());
    hook.add(std::move(*attached));
    auto echo = std::unique_ptr<XdpSocketEcho>(
        new XdpSocketEcho(std::move(hook), std::move(*socket), place.wait));
    auto thread = PinnedThread::start(
        place.cpu, [self = echo.get()](const PinnedThread& own) { return self->serve(own); });
    if (!thread) return std::unexpected(thread.error());
    echo->thread_ = std::move(*thread);
    return echo;
  }

  EchoSightings seen() const override {
    return {.hook = hook_.seen().hook, .server = answered_.load()};
  }
  std::optional<Error> failure() const override { return thread_->failure(); }
  int program_fd() const override { return hook_.program_fd(); }

 private:
  XdpSocketEcho(HookEcho hook, XdpSocket socket, Wait wait)
      : hook_(std::move(hook)), socket_(std::move(socket)), wait_(wait) {}

  Result<void> serve(const PinnedThread& own) {
    pollfd events[] = {{.fd = socket_.fd(), .events = POLLIN, .revents = 0},
                       {.fd = own.stop_fd(), .events = POLLIN, .revents = 0}};
    while (!own.stopping()) {
      if (wait_ == Wait::kBlocking && ::poll(events, std::size(events), -1) < 0 && errno != EINTR) {
        return system_error(errno, "wait for frames");
      }
      const std::span<std::byte> frame = socket_.receive();
      if (frame.empty()) continue;
      if (!turn_round(frame)) {
        socket_.give_back(frame);
        continue;
      }
      ++answered_;
      if (Result<void> sent = socket_.send(frame); !sent) return sent;
    }
    return {};
  }

  HookEcho hook_;
  XdpSocket socket_;
  Wait wait_;
  std::atomic<std::uint64_t> answered_ = 0;
  std::unique_ptr<PinnedThread> thread_;
};

// --- the list

using Answers = EchoHook::Answers;

constexpr EchoHook kHooks[] = {
    {"socket", "a server in user space with a socket", Answers::kThread, false, "5.6",
     "CONFIG_VETH", SocketEcho::start},
    {"sk_skb", "an SK_SKB verdict of the server's socket", Answers::kLater, false, "5.13",
     "CONFIG_BPF_STREAM_PARSER", start_sk_skb},
    {"tc_clsact", "a program at TC ingress (clsact)", Answers::kInSend, false, "4.5",
     "CONFIG_NET_CLS_BPF", start_tc<DeviceHook::kTcClsact>},
    {"tcx", "a program at TC ingress (TCX)", Answers::kInSend, false, "6.6", "CONFIG_BPF_SYSCALL",
     start_tc<DeviceHook::kTcx>},
    {"netkit", "a program of a netkit device", Answers::kInSend, true, "6.7", "CONFIG_NETKIT",
     start_tc<DeviceHook::kNetkit>},
    {"xdp_generic", "a generic XDP program", Answers::kInSend, false, "5.9", "CONFIG_BPF_SYSCALL",
     start_xdp<DeviceHook::kXdpGeneric>},
    {"xdp_native", "a native XDP program", Answers::kInSend, false, "5.9", "CONFIG_BPF_SYSCALL",
     start_xdp<DeviceHook::kXdpNative>},
    {"af_xdp", "a server in user space with an AF_XDP socket (copy mode)", Answers::kThread, false,
     "5.9", "CONFIG_XDP_SOCKETS", XdpSocketEcho::start},
};

// Starts it, as a case does.
ProbeResult probe_hook(const EchoHook& hook) {
  const auto started = [&]() -> Result<void> {
    const Result<EchoLab> lab = EchoLab::create(Protocol::kUdp, {.netkit = hook.netkit});
    if (!lab) return std::unexpected(lab.error());
    const Started echo =
        hook.start(*lab, {.cpu = ::sched_getcpu(), .message_bytes = sizeof(bpfmark_message)});
    return echo ? Result<void>() : std::unexpected(echo.error());
  };
  return classify(started(), std::string(hook.first_kernel), std::string(hook.config));
}

}  // namespace

Result<EchoLab> EchoLab::create(Protocol protocol, const VethOptions& options) {
  Result<VethPair> made = VethPair::create(options);
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  Result<EchoLab> lab = between(protocol, *pair);
  if (!lab) return lab;
  lab->client_end = {pair, &pair->client};
  lab->dut_end = {pair, &pair->dut};
  return lab;
}

Result<EchoLab> EchoLab::between(Protocol protocol, const VethPair& pair) {
  EchoLab lab{.client_end = borrowed(pair.client),
              .dut_end = borrowed(pair.dut),
              .options = pair.options,
              .client = {},
              .server = {}};
  const sockaddr_in server_address = address_of(pair.dut.ipv4, BPFMARK_ECHO_PORT);
  const sockaddr_in client_address = address_of(pair.client.ipv4, BPFMARK_ECHO_CLIENT_PORT);
  const bool stream = protocol == Protocol::kTcp;
  const Result<void> server_done = pair.dut.net_ns.run([&]() -> Result<void> {
    Result<UniqueFd> made = bound_socket(protocol, server_address);
    if (!made) return std::unexpected(made.error());
    lab.server = std::move(*made);
    if (!stream) return connect_to(lab.server.get(), client_address);
    return ::listen(lab.server.get(), 1) == 0 ? Result<void>() : system_error(errno, "listen");
  });
  if (!server_done) return std::unexpected(server_done.error());
  const Result<void> client_done = pair.client.net_ns.run([&]() -> Result<void> {
    Result<UniqueFd> made = bound_socket(protocol, client_address);
    if (!made) return std::unexpected(made.error());
    lab.client = std::move(*made);
    return connect_to(lab.client.get(), server_address);
  });
  if (!client_done) return std::unexpected(client_done.error());
  if (stream) {
    UniqueFd accepted(::accept4(lab.server.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) return system_error(errno, "accept a connection");
    lab.server = std::move(accepted);
  }
  return lab;
}

Result<EchoLab> EchoLab::client_half(const LentDevice& device, in_addr peer) {
  Result<UniqueFd> socket =
      half_socket(device.end, BPFMARK_ECHO_CLIENT_PORT, address_of(peer, BPFMARK_ECHO_PORT));
  if (!socket) return std::unexpected(socket.error());
  return EchoLab{.client_end = borrowed(device.end),
                 .dut_end = nullptr,
                 .options = device.options,
                 .client = std::move(*socket),
                 .server = {}};
}

Result<EchoLab> EchoLab::dut_half(const LentDevice& device, in_addr peer) {
  Result<UniqueFd> socket =
      half_socket(device.end, BPFMARK_ECHO_PORT, address_of(peer, BPFMARK_ECHO_CLIENT_PORT));
  if (!socket) return std::unexpected(socket.error());
  return EchoLab{.client_end = nullptr,
                 .dut_end = borrowed(device.end),
                 .options = device.options,
                 .client = {},
                 .server = std::move(*socket)};
}

Result<void> EchoLab::check_server_saw_nothing() const {
  if (!server) return {};
  std::byte byte;
  const ssize_t bytes = ::recv(server.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC);
  if (bytes < 0 && errno == EAGAIN) return {};
  if (bytes < 0) return system_error(errno, "look into the server's socket");
  return wrong_result("a message reached the server's socket, past the hook that answers");
}

Result<std::uint64_t> EchoLab::retransmissions() const {
  tcp_info info{};
  socklen_t bytes = sizeof(info);
  if (::getsockopt(client.get(), IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0) {
    return system_error(errno, "ask TCP for its counts");
  }
  return info.tcpi_total_retrans;
}

std::string to_text(const EchoSightings& seen) {
  std::string text;
  if (seen.hook) text = fmt::format("the hook saw {}", *seen.hook);
  if (seen.server) {
    text += fmt::format("{}the server saw {}", text.empty() ? "" : ", ", *seen.server);
  }
  return text;
}

std::span<const EchoHook> echo_hooks() { return kHooks; }

const EchoHook* find_echo_hook(std::string_view name) {
  const auto* const found = std::ranges::find(kHooks, name, &EchoHook::name);
  return found == std::end(kHooks) ? nullptr : found;
}

Result<std::unique_ptr<Echo>> start_black_hole(const EchoLab& lab) {
  return start_at_tc(lab, DeviceHook::kTcClsact, &decltype(echo_bpf::progs)::drop_tc);
}

void add_echo_capabilities(Capabilities& capabilities) {
  for (const EchoHook& hook : kHooks) {
    capabilities.add({fmt::format("echo_{}", hook.name),
                      fmt::format("join two namespaces, and answer there by {}", hook.what),
                      [&hook] { return probe_hook(hook); }});
  }
}

std::vector<std::string> needs_of(const EchoHook& hook) {
  return {"io_uring", fmt::format("echo_{}", hook.name)};
}

}  // namespace bpfmark
