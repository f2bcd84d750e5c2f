// SPDX-License-Identifier: BSD-2-Clause
// Measures:         attaching a loaded program, and detaching it, by every way there is.
// Timed region:     attach: from the program to its link, with what the way needs (a perf event,
//                   the place of the function). detach: until the link is gone.
// Floor:            two readings of the clock.
// Does not measure: the load; what the kernel frees after the call has returned; XDP in a driver,
//                   for the loopback device has none. What waits for grace periods of RCU is mostly
//                   waiting.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/hook_type.h"
#include "benchmarks/lifecycle_step.h"
#include "fixtures/hook_event.h"
#include "fixtures/libbpf_log.h"
#include "fixtures/net_ns.h"
#include "fixtures/skeleton.h"
#include "harness/program_identity.h"
#include "lifecycle_device.skel.h"

namespace bpfmark {
namespace {

Result<void> check_runs_without(std::uint64_t runs) {
  if (runs == 0) return {};
  return wrong_result(fmt::format("the program ran {} times after it was detached", runs));
}

// --- hooks: what is attached, where, and a proof that it runs if and only if it is attached

// Any of the attach_types(), with somebody who passes there.
class LiveHook {
 public:
  static Result<LiveHook> create(const AttachedCase& attached) {
    Result<std::unique_ptr<HookDriver>> driver = attached.driver();
    if (!driver) return std::unexpected(driver.error());
    Result<BodyProgram> body = load_body(attached, **driver);
    if (!body) return std::unexpected(body.error());
    return LiveHook(attached, std::move(*driver), std::move(*body));
  }

  int program_fd() const { return body_.fd(); }

  Result<void> attach() {
    Result<Attachment> attached = bpfmark::attach(body_.program(), *case_.type, driver_->point());
    if (!attached) return std::unexpected(attached.error());
    attachment_ = std::move(*attached);
    return {};
  }

  void detach() { attachment_ = Attachment(); }

  Result<void> prove() {
    const bool there = static_cast<bool>(attachment_);
    if (!there && case_.stays_attached) return {};  // nothing to pass without it
    const std::uint64_t ops = case_.warm_up_ops;
    const Result<Batch> passed = driver_->run(
        {.arm = Arm::kSubject, .ops = ops, .gate = gate_, .link_fd = attachment_.link_fd()});
    if (!passed) return std::unexpected(passed.error());
    const Result<std::optional<std::uint64_t>> runs = body_.take_runs();
    if (!runs) return std::unexpected(runs.error());
    const std::uint64_t count = runs->value_or(0);
    return there ? driver_->check_runs(ops * case_.runs_per_op, *passed, count)
                 : check_runs_without(count);
  }

 private:
  LiveHook(const AttachedCase& attached, std::unique_ptr<HookDriver> driver, BodyProgram body)
      : case_(attached), driver_(std::move(driver)), body_(std::move(body)) {
    gate_ = Gate(&body_.filter(), {.tgid = driver_->tgid(), .mask = case_.ours_alone ? 0 : ~0ULL});
  }

  AttachedCase case_;
  std::unique_ptr<HookDriver> driver_;
  BodyProgram body_;
  Gate gate_;
  Attachment attachment_;
};

struct DeviceKind {
  const char* name;
  const char* first_kernel;
  bpf_program* decltype(lifecycle_device_bpf::progs)::* program;
  bpf_link* (*attach)(const bpf_program* program);
};

constexpr DeviceKind kDeviceKinds[] = {
    {"tcx", "6.6", &decltype(lifecycle_device_bpf::progs)::device_tcx,
     [](const bpf_program* program) {
       return bpf_program__attach_tcx(program, kLoopbackIndex, nullptr);
     }},
    {"xdp_generic", "5.9", &decltype(lifecycle_device_bpf::progs)::device_xdp,
     [](const bpf_program* program) { return bpf_program__attach_xdp(program, kLoopbackIndex); }},
};

// The loopback device of a network namespace of our own, in which the caller must be, and a
// datagram that passes it.
class LoopbackHook {
 public:
  static Result<LoopbackHook> create(const DeviceKind& kind, std::shared_ptr<SystemCall> datagram) {
    Result<Skeleton<lifecycle_device_bpf>> skeleton = Skeleton<lifecycle_device_bpf>::open();
    if (!skeleton) return std::unexpected(skeleton.error());
    skeleton->select({(*skeleton)->progs.*kind.program});
    if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
    return LoopbackHook(kind, std::move(*skeleton), std::move(datagram));
  }

