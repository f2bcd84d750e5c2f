// SPDX-License-Identifier: BSD-2-Clause
// Measures:         how long after the time at which a request was to be sent its reply is there,
//                   when requests come at a fixed rate whatever becomes of those before (open
//                   loop), answered by a server on another CPU or by a program at a hook.
// Timed region:     the sum over a batch of these latencies, user-space clock; a client that is
//                   late itself is in it.
// Floor:            two operations of the ring that do nothing, at the same times.
// Does not measure: the highest rate that could be served. Otherwise as echo_rtt.
#include <fmt/format.h>

#include "benchmarks/echo_load.h"
#include "benchmarks/families.h"
#include "harness/guards.h"

namespace bpfmark {
namespace {

constexpr std::size_t kPayloadBytes = 13;

struct Rate {
  std::uint64_t kps;  // thousands a second
  std::uint64_t ops_per_batch;
  int rounds;
};
constexpr Rate kRates[] = {{20, 32, 8}, {100, 64, 12}};

}  // namespace

void register_echo_open_loop(Registry& registry) {
  const std::vector<int> cpus = allowed_cpus();
  for (const EchoHook& hook : echo_hooks()) {
    // The client polls, so nobody else gets its CPU.
    if (hook.answers == EchoHook::Answers::kLater) continue;
    const bool split = hook.answers == EchoHook::Answers::kThread;
    for (const Rate& rate : kRates) {
      std::vector<std::string> needs = needs_of(hook);
      if (split) needs.push_back("two_cpus");
      registry.add(
          {.name = fmt::format("echo_open_loop/proto:udp/hook:{}/payload:{}/rate_kps:{}/cpu:{}",
                               hook.name, kPayloadBytes, rate.kps, split ? "split" : "same"),
           .question = fmt::format("How late are replies to {} 000 UDP requests a second, answered "
                                   "by {} on {} CPU (open loop)?",
                                   rate.kps, hook.what, split ? "another" : "the client's"),
           .floor = "two operations that do nothing, at the same times",
           .needs = std::move(needs),
           .suite = Suite::kFull,
           .ladder = "hook",
           .plan = {.ops_per_batch = rate.ops_per_batch, .rounds = rate.rounds, .loads = 12},
           .load = [&hook, &rate, split, cpus] {
             return OpenLoopLoad::create(
                 {.hook = &hook,
                  .message_bytes = kPayloadBytes,
                  .server_wait = Wait::kBusy,
                  .server_cpu = split ? other_cpu(cpus) : -1},
                 {.message_bytes = kPayloadBytes, .period_ns = 1'000'000 / rate.kps});
           }});
    }
  }
}

}  // namespace bpfmark
