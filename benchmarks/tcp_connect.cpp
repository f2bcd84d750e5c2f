// SPDX-License-Identifier: BSD-2-Clause
// Measures:         setting up a TCP connection over a pair of devices, and what programs add to it
//                   that are asked on the way: at connect(), at every event of the socket, at the
//                   search for the listener.
// Timed region:     connect() and accept() of a batch of sockets that are there already, client and
//                   server on one thread; user-space clock.
// Floor:            the same with nothing attached; for hook:none half as many connections.
// Does not measure: making and closing the sockets, which happens outside of the clock (by a reset,
//                   so that no connection lingers); the wake-up of a server that waits.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/tcp_connect.h"
#include "fixtures/attachment.h"
#include "fixtures/cgroup.h"
#include "fixtures/skeleton.h"
#include "fixtures/veth_pair.h"
#include "harness/clock.h"
#include "harness/program_identity.h"
#include "tcp_connect.skel.h"

namespace bpfmark {
namespace {

using ConnectSkeleton = Skeleton<tcp_connect_bpf>;
using ProgramSlot = bpf_program* decltype(tcp_connect_bpf::progs)::*;

struct ConnectHook {
  const char* name;
  const char* what;
  const char* first_kernel;
  const char* config;
  ProgramSlot program;       // null: nothing is attached
  const char* attach;        // of attach_types()
  bpfmark_connections each;  // what a connection must have counted
};

constexpr ConnectHook kHooks[] = {
    {"none", "nothing attached", "", "CONFIG_VETH", nullptr, "", {}},
    {"sockops",
     "a sockops program that counts events",
     "5.7",
     "CONFIG_CGROUP_BPF",
     &decltype(tcp_connect_bpf::progs)::connect_sockops,
     "cgroup",
     {.active = 1, .passive = 1}},
    {"cgroup_connect4",
     "a cgroup/connect4 program that counts",
     "5.7",
     "CONFIG_CGROUP_BPF",
     &decltype(tcp_connect_bpf::progs)::connect_cgroup4,
     "cgroup",
     {.connects = 1}},
    // The SYN looks for a listener; what comes later belongs to a socket already.
    {"sk_lookup",
     "an sk_lookup program that counts",
     "5.9",
     "CONFIG_INET",
     &decltype(tcp_connect_bpf::progs)::connect_lookup,
     "sk_lookup",
     {.lookups = 1}},
};

constexpr int kBacklog = 16;
constexpr int kPatience_ms = 10'000;

class ConnectLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const ConnectHook& hook);

