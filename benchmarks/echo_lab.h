// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fixtures/lent_device.h"
#include "fixtures/unique_fd.h"
#include "fixtures/veth_pair.h"
#include "harness/capability.h"
#include "harness/result.h"
#include "harness/ring.h"

namespace bpfmark {

enum class Protocol { kUdp, kTcp };

// Two devices that are joined, and a socket at each, connected to each other: in namespaces of
// their own; or only one half of it, the other being on another machine.
struct EchoLab {
  std::shared_ptr<const VethEnd> client_end;  // null at the DUT's half
  std::shared_ptr<const VethEnd> dut_end;     // null at the client's half
  VethOptions options;                        // as the devices have them
  UniqueFd client;                            // none, where its end is none
  UniqueFd server;                            // likewise

  // With a new pair of devices. Errors: those of VethPair::create(), kSystem.
  static Result<EchoLab> create(Protocol protocol, const VethOptions& options = {});

  // With a pair that is there already, and outlives this. Errors: kSystem.
  static Result<EchoLab> between(Protocol protocol, const VethPair& pair);

  // A half, for datagrams to and from the machine with the address `peer`, by that device alone.
  // Errors: kSystem (EADDRINUSE where somebody has the port).
  static Result<EchoLab> client_half(const LentDevice& device, in_addr peer);
  static Result<EchoLab> dut_half(const LentDevice& device, in_addr peer);

  // Nothing that the server's socket has not read, if there is one. Errors: kWrongResult.
  Result<void> check_server_saw_nothing() const;

  // Segments that the client's TCP sent again since the connection was made. Errors: kSystem.
  Result<std::uint64_t> retransmissions() const;
};

// Messages that went by the places on the way of an answer; absent where there is no such place.
struct EchoSightings {
  std::optional<std::uint64_t> hook;
  std::optional<std::uint64_t> server;  // in user space
};

// "the hook saw 64, the server saw 0"
std::string to_text(const EchoSightings& seen);

// Who sends the messages back, while it lives. Not longer than the lab.
class Echo {
 public:
  virtual ~Echo() = default;

  virtual EchoSightings seen() const = 0;

  // Why it does so no more.
  virtual std::optional<Error> failure() const { return std::nullopt; }

  // Of the program that answers, -1 if there is none.
  virtual int program_fd() const { return -1; }
};

struct EchoPlace {
  int cpu = -1;  // of the thread that answers, where there is one
  Wait wait = Wait::kBlocking;
  std::size_t message_bytes = 0;
};

// Where a message can be answered.
struct EchoHook {
  enum class Answers {
    kInSend,  // on the client's CPU, before its system call returns
    kLater,   // by another task of the kernel
    kThread,  // by a thread of ours
  };

  std::string_view name;
  std::string_view what;  // "a program at TC ingress (clsact)"
  Answers answers;
  bool netkit;  // on netkit devices, not on a veth pair
  std::string_view first_kernel;
  std::string_view config;
  Result<std::unique_ptr<Echo>> (*start)(const EchoLab& lab, const EchoPlace& place);
};

// From the farthest from the wire to the nearest, AF_XDP last.
std::span<const EchoHook> echo_hooks();

// nullptr if there is none of that name.
const EchoHook* find_echo_hook(std::string_view name);

// Drops the messages at the server's TC ingress, and counts them. Errors: kSystem.
Result<std::unique_ptr<Echo>> start_black_hole(const EchoLab& lab);

// Adds "echo_" + name for each hook.
void add_echo_capabilities(Capabilities& capabilities);

// What a case with that hook needs.
std::vector<std::string> needs_of(const EchoHook& hook);

}  // namespace bpfmark
