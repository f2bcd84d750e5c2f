// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "fixtures/veth_pair.h"
#include "harness/result.h"

namespace bpfmark {

enum class LiveHook {
  kNone,
  kXdpNative,
  kXdpGeneric,
  kTc,
  kTcx,
  kCgroupSkb,
  kSocketFilter,
  kSkSkb
};

struct LiveHookKind {
  LiveHook hook;
  const char* name;
  const char* what;
  const char* first_kernel;
  const char* config;
};

std::span<const LiveHookKind> live_hooks();
const LiveHookKind& live_hook(LiveHook hook);

// The smallest program of a hook on the way of packets to a server, to be switched on and off. Used
// and owned by one thread, which it may move into a cgroup of its own while it lives.
class HookSwitch {
 public:
  // Before the sockets of the server are made, for they must be of the cgroup. Errors: those of
  // loading, and of the cgroup.
  static Result<std::unique_ptr<HookSwitch>> create(LiveHook hook);

  virtual ~HookSwitch() = default;

  // Attaches the program to the device under test or to the sockets of the server, or detaches it;
  // both outlive this. With kNone nothing happens. Errors: kSystem.
  virtual Result<void> set(bool on, const VethPair& pair, std::span<const int> server_fds) = 0;

  // Packets that it let pass so far.
  virtual std::uint64_t passed() const = 0;

  // -1 where there is none.
  virtual int program_fd() const = 0;
};

}  // namespace bpfmark