  Result<void> prepare(Arm arm) override {
    if (hook_.program == nullptr) return {};
    const bool wanted = arm == Arm::kSubject;
    if (wanted == static_cast<bool>(attachment_)) return {};
    attachment_ = Attachment();
    if (!wanted) return {};
    const HookPoint point = {.fd = cgroup_ ? cgroup_->fd() : pair_.dut.net_ns.fd()};
    Result<Attachment> attached =
        attach((*skeleton_)->progs.*hook_.program, *find_attach_type(hook_.attach), point);
    if (!attached) return std::unexpected(attached.error());
    attachment_ = std::move(*attached);
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
    if (Result<void> made = make_clients(ops); !made) return std::unexpected(made.error());
    std::vector<UniqueFd> servers(ops);
    const bpfmark_connections before = seen();
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i < ops; ++i) {
      if (::connect(clients_[i].get(), reinterpret_cast<const sockaddr*>(&address_),
                    sizeof(address_)) != 0) {
        return system_error(errno, "connect a TCP socket");
      }
      Result<UniqueFd> accepted = accept_one();
      if (!accepted) return std::unexpected(accepted.error());
      servers[i] = std::move(*accepted);
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    clients_.clear();
    if (Result<void> right = check(arm, ops, before, seen()); !right) {
      return std::unexpected(right.error());
    }
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  std::vector<ProgramIdentity> programs() const override {
    if (hook_.program == nullptr) return {};
    return identify_subject(bpf_program__fd((*skeleton_)->progs.*hook_.program));
  }

 private:
  ConnectLoad(const ConnectHook& hook, VethPair pair) : hook_(hook), pair_(std::move(pair)) {}

  Result<void> listen_at_dut() {
    address_.sin_family = AF_INET;
    address_.sin_addr = pair_.dut.ipv4;
    address_.sin_port = htons(8080);
    return pair_.dut.net_ns.run([&]() -> Result<void> {
      listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!listener_) return system_error(errno, "make a socket");
      if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof(address_)) !=
          0) {
        return system_error(errno, "bind to a port of a namespace of our own");
      }
      if (::listen(listener_.get(), kBacklog) != 0) return system_error(errno, "listen");
      return {};
    });
  }

  // It is there when connect() returns, unless a thread of the kernel handles the packets.
  Result<UniqueFd> accept_one() const {
    while (true) {
      UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (accepted) return accepted;
      if (errno != EAGAIN) return system_error(errno, "accept a connection");
      pollfd waiting = {.fd = listener_.get(), .events = POLLIN, .revents = 0};
      const int ready = ::poll(&waiting, 1, kPatience_ms);
      if (ready < 0 && errno != EINTR) return system_error(errno, "wait for a connection");
      if (ready == 0) return system_error(ETIMEDOUT, "accept a connection");
    }
  }

  // Sockets belong to the namespace in which they are made. To close them is to reset.
  Result<void> make_clients(std::uint64_t count) {
    return pair_.client.net_ns.run([&]() -> Result<void> {
      clients_.clear();
      for (std::uint64_t i = 0; i < count; ++i) {
        UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!fd) return system_error(errno, "make a socket");
        const linger reset = {.l_onoff = 1, .l_linger = 0};
        if (::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0) {
          return system_error(errno, "set SO_LINGER");
        }
        clients_.push_back(std::move(fd));
      }
      return {};
    });
  }

  bpfmark_connections seen() const {
    if (!skeleton_) return {};
    const bpfmark_connections& seen = (*skeleton_)->bss->seen;
    return {.connects = shared_count(seen.connects),
            .lookups = shared_count(seen.lookups),
            .active = shared_count(seen.active),
            .passive = shared_count(seen.passive)};
  }

  Result<void> check(Arm arm, std::uint64_t ops, const bpfmark_connections& before,
                     const bpfmark_connections& after) const {
    const struct {
      const char* what;
      __u64 bpfmark_connections::* count;
    } kCounts[] = {{"calls of connect()", &bpfmark_connections::connects},
                   {"searches for a listener", &bpfmark_connections::lookups},
                   {"connections of clients", &bpfmark_connections::active},
                   {"connections of the server", &bpfmark_connections::passive}};
    for (const auto& [what, count] : kCounts) {
      const std::uint64_t counted = after.*count - before.*count;
      const std::uint64_t wanted = arm == Arm::kSubject ? ops * (hook_.each.*count) : 0;
      if (counted != wanted) {
        return wrong_result(
            fmt::format("the program counted {} {} instead of {}", counted, what, wanted));
      }
    }
    return {};
  }

  const ConnectHook& hook_;
  VethPair pair_;
  std::optional<Cgroup> cgroup_;
  std::optional<ConnectSkeleton> skeleton_;
  sockaddr_in address_{};
  UniqueFd listener_;
  std::vector<UniqueFd> clients_;
  Attachment attachment_;
};

Result<std::unique_ptr<PairedLoad>> ConnectLoad::create(const ConnectHook& hook) {
  Result<VethPair> pair = VethPair::create();
  if (!pair) return std::unexpected(pair.error());
  std::unique_ptr<ConnectLoad> load(new ConnectLoad(hook, std::move(*pair)));
  if (hook.program != nullptr) {
    auto skeleton = ConnectSkeleton::open();
    if (!skeleton) return std::unexpected(skeleton.error());
    skeleton->select({(*skeleton)->progs.*hook.program});
    if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
    load->skeleton_.emplace(std::move(*skeleton));
  }
  // Before the sockets, which are of the cgroup in which they are made.
  if (std::string_view(hook.attach) == "cgroup") {
    Result<Cgroup> cgroup = Cgroup::create();
    if (!cgroup) return std::unexpected(cgroup.error());
    load->cgroup_.emplace(std::move(*cgroup));
  }
  if (Result<void> listens = load->listen_at_dut(); !listens) {
    return std::unexpected(listens.error());
  }
  return load;
}

}  // namespace

void register_tcp_connect(Registry& registry, Capabilities& capabilities) {
  for (const ConnectHook& hook : kHooks) {
    const bool none = hook.program == nullptr;
    const std::string capability = fmt::format("tcp_connect_{}", hook.name);
    capabilities.add({capability,
                      fmt::format("set up a connection over a veth pair with {}", hook.what),
                      [&hook] {
                        return probe_traffic([&] { return ConnectLoad::create(hook); },
                                             hook.first_kernel, hook.config);
                      }});
    registry.add({.name = fmt::format("tcp_connect/hook:{}", hook.name),
                  .question = none ? "What does it cost to set up a TCP connection?"
                                   : fmt::format("What does {} add to setting up a TCP connection?",
                                                 hook.what),
                  .floor = none ? "half as many connections" : "the same with nothing attached",
                  .needs = none ? std::vector<std::string>{capability}
                                : std::vector<std::string>{capability, "jit"},
                  .suite = Suite::kDefault,
                  .plan = {.ops_per_batch = 16,
                           .rounds = 20,
                           .loads = 12,
                           .pairing = none ? Pairing::kSlope : Pairing::kTwin},
                  .load = [&hook] { return ConnectLoad::create(hook); }});
  }
}

}  // namespace bpfmark
