// SPDX-License-Identifier: BSD-2-Clause
// Measures:         entering and leaving a program of each type, empty or with one counter, as
//                   BPF_PROG_TEST_RUN does it.
// Timed region:     types that take `repeat`: the whole call, user-space clock, 2N repeats against
// N;
//                   raw_tp and syscall programs run once a call: a batch of calls.
// Floor:            with repeat, N repeats of the same program (what does not grow with N cancels);
//                   without, the same call refused by the type's own check of its arguments, the
//                   last step before the program would have run.
// Does not measure: what a driver or the stack does before it gets to the hook. The per-repeat work
// of
//                   the test-run loop itself cannot be told from the entry and is in the number.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "fixtures/bpf_stats.h"
#include "fixtures/link.h"
#include "fixtures/net_ns.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"
#include "hook_entry.skel.h"

namespace bpfmark {
namespace {

using HookSkeleton = Skeleton<hook_entry_bpf>;
using ProgramSlot = bpf_program* decltype(hook_entry_bpf::progs)::*;

struct Hook {
  std::string_view type;  // of harness/program_type.h
  ProgramSlot empty;
  ProgramSlot counter;
  std::uint32_t verdict;  // what the program returns
  std::uint64_t ops_per_batch;
};

#define BPFMARK_HOOK(type, stem, verdict, ops)                         \
  Hook {                                                               \
    type, &decltype(hook_entry_bpf::progs)::stem##_empty,              \
        &decltype(hook_entry_bpf::progs)::stem##_counter, verdict, ops \
  }

const std::array kHooks = {
    BPFMARK_HOOK("xdp", xdp, 2, 2048),
    BPFMARK_HOOK("tc", tc, 0, 2048),
    BPFMARK_HOOK("socket_filter", sock_filter, 0, 2048),
    BPFMARK_HOOK("cgroup_skb", cgroup_skb, 1, 2048),
    BPFMARK_HOOK("flow_dissector", flow_dis, 0, 2048),
    BPFMARK_HOOK("lwt_in", lwt_in, 0, 2048),
    BPFMARK_HOOK("lwt_out", lwt_out, 0, 2048),
    BPFMARK_HOOK("lwt_xmit", lwt_xmit, 0, 2048),
    BPFMARK_HOOK("sk_lookup", sk_lookup, 1, 2048),
    BPFMARK_HOOK("netfilter", netfilter, 1, 2048),
    BPFMARK_HOOK("raw_tp", raw_tp, 0, 128),
    BPFMARK_HOOK("syscall", syscall, 0, 128),
};

// The kernel calls XDP programs through a dispatcher that it writes anew when a program comes or
// goes, waiting for an RCU grace period (some 15 ms here). A test-run with `repeat` does that
// around every call, which would drown the repeats. While the same program is attached somewhere it
// stays in the dispatcher: to the loopback device of a namespace of our own, where no packet ever
// passes.
struct DispatcherHold {
  NetNs net_ns;
  Link link;

