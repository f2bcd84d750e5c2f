// SPDX-License-Identifier: BSD-2-Clause
// Measures:         what a program on its way adds to a system call.
// Timed region:     a batch of calls, user-space clock; for execve the clock of the process that
//                   calls it, around each call.
// Floor:            the same calls with nothing attached. hook:none has no program: twice as many
//                   calls are compared with once. hook:tp_other has its program on the tracepoint
//                   of another call: what it adds is the way past all tracepoints, on which the
//                   first one that anybody uses puts every system call of the machine.
// Does not measure: system calls one at a time (syscall_latency does), with cold caches, or with
//                   several programs.
#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "benchmarks/attached_load.h"
#include "benchmarks/families.h"

namespace bpfmark {
namespace {

struct Call {
  std::string_view name;
  std::uint64_t ops_per_batch;
};

constexpr std::array kCalls{
    Call{"getppid", 2048}, Call{"read", 2048}, Call{"write", 2048},  Call{"openat", 384},
    Call{"close", 384},    Call{"mmap", 512},  Call{"connect", 128}, Call{"execve", 8},
};

// A tracepoint that no case of this family passes.
constexpr std::string_view kOtherCall = "acct";

struct Hook {
  std::string_view name;
  std::string_view attach;  // of attach_types()
  bool passed = true;       // by the calls that are timed
};

constexpr std::array kHooks{
    Hook{"tp", "tp"},         Hook{"raw_tp", "raw_tp"}, Hook{"tp_btf", "tp_btf"},
    Hook{"fentry", "fentry"}, Hook{"kprobe", "kprobe"}, Hook{"tp_other", "tp", false},
};

constexpr std::array kBodies = {"empty", "counter", "hash", "ringbuf"};

HookPoint point_of(const Hook& hook, std::string_view tracepoint) {
  if (hook.attach == "tp") {
    return {.category = "syscalls",
            .event = fmt::format("sys_enter_{}", hook.passed ? tracepoint : kOtherCall)};
  }
  if (hook.attach == "raw_tp" || hook.attach == "tp_btf") return {.event = "sys_enter"};
  return {.function = syscall_function(tracepoint)};
}

Plan plan_of(const Call& call, Pairing pairing) {
  return {.ops_per_batch = call.ops_per_batch,
          .rounds = 4,
          .loads = 8,
          .pairing = pairing,
          .waits = call.name == "execve",  // for the child that makes them
          .overhead = pairing == Pairing::kTwin};
}

// The call that shows a probe most, under every kind of probe; the dearest under one.
Suite suite_of(std::string_view call, std::string_view hook, std::string_view body) {
  const bool chosen =
      call == "getppid" ? body == "counter" : hook == "tp" && body == "ringbuf" && call == "execve";
  return chosen ? Suite::kDefault : Suite::kFull;
}

void register_hook(Registry& registry, const Call& call, const Hook& hook, const char* body) {
  const SystemCallKind& kind = *find_system_call(call.name);
  // A child that calls execve makes other system calls as well, which these two see.
  const bool every_call = call.name == "execve" && hook.attach != "tp";
  AttachedCase attached{
      .type = find_attach_type(hook.attach),
      .body = find_hook_body(body),
      .driver = drive_by_system_call(kind, point_of(hook, kind.tracepoint), every_call),
      .warm_up_ops = std::min<std::uint64_t>(call.ops_per_batch, 64),
      .passed = hook.passed};
  registry.add(
      {.name = fmt::format("syscall_overhead/call:{}/hook:{}/body:{}", call.name, hook.name, body),
       .question = hook.passed
                       ? fmt::format("What does a program that {} add to {}, attached by {}?",
                                     attached.body->what, kind.what, hook.attach)
                       : fmt::format("What does a program on the tracepoint of {}() add to {}?",
                                     kOtherCall, kind.what),
       .floor = "the same calls with nothing attached",
       .needs = {"jit", fmt::format("attach_{}", hook.attach)},
       .suite = suite_of(call.name, hook.name, body),
       .plan = plan_of(call, Pairing::kTwin),
       .load = [attached] { return load_attached(attached); }});
}

}  // namespace

void register_syscall_overhead(Registry& registry) {
  for (const Call& call : kCalls) {
    const SystemCallKind& kind = *find_system_call(call.name);
    registry.add({.name = fmt::format("syscall_overhead/call:{}/hook:none/body:none", call.name),
                  .question = fmt::format("What does {} cost with nothing attached?", kind.what),
                  .floor = "half as many calls",
                  .needs = {"test_run_raw_tp"},
                  .suite = call.name == "getppid" ? Suite::kDefault : Suite::kFull,
                  .plan = plan_of(call, Pairing::kSlope),
                  .load = [maker = drive_by_system_call(kind, {})] { return load_bare(maker); }});
    for (const Hook& hook : kHooks) {
      for (const char* const body : kBodies) {
        // A program that is never run is the same with every body.
        if (!hook.passed && body != std::string_view("counter")) continue;
        register_hook(registry, call, hook, body);
      }
    }
  }
}

}  // namespace bpfmark