  int program_fd() const { return bpf_program__fd(program()); }

  Result<void> attach() {
    const LibbpfLog log;
    link_.reset(kind_->attach(program()));
    if (!link_) return system_error(errno, log.last_warnings("attach to the loopback device"));
    return {};
  }

  void detach() { link_.reset(); }

  Result<void> prove() {
    const std::uint64_t before = packets();
    if (Result<void> ready = datagram_->prepare(1); !ready) return ready;
    if (!datagram_->call()) return std::unexpected(datagram_->failure());
    if (Result<void> undone = datagram_->undo(); !undone) return undone;
    const std::uint64_t seen = packets() - before;
    if (!link_) return check_runs_without(seen);
    if (seen == 1) return {};
    return wrong_result(fmt::format("the program ran {} times instead of 1", seen));
  }

 private:
  LoopbackHook(const DeviceKind& kind, Skeleton<lifecycle_device_bpf> skeleton,
               std::shared_ptr<SystemCall> datagram)
      : kind_(&kind), skeleton_(std::move(skeleton)), datagram_(std::move(datagram)) {}

  const bpf_program* program() const { return skeleton_->progs.*kind_->program; }
  std::uint64_t packets() { return std::atomic_ref(skeleton_->bss->packets).load(); }

  const DeviceKind* kind_;
  Skeleton<lifecycle_device_bpf> skeleton_;
  std::shared_ptr<SystemCall> datagram_;
  Link link_;
};

// --- steps

template <class Hook>
class AttachStep : public LifecycleStep {
 public:
  explicit AttachStep(Hook hook) : hook_(std::move(hook)) {}

  Result<void> perform() override { return hook_.attach(); }

  Result<void> after() override {
    if (Result<void> proven = hook_.prove(); !proven) return proven;
    hook_.detach();
    return hook_.prove();
  }

  std::vector<ProgramIdentity> programs() const override {
    std::vector<ProgramIdentity> programs;
    if (auto identity = identify_program(hook_.program_fd(), "subject")) {
      programs.push_back(*identity);
    }
    return programs;
  }

 protected:
  Hook hook_;
};

template <class Hook>
class DetachStep : public AttachStep<Hook> {
 public:
  using AttachStep<Hook>::AttachStep;

  Result<void> before() override {
    if (Result<void> attached = this->hook_.attach(); !attached) return attached;
    return this->hook_.prove();
  }
  Result<void> perform() override {
    this->hook_.detach();
    return {};
  }
  Result<void> after() override { return this->hook_.prove(); }
};

// The step of a hook that `make` makes.
template <class Hook>
StepMaker step_maker(bool attaches, std::function<Result<Hook>()> make) {
  return [attaches, make = std::move(make)]() -> Result<std::unique_ptr<LifecycleStep>> {
    Result<Hook> hook = make();
    if (!hook) return std::unexpected(hook.error());
    if (attaches) return std::make_unique<AttachStep<Hook>>(std::move(*hook));
    return std::make_unique<DetachStep<Hook>>(std::move(*hook));
  };
}

// --- in a network namespace

// Runs the batches of another load inside, each on a thread of its own.
class InsideLoad : public PairedLoad {
 public:
  InsideLoad(NetNs net_ns, std::unique_ptr<PairedLoad> inner)
      : net_ns_(std::move(net_ns)), inner_(std::move(inner)) {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    Batch batch;
    const Result<void> done = net_ns_.run([&]() -> Result<void> {
      const Result<Batch> measured = inner_->run(arm, ops);
      if (!measured) return std::unexpected(measured.error());
      batch = *measured;
      return {};
    });
    if (!done) return std::unexpected(done.error());
    return batch;
  }

  Result<void> finish(Findings& findings) override { return inner_->finish(findings); }
  std::vector<ProgramIdentity> programs() const override { return inner_->programs(); }

