// SPDX-License-Identifier: BSD-2-Clause
// Measures:         a request and its reply between two network namespaces, answered by a server
//                   in user space or by a program at a hook on the way to it.
// Timed region:     from before the submission of the request, and of the receiving of its reply,
//                   to the reply in the client's hand: one round trip, user-space clock. Closed
//                   loop. Time to think is not in it.
// Floor:            the client with two operations of the ring that do nothing, its two clock
//                   readings included: net is what happens between the two sockets.
// Does not measure: a wire or a driver. A veth pair delivers on the sender's CPU and inside of its
//                   call, so a hook answers before the client's system call returns: differences
//                   between hooks mean something, absolute times do not compare with machines.
#include <fmt/format.h>

#include "benchmarks/echo_load.h"
#include "benchmarks/families.h"
#include "harness/guards.h"

namespace bpfmark {
namespace {

using Answers = EchoHook::Answers;

struct Variant {
  std::size_t payload_bytes;
  std::uint64_t think_us;
  Wait wait;
  bool split;  // who answers is on another CPU
};

// One thing at a time is varied. 13 bytes are the message of doi 10.1145/3749216, Figure 3.
constexpr Variant kVariants[] = {
    {13, 0, Wait::kBlocking, false},  {13, 0, Wait::kBusy, false},
    {13, 10, Wait::kBlocking, false}, {13, 10, Wait::kBusy, false},
    {256, 0, Wait::kBlocking, false}, {1400, 0, Wait::kBlocking, false},
    {13, 0, Wait::kBlocking, true},   {13, 0, Wait::kBusy, true},
};

// A client that polls keeps everybody else from its CPU; and what is answered inside of its call
// has no CPU of its own.
bool has_case(const EchoHook& hook, const Variant& variant) {
  if (variant.split) return hook.answers == Answers::kThread;
  return variant.wait == Wait::kBlocking || hook.answers == Answers::kInSend;
}

Plan plan_of(const EchoHook& hook, const Variant& variant) {
  const bool at_once = hook.answers == Answers::kInSend;
  const bool thinks = variant.think_us > 0;
  return {.ops_per_batch = variant.split        ? 16u
                           : at_once && !thinks ? 64u
                                                : 32u,
          .rounds = 20,
          .loads = 12,
          .waits = variant.wait == Wait::kBlocking && (thinks || !at_once)};
}

bool is_default(Protocol protocol, const Variant& variant) {
  return protocol == Protocol::kUdp && variant.payload_bytes == 13 && variant.think_us == 0 &&
         variant.wait == Wait::kBlocking && !variant.split;
}

std::string question(const EchoHook& hook, Protocol protocol, const Variant& variant) {
  return fmt::format(
      "How long is a {} round trip with {} bytes, answered by {} on {} CPU, {}{} (closed loop)?",
      protocol == Protocol::kUdp ? "UDP" : "TCP", variant.payload_bytes, hook.what,
      variant.split ? "another" : "the client's",
      variant.wait == Wait::kBusy ? "all polling" : "who waits asleep",
      variant.think_us > 0 ? fmt::format(", {} us after the last", variant.think_us) : "");
}

}  // namespace

void register_echo_rtt(Registry& registry, Capabilities& capabilities) {
  add_ring_capability(capabilities);
  add_echo_capabilities(capabilities);
  const std::vector<int> cpus = allowed_cpus();
  for (const Protocol protocol : {Protocol::kUdp, Protocol::kTcp}) {
    for (const EchoHook& hook : echo_hooks()) {
      for (const Variant& variant : kVariants) {
        if (!has_case(hook, variant)) continue;
        std::vector<std::string> needs = needs_of(hook);
        if (variant.split) needs.push_back("two_cpus");
        registry.add(
            {.name = fmt::format(
                 "echo_rtt/proto:{}/hook:{}/payload:{}/think_us:{}/wakeup:{}/cpu:{}",
                 protocol == Protocol::kUdp ? "udp" : "tcp", hook.name, variant.payload_bytes,
                 variant.think_us, variant.wait == Wait::kBusy ? "busy" : "blocking",
                 variant.split ? "split" : "same"),
             .question = question(hook, protocol, variant),
             .floor = "the client with two operations that do nothing",
             .needs = std::move(needs),
             .suite = is_default(protocol, variant) ? Suite::kDefault : Suite::kFull,
             .ladder = "hook",
             .plan = plan_of(hook, variant),
             .load = [&hook, &variant, protocol, cpus] {
               return ClosedLoopLoad::create({.hook = &hook,
                                              .protocol = protocol,
                                              .message_bytes = variant.payload_bytes,
                                              .server_wait = variant.wait,
                                              .server_cpu = variant.split ? other_cpu(cpus) : -1},
                                             {.message_bytes = variant.payload_bytes,
                                              .stream = protocol == Protocol::kTcp,
                                              .wait = variant.wait,
                                              .think_ns = variant.think_us * 1000});
             }});
      }
    }
  }
}

}  // namespace bpfmark
