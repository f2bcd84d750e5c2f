// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one and the same program on every way to attach it to live code.
// Timed region:     a batch of operations that each pass the hook once: driver:syscall by
//                   getppid(), driver:kernel inside a test-run that calls a kernel function; types
//                   with an event of their own by that. User-space clock, but for driver:kernel.
// Floor:            the same operations with nothing attached. For the iterator, which is not there
//                   without its program, making it and not reading it. type:none has no program:
//                   twice as many operations are compared with once.
// Does not measure: the event itself; a probe that few calls reach, with cold caches; reading the
//                   events from their buffer, which happens outside of the clock.
#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/hook_type.h"
#include "harness/identity.h"

namespace bpfmark {
namespace {

// --- what traces the kernel: by a system call, and from inside the kernel

constexpr std::array kTracing = {"tp",           "raw_tp",          "tp_btf",        "fentry",
                                 "fexit",        "fmod_ret",        "kprobe",        "kretprobe",
                                 "kprobe_multi", "kretprobe_multi", "kprobe_session"};

HookPoint getppid_point(std::string_view type) {
  if (type == "tp") return {.category = "syscalls", .event = "sys_enter_getppid"};
  if (type == "raw_tp" || type == "tp_btf") return {.event = "sys_enter"};
  return {.function = syscall_function("getppid")};
}

// Of a session one and the same program is called twice.
std::uint64_t runs_per_op(std::string_view type) { return type == "kprobe_session" ? 2 : 1; }

HookType by_getppid(std::string_view type) {
  return {.name = std::string(type),
          .driver = "syscall",
          .what = "calls getppid()",
          .attached = {.type = find_attach_type(type),
                       .driver =
                           drive_by_system_call(*find_system_call("getppid"), getppid_point(type)),
                       .runs_per_op = runs_per_op(type)},
          .ops_per_batch = 2048};
}

HookType by_test_run(std::string_view type) {
  const bool tracepoint = type == "tp" || type == "raw_tp" || type == "tp_btf";
  const bool kfunc = tracepoint || type == "fmod_ret";
  HookPoint point;
  if (tracepoint) {
    point = {.category = "bpf_test_run", .event = "bpf_trigger_tp"};
  } else {
    point = {.function = kfunc ? "bpf_modify_return_test_tp" : "bpf_get_numa_node_id"};
  }
  return {.name = std::string(type),
          .driver = "kernel",
          .what = fmt::format("calls {} in the kernel",
                              kfunc ? "bpf_modify_return_test_tp()" : "bpf_get_numa_node_id()"),
          .attached = {.type = find_attach_type(type),
                       .driver = drive_by_test_run(
                           kfunc ? KernelCallee::kFunction : KernelCallee::kHelper, point),
                       .runs_per_op = runs_per_op(type)},
          .needs = {kfunc ? "hook_kfunc" : "test_run_raw_tp"},
          .ops_per_batch = 8192};
}

HookType by_event(const HookEventKind& kind) {
  return {.name = std::string(kind.name),
          .driver = "",
          .what = std::string(kind.what),
          .attached = {.type = find_attach_type(kind.attach),
                       .driver = drive_by_event(kind),
                       .verdict = kind.verdict,
                       .user_stack = kind.user_stack,
                       .ours_alone = kind.ours_alone},
          .needs = {},
          .ops_per_batch = 256};
}

HookType by_clock() {
  return {.name = "perf_event",
          .driver = "",
          .what = fmt::format("is {} steps of arithmetic, interrupted every {} us", kSpinSteps,
                              kSamplePeriodNs / 1000),
          .attached = {.type = find_attach_type("perf_event"),
                       .driver = drive_by_clock(),
                       .user_stack = true,
                       .ours_alone = true,
                       .warm_up_ops = 512},
          .needs = {"timely_timers"},
          .ops_per_batch = 2048};
}

}  // namespace

std::vector<HookType> hook_types() {
  std::vector<HookType> types;
  for (const char* const type : kTracing) {
    types.push_back(by_getppid(type));
    types.push_back(by_test_run(type));
  }
  for (const HookEventKind& kind : hook_event_kinds()) types.push_back(by_event(kind));
  types.push_back(by_clock());
  types.push_back({.name = "iterator",
                   .driver = "",
                   .what = "gets to the next element of an array",
                   .attached = {.type = find_attach_type("iterator"),
                                .driver = drive_by_iterator(),
                                .ours_alone = true,
                                .stays_attached = true,
                                .warm_up_ops = kIteratedElements},
                   .ops_per_batch = 4 * kIteratedElements});
  return types;
}

namespace {

// Not every type has every helper. Of the instructions under a user-space probe one is enough to
// tell the bodies apart.
bool can_have(const HookType& type, const HookBody& body) {
  const bool probe = type.attached.type->name.starts_with("u") && type.name != "usdt";
  if (probe && !type.name.ends_with("_nop") && body.name != "empty" && body.name != "counter") {
    return false;
  }
  const bpf_prog_type program = type.attached.type->program_type;
  const bool tracing = type.attached.type->name != "cgroup" && program != BPF_PROG_TYPE_SK_LOOKUP &&
                       program != BPF_PROG_TYPE_SK_REUSEPORT;
  if (body.alone == nullptr) return tracing;  // its helper is for programs that trace
  return body.name != "perfbuf" || program != BPF_PROG_TYPE_SK_REUSEPORT;
}

// The choice for the default suite: each kind of hook once, bodies and drivers on the one that is
// quickest to attach to and to leave.
bool is_representative(const std::string& name) {
  static constexpr std::array kChosen = {"type:tp/body:counter/driver:syscall",
                                         "type:raw_tp/body:counter/driver:syscall",
                                         "type:raw_tp/body:hash/driver:syscall",
                                         "type:raw_tp/body:ringbuf/driver:syscall",
                                         "type:tp_btf/body:counter/driver:syscall",
                                         "type:raw_tp/body:counter/driver:kernel",
                                         "type:fentry/body:counter/driver:kernel",
                                         "type:kprobe/body:counter/driver:kernel",
                                         "type:uprobe_nop/body:counter",
                                         "type:perf_event/body:counter",
                                         "type:lsm/body:counter",
                                         "type:cgroup_connect4/body:counter",
                                         "type:iterator/body:counter"};
  return std::ranges::any_of(kChosen, [&](std::string_view chosen) {
    return name == fmt::format("hook_dispatch/{}", chosen);
  });
}

// A round detaches once, which can take some 20 ms of waiting for readers: few rounds.
Plan plan_of(std::uint64_t ops_per_batch, Pairing pairing) {
  return {.ops_per_batch = ops_per_batch, .rounds = 4, .loads = 8, .pairing = pairing};
}

// A kernel may let programs change what its test function returns, and not what system calls do.
std::string attach_capability(const HookType& type) {
  const bool kfunc = type.attached.type->name == "fmod_ret" && type.driver == "kernel";
  return fmt::format("attach_{}{}", type.attached.type->name, kfunc ? "_kfunc" : "");
}

void register_type(Registry& registry, const HookType& type) {
  for (const HookBody& body : hook_bodies()) {
    if (!can_have(type, body)) continue;
    AttachedCase attached = type.attached;
    attached.body = &body;
    const std::string name = fmt::format("hook_dispatch/type:{}/body:{}{}", type.name, body.name,
                                         type.driver.empty() ? "" : "/driver:" + type.driver);
    std::vector<std::string> needs = {"jit", attach_capability(type)};
    needs.insert(needs.begin() + 1, type.needs.begin(), type.needs.end());
    if (type.name == "tp" && type.driver == "syscall" && body.name == "stackid") {
      needs.emplace_back("attach_tp_stackid");
    }
    registry.add(
        {.name = name,
         .question =
             fmt::format("What does a program that {} add, attached by {}? An operation {}.",
                         body.what, type.name, type.what),
         .floor = attached.stays_attached ? "the iterator is made and not read"
                                          : "the same operations with nothing attached",
         .needs = std::move(needs),
         .suite = is_representative(name) ? Suite::kDefault : Suite::kFull,
         // A stack takes as long to collect as ten of the other bodies, and a batch
         // must stay shorter than a tick.
         .plan = plan_of(type.ops_per_batch / (body.name == "stackid" ? 4 : 1), Pairing::kTwin),
         .load = [attached] { return load_attached(attached); }});
  }
}

void register_bare(Registry& registry, const std::string& driver, DriverMaker maker,
                   std::vector<std::string> needs) {
  registry.add({.name = fmt::format("hook_dispatch/type:none/body:none/driver:{}", driver),
                .question = "What does an operation cost with nothing attached?",
                .floor = "half as many operations",
                .needs = std::move(needs),
                .suite = Suite::kFull,
                .plan = plan_of(2048, Pairing::kSlope),
                .load = [maker = std::move(maker)] { return load_bare(maker); }});
}

// By the first of the types that need it.
void add_attach_capabilities(Capabilities& capabilities, const std::vector<HookType>& types) {
  std::set<std::string> added;
  for (const HookType& type : types) {
    const std::string name = attach_capability(type);
    if (!added.insert(name).second) continue;
    AttachedCase probed = type.attached;
    probed.body = find_hook_body("counter");
    capabilities.add({name,
                      fmt::format("attach a program by {}{}, and see it run", probed.type->name,
                                  name.ends_with("_kfunc") ? " to a kfunc" : ""),
                      [probed, needs = type.needs, &capabilities] {
                        for (const std::string& need : needs) {
                          const ProbeResult& met = capabilities.probe(need);
                          if (met.support != Support::kSupported) return met;
                        }
                        return probe_attachment(probed);
                      }});
  }
}

// Older kernels hand the registers of user space to programs on the tracepoints of system calls,
// and then find no stack of their own.
ProbeResult probe_stack_of_tracepoint(AttachedCase attached) {
  attached.body = find_hook_body("stackid");
  const auto load = load_attached(attached);
  const Result<void> outcome =
      load ? (*load)->prepare(Arm::kSubject) : Result<void>(std::unexpected(load.error()));
  if (!outcome && outcome.error().kind == ErrorKind::kWrongResult) {
    return {Support::kAbsent, outcome.error().what,
            "needs a newer kernel: this one hands user space's registers to the program"};
  }
  return classify(outcome, "", "");
}

// An emulator fires them when it gets to it.
ProbeResult probe_timers() {
  if (!machine_is_emulated()) return {Support::kSupported, "", ""};
  return {Support::kAbsent, "this machine is emulated, and its timers are late",
          "run on a machine that is not emulated"};
}

ProbeResult probe_kfunc() {
  const std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  if (kernel &&
      btf__find_by_name_kind(kernel.get(), "bpf_modify_return_test_tp", BTF_KIND_FUNC) > 0) {
    return {Support::kSupported, "", ""};
  }
  return {Support::kAbsent, "this kernel has no function bpf_modify_return_test_tp",
          "needs Linux 6.10 or newer"};
}

}  // namespace

void register_hook_dispatch(Registry& registry, Capabilities& capabilities) {
  capabilities.add({"hook_kfunc",
                    "call bpf_modify_return_test_tp(), made for passing hooks, in a program",
                    probe_kfunc});
  capabilities.add({"timely_timers", "timers fire when they are due", probe_timers});
  const std::vector<HookType> types = hook_types();
  capabilities.add({"attach_tp_stackid",
                    "a program on the tracepoint of a system call finds the kernel's stack",
                    [tp = types.front().attached] { return probe_stack_of_tracepoint(tp); }});
  add_attach_capabilities(capabilities, types);
  const SystemCallKind& getppid = *find_system_call("getppid");
  register_bare(registry, "syscall", drive_by_system_call(getppid, {}), {"test_run_raw_tp"});
  register_bare(registry, "kernel", drive_by_test_run(KernelCallee::kFunction, {}), {"hook_kfunc"});
  for (const HookType& type : types) register_type(registry, type);
}

}  // namespace bpfmark