 private:
  NetNs net_ns_;
  std::unique_ptr<PairedLoad> inner_;
};

Result<std::unique_ptr<PairedLoad>> load_on_loopback(const DeviceKind& kind, bool attaches) {
  // A namespace with a socket that receives what another one sends.
  Result<std::unique_ptr<HookEvent>> event = find_hook_event("sk_lookup")->create();
  if (!event) return std::unexpected(event.error());
  Result<NetNs> net_ns = NetNs::of_descriptor((*event)->point().fd);
  if (!net_ns) return std::unexpected(net_ns.error());
  const std::shared_ptr<SystemCall> datagram = std::move(*event);
  Result<std::unique_ptr<PairedLoad>> inner = step_loader(step_maker<LoopbackHook>(
      attaches, [&kind, datagram] { return LoopbackHook::create(kind, datagram); }))();
  if (!inner) return inner;
  return std::make_unique<InsideLoad>(std::move(*net_ns), std::move(*inner));
}

ProbeResult probe_device(const DeviceKind& kind) {
  Result<std::unique_ptr<PairedLoad>> load = load_on_loopback(kind, true);
  Result<void> outcome;
  if (!load) {
    outcome = std::unexpected(load.error());
  } else if (const Result<Batch> once = (*load)->run(Arm::kSubject, 1); !once) {
    outcome = std::unexpected(once.error());
  }
  return classify(outcome, kind.first_kernel, "CONFIG_NET");
}

// --- cases

// Where one operation waits for tens of milliseconds, as few as an interval wants.
Plan plan_of(bool waits_long) {
  if (waits_long) return {.ops_per_batch = 1, .rounds = 1, .loads = 6, .waits = true};
  return {.ops_per_batch = 1, .rounds = 4, .loads = 8, .waits = true};
}

// What changes the kernel's code, or is let go of with grace periods; all others take microseconds.
bool waits_long(const AttachType& way) {
  static constexpr std::string_view kQuick[] = {"cgroup", "iterator", "perf_event", "sk_lookup",
                                                "sk_reuseport"};
  return std::ranges::find(kQuick, way.name) == std::end(kQuick);
}

Case case_of(bool attaches, std::string_view way) {
  const char* const name = attaches ? "attach" : "detach";
  Case made;
  made.name = fmt::format("lifecycle/op:{}/type:{}", name, way);
  made.question = fmt::format("What does it take to {} a program by {}?", name, way);
  made.floor = kClockFloor;
  made.needs = {"jit"};
  made.suite = way == "cgroup" ? Suite::kDefault : Suite::kFull;
  return made;
}

}  // namespace

void register_lifecycle_attach(Registry& registry, Capabilities& capabilities) {
  const std::vector<HookType> types = hook_types();
  for (const AttachType& way : attach_types()) {
    const auto first =
        std::ranges::find(types, &way, [](const HookType& type) { return type.attached.type; });
    if (first == types.end()) continue;
    AttachedCase attached = first->attached;
    attached.body = find_hook_body("counter");
    for (const bool attaches : {true, false}) {
      Case added = case_of(attaches, way.name);
      added.needs.push_back(fmt::format("attach_{}", way.name));
      added.needs.insert(added.needs.end(), first->needs.begin(), first->needs.end());
      added.plan = plan_of(waits_long(way));
      added.load = step_loader(
          step_maker<LiveHook>(attaches, [attached] { return LiveHook::create(attached); }));
      registry.add(std::move(added));
    }
  }
  for (const DeviceKind& kind : kDeviceKinds) {
    const std::string capability = fmt::format("attach_{}", kind.name);
    capabilities.add(
        {capability,
         fmt::format("attach a program by {} to a loopback device, and see it run", kind.name),
         [&kind] { return probe_device(kind); }});
    for (const bool attaches : {true, false}) {
      Case added = case_of(attaches, kind.name);
      added.needs.push_back(capability);
      added.plan = plan_of(true);
      added.load = [&kind, attaches] { return load_on_loopback(kind, attaches); };
      registry.add(std::move(added));
    }
  }
}

}  // namespace bpfmark
