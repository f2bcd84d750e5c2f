// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/hook_switch.h"

#include <bpf/bpf.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "benchmarks/traffic.h"
#include "fixtures/cgroup.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "passthrough.skel.h"

namespace bpfmark {
namespace {

using PassSkeleton = Skeleton<passthrough_bpf>;

constexpr std::array kKinds{
    LiveHookKind{LiveHook::kNone, "none", "nothing attached", "", "CONFIG_VETH"},
    LiveHookKind{LiveHook::kXdpNative, "xdp_native", "XDP in the driver", "4.19", "CONFIG_VETH"},
    LiveHookKind{LiveHook::kXdpGeneric, "xdp_generic", "XDP behind the driver", "5.9",
                 "CONFIG_VETH"},
    LiveHookKind{LiveHook::kTc, "tc", "TC (clsact)", "4.5", "CONFIG_NET_CLS_BPF"},
    LiveHookKind{LiveHook::kTcx, "tcx", "TCX", "6.6", "CONFIG_NET_XGRESS"},
    LiveHookKind{LiveHook::kCgroupSkb, "cgroup_skb", "the socket's cgroup", "5.7",
                 "CONFIG_CGROUP_BPF"},
    LiveHookKind{LiveHook::kSocketFilter, "socket_filter", "a socket filter", "3.19", "CONFIG_NET"},
    LiveHookKind{LiveHook::kSkSkb, "sk_skb", "SK_SKB", "5.13", "CONFIG_BPF_STREAM_PARSER"},
};

class NoHook : public HookSwitch {
 public:
  Result<void> set(bool, const VethPair&, std::span<const int>) override { return {}; }
  std::uint64_t passed() const override { return 0; }
  int program_fd() const override { return -1; }
};

class ProgramSwitch : public HookSwitch {
 public:
  ProgramSwitch(LiveHook hook, PassSkeleton skeleton, const bpf_program* program,
                std::optional<Cgroup> cgroup)
      : hook_(hook),
        skeleton_(std::move(skeleton)),
        program_(program),
        cgroup_(std::move(cgroup)) {}

  Result<void> set(bool on, const VethPair& pair, std::span<const int> server_fds) override {
    if (on == on_) return {};
    const Result<void> done = on ? switch_on(pair, server_fds) : switch_off(server_fds);
    if (done) on_ = on;
    return done;
  }

  std::uint64_t passed() const override { return shared_count(skeleton_->bss->passed); }
  int program_fd() const override { return bpf_program__fd(program_); }

 private:
  Result<void> switch_on(const VethPair& pair, std::span<const int> server_fds) {
    const bool xdp = hook_ == LiveHook::kXdpNative || hook_ == LiveHook::kXdpGeneric;
    if (xdp && !kept_) {
      Result<Attachment> kept = keep_in_dispatcher(program_, pair.client.net_ns);
      if (!kept) return std::unexpected(kept.error());
      kept_ = std::move(*kept);
    }
    switch (hook_) {
      case LiveHook::kXdpNative:
        return keep(attach_to_device(program_, DeviceHook::kXdpNative, pair.dut));
      case LiveHook::kXdpGeneric:
        return keep(attach_to_device(program_, DeviceHook::kXdpGeneric, pair.dut));
      case LiveHook::kTc:
        return keep(attach_to_device(program_, DeviceHook::kTcClsact, pair.dut));
      case LiveHook::kTcx:
        return keep(attach_to_device(program_, DeviceHook::kTcx, pair.dut));
      case LiveHook::kCgroupSkb:
        return keep(attach(program_, *find_attach_type("cgroup"), {.fd = cgroup_->fd()}));
      case LiveHook::kSocketFilter:
        return filter_sockets(server_fds);
      case LiveHook::kSkSkb:
        for (std::size_t i = 0; i < server_fds.size(); ++i) {
          if (Result<void> entered = enter_sk_skb(program_, bpf_map__fd(skeleton_->maps.sockets),
                                                  server_fds[i], static_cast<__u32>(i));
              !entered) {
            return entered;
          }
        }
        return {};
      case LiveHook::kNone:
        return {};
    }
    return wrong_result("there is no such hook");
  }

  Result<void> switch_off(std::span<const int> server_fds) {
    attachment_ = Attachment();
    if (hook_ == LiveHook::kSocketFilter) {
      const int unused = 0;
      for (const int fd : server_fds) {
        if (::setsockopt(fd, SOL_SOCKET, SO_DETACH_BPF, &unused, sizeof(unused)) != 0) {
          return system_error(errno, "detach a socket filter");
        }
      }
    }
    if (hook_ == LiveHook::kSkSkb) {
      for (__u32 key = 0; key < server_fds.size(); ++key) {
        const int err = bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.sockets), &key);
        if (err != 0) return system_error(-err, "take a socket out of a map");
      }
    }
    return {};
  }

  Result<void> keep(Result<Attachment> attached) {
    if (!attached) return std::unexpected(attached.error());
    attachment_ = std::move(*attached);
    return {};
  }

  Result<void> filter_sockets(std::span<const int> server_fds) const {
    const int program = program_fd();
    for (const int fd : server_fds) {
      if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) != 0) {
        return system_error(errno, "attach a socket filter");
      }
    }
    return {};
  }

  LiveHook hook_;
  PassSkeleton skeleton_;
  const bpf_program* program_;
  std::optional<Cgroup> cgroup_;
  Attachment kept_;
  Attachment attachment_;
  bool on_ = false;
};

const bpf_program* program_of(const PassSkeleton& skeleton, LiveHook hook) {
  switch (hook) {
    case LiveHook::kXdpNative:
    case LiveHook::kXdpGeneric:
      return skeleton->progs.pass_xdp;
    case LiveHook::kTc:
    case LiveHook::kTcx:
      return skeleton->progs.pass_tc;
    case LiveHook::kCgroupSkb:
      return skeleton->progs.pass_cgroup;
    case LiveHook::kSocketFilter:
      return skeleton->progs.pass_socket;
    case LiveHook::kSkSkb:
      return skeleton->progs.pass_sk_skb;
    case LiveHook::kNone:
      break;
  }
  return nullptr;
}

}  // namespace

std::span<const LiveHookKind> live_hooks() { return kKinds; }

const LiveHookKind& live_hook(LiveHook hook) {
  return *std::ranges::find(kKinds, hook, &LiveHookKind::hook);
}

Result<std::unique_ptr<HookSwitch>> HookSwitch::create(LiveHook hook) {
  if (hook == LiveHook::kNone) return std::make_unique<NoHook>();
  auto skeleton = PassSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  const bpf_program* const program = program_of(*skeleton, hook);
  skeleton->select({program});
  bpf_map__set_autocreate((*skeleton)->maps.sockets, hook == LiveHook::kSkSkb);
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  std::optional<Cgroup> cgroup;
  if (hook == LiveHook::kCgroupSkb) {
    Result<Cgroup> made = Cgroup::create();
    if (!made) return std::unexpected(made.error());
    cgroup.emplace(std::move(*made));
  }
  return std::make_unique<ProgramSwitch>(hook, std::move(*skeleton), program, std::move(cgroup));
}

}  // namespace bpfmark