  static Result<DispatcherHold> create(const bpf_program* program) {
    Result<NetNs> net_ns = NetNs::create();
    if (!net_ns) return std::unexpected(net_ns.error());
    Link link;
    const Result<void> attached = net_ns->run([&]() -> Result<void> {
      link.reset(bpf_program__attach_xdp(program, kLoopbackIndex));
      if (!link) return system_error(errno, "attach to the loopback device of a new namespace");
      return {};
    });
    if (!attached) return std::unexpected(attached.error());
    return DispatcherHold{std::move(*net_ns), std::move(link)};
  }
};

class HookLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const Hook& hook, bool counter);

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    while (true) {
      const std::uint64_t runs_before = skeleton_->bss->runs;
      const bool refused = !takes_repeat_ && arm == Arm::kFloor;
      const Result<TestRunOutcome> outcome = takes_repeat_
                                                 ? test_run_.run(static_cast<std::uint32_t>(ops))
                                                 : call_in_loop(ops, refused);
      if (!outcome) return std::unexpected(outcome.error());
      // A call that a signal broke had made some of its repeats, so the counts cannot be exact:
      // again.
      if (outcome->restarts > 0) continue;
      last_duration_ns_ = outcome->duration_ns;
      last_raw_ns_ = outcome->elapsed_ns / static_cast<double>(ops);
      const std::uint64_t counted = skeleton_->bss->runs - runs_before;
      const std::uint64_t expected = counter_ && !refused ? ops : 0;
      if (counted != expected) {
        return wrong_result(
            fmt::format("the program counted {} runs instead of {}", counted, expected));
      }
      if (!refused && outcome->retval != verdict_) {
        return wrong_result(
            fmt::format("the program returned {} instead of {}", outcome->retval, verdict_));
      }
      return Batch{.elapsed_ns = outcome->elapsed_ns, .user_elapsed_ns = outcome->elapsed_ns};
    }
  }

  // The kernel's own count of the runs, for the empty program too; and how far its truncated
  // average is from the slope.
  Result<void> finish(Findings& findings) override {
    if (takes_repeat_) {
      findings.counters["duration_ns"] = last_duration_ns_;
      findings.counters["duration_gap_ns"] = last_raw_ns_ - last_duration_ns_;
    }
    return prove_runs();
  }

  std::vector<ProgramIdentity> programs() const override {
    std::vector<ProgramIdentity> programs;
    if (auto identity = identify_program(prog_fd_, "subject")) programs.push_back(*identity);
    return programs;
  }

 private:
  HookLoad(HookSkeleton skeleton, std::optional<DispatcherHold> hold, int prog_fd, const Hook& hook,
           bool counter)
      : skeleton_(std::move(skeleton)),
        hold_(std::move(hold)),
        prog_fd_(prog_fd),
        verdict_(hook.verdict),
        counter_(counter),
        takes_repeat_(find_program_type(hook.type)->takes_repeat),
        test_run_(prog_fd, find_program_type(hook.type)->input()) {}

  // These types refuse `repeat` with EINVAL, after the program was looked up: the same call, ended
  // just before the program would have run.
  Result<TestRunOutcome> call_in_loop(std::uint64_t calls, bool refused) {
    TestRunOutcome outcome;
    const int expected = refused ? -EINVAL : 0;
    const std::uint64_t start = now_ns();
    for (std::uint64_t i = 0; i < calls; ++i) {
      const int err = test_run_.call(refused ? 1 : 0, outcome);
      if (err == expected) continue;
      if (err == 0) return wrong_result("a call that must be refused was not");
      return system_error(-err, "BPF_PROG_TEST_RUN");
    }
    outcome.elapsed_ns = static_cast<double>(now_ns() - start);
    return outcome;
  }

  Result<void> prove_runs() {
    constexpr std::uint64_t kProvenRuns = 64;
    const Result<BpfStats> stats = BpfStats::enable();
    if (!stats) return std::unexpected(stats.error());
    const Result<std::uint64_t> before = program_run_count(prog_fd_);
    if (!before) return std::unexpected(before.error());
    if (Result<Batch> batch = run(Arm::kSubject, kProvenRuns); !batch) {
      return std::unexpected(batch.error());
    }
    const Result<std::uint64_t> after = program_run_count(prog_fd_);
    if (!after) return std::unexpected(after.error());
    if (*after - *before != kProvenRuns) {
      return wrong_result(
          fmt::format("the kernel counted {} runs instead of {}", *after - *before, kProvenRuns));
    }
    return {};
  }

  HookSkeleton skeleton_;
  std::optional<DispatcherHold> hold_;
  int prog_fd_;
  std::uint32_t verdict_;
  bool counter_;
  bool takes_repeat_;
  TestRun test_run_;
  double last_duration_ns_ = 0;
  double last_raw_ns_ = 0;
};

Result<std::unique_ptr<PairedLoad>> HookLoad::create(const Hook& hook, bool counter) {
  auto skeleton = HookSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  bpf_program* const program = (*skeleton)->progs.*(counter ? hook.counter : hook.empty);
  skeleton->select({program});
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  std::optional<DispatcherHold> hold;
  if (hook.type == "xdp") {
    Result<DispatcherHold> held = DispatcherHold::create(program);
    if (!held) return std::unexpected(held.error());
    hold = std::move(*held);
  }
  return std::unique_ptr<PairedLoad>(
      new HookLoad(std::move(*skeleton), std::move(hold), bpf_program__fd(program), hook, counter));
}

// The others are entered like one of these.
Suite suite_of(std::string_view type, bool counter) {
  constexpr std::array kShown = {"xdp",       "tc",     "socket_filter", "cgroup_skb",
                                 "sk_lookup", "raw_tp", "syscall"};
  const bool shown = counter ? type == "xdp" : std::ranges::find(kShown, type) != kShown.end();
  return shown ? Suite::kDefault : Suite::kFull;
}

}  // namespace

void register_hook_entry(Registry& registry) {
  for (const Hook& hook : kHooks) {
    const bool repeats = find_program_type(hook.type)->takes_repeat;
    for (const bool counter : {false, true}) {
      registry.add({.name = fmt::format("hook_entry/type:{}/body:{}", hook.type,
                                        counter ? "counter" : "empty"),
                    .question = fmt::format("What does entering and leaving {} {} program cost?",
                                            counter ? "a counting" : "an empty", hook.type),
                    .floor = repeats ? "half as many repeats of the same program"
                                     : "the same call, refused just before the program runs",
                    .needs = {fmt::format("test_run_{}", hook.type), "jit"},
                    .suite = suite_of(hook.type, counter),
                    .plan = {.ops_per_batch = hook.ops_per_batch,
                             .rounds = repeats ? 60 : 120,
                             .loads = 12,
                             .pairing = repeats ? Pairing::kSlope : Pairing::kTwin},
                    .load = [&hook, counter] { return HookLoad::create(hook, counter); }});
    }
  }
}

}  // namespace bpfmark
