// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/attached_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "benchmarks/foreign.h"
#include "fixtures/bpf_stats.h"
#include "fixtures/foreign_programs.h"
#include "harness/program_identity.h"

namespace bpfmark {
namespace {

class AttachedLoad : public PairedLoad {
 public:
  AttachedLoad(const AttachedCase& attached, std::unique_ptr<HookDriver> driver, BodyProgram body)
      : case_(attached), driver_(std::move(driver)), body_(std::move(body)) {
    // Where nobody else passes, whoever runs the program does so for us: packets may be handled by
    // a thread of the kernel.
    gate_ = Gate(&body_.filter(), {.tgid = driver_->tgid(), .mask = case_.ours_alone ? 0 : ~0ULL});
  }

  Result<void> prepare(Arm arm) override {
    const bool wanted = arm == Arm::kSubject || case_.stays_attached;
    if (wanted == static_cast<bool>(attachment_)) return {};
    attachment_ = Attachment();
    if (wanted) {
      Result<Attachment> attachment = attach(body_.program(), *case_.type, driver_->point());
      if (!attachment) return std::unexpected(attachment.error());
      attachment_ = std::move(*attachment);
    }
    const Result<Batch> warm = run(arm, case_.warm_up_ops);
    if (!warm) return std::unexpected(warm.error());
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    const Result<Batch> batch =
        driver_->run({.arm = arm, .ops = ops, .gate = gate_, .link_fd = attachment_.link_fd()});
    if (!batch) return batch;
    const Result<std::optional<std::uint64_t>> runs = body_.take_runs();
    if (!runs) return std::unexpected(runs.error());
    if (!*runs) return batch;
    if (arm == Arm::kFloor || !case_.passed) {
      if (**runs == 0) return batch;
      return wrong_result(fmt::format("the program ran {} times where it was not to", **runs));
    }
    if (Result<void> right = driver_->check_runs(ops * case_.runs_per_op, *batch, **runs); !right) {
      return std::unexpected(right.error());
    }
    runs_ += **runs;
    ops_ += ops;
    return batch;
  }

  Result<void> finish(Findings& findings) override {
    if (Result<void> attached = prepare(Arm::kSubject); !attached) return attached;
    if (Result<void> proven = prove_runs(); !proven) return proven;
    if (body_.drops() > 0) findings.counters["lost"] += static_cast<double>(body_.drops());
    if (runs_ != ops_) {
      findings.counters["runs_per_op"] = static_cast<double>(runs_) / static_cast<double>(ops_);
    }
    driver_->report(findings);
    return name_others(findings);
  }

  std::vector<ProgramIdentity> programs() const override {
    std::vector<ProgramIdentity> programs;
    if (auto identity = identify_program(body_.fd(), "subject")) programs.push_back(*identity);
    return programs;
  }

 private:
  // The kernel's own count of the runs, for the empty body too. Where others pass the hook as well
  // it may have counted theirs: it must not be less then, and not once more for every operation in
  // every try. All system calls of the machine pass sys_enter, also ours around the batch: there
  // the bodies that count have to prove that it is not more.
  Result<void> prove_runs() {
    if (!case_.passed) return {};
    constexpr int kTries = 16;
    const Result<BpfStats> stats = BpfStats::enable();
    if (!stats) return std::unexpected(stats.error());
    std::uint64_t fewest = ~0ULL;
    Batch of_fewest;
    const std::uint64_t expected = case_.warm_up_ops * case_.runs_per_op;
    for (int i = 0; i < (case_.ours_alone ? 1 : kTries) && fewest > expected; ++i) {
      const Result<std::uint64_t> before = program_run_count(body_.fd());
      if (!before) return std::unexpected(before.error());
      const Result<Batch> batch = run(Arm::kSubject, case_.warm_up_ops);
      if (!batch) return std::unexpected(batch.error());
      const Result<std::uint64_t> after = program_run_count(body_.fd());
      if (!after) return std::unexpected(after.error());
      if (*after - *before < fewest) {
        fewest = *after - *before;
        of_fewest = *batch;
      }
    }
    const bool everybody = driver_->point().event == "sys_enter";
    if (!case_.ours_alone && fewest > expected && (everybody || fewest < 2 * expected)) {
      fewest = expected;
    }
    return driver_->check_runs(expected, of_fewest, fewest);
  }

  Result<void> name_others(Findings& findings) {
    const Result<std::uint32_t> own = program_id(body_.fd());
    if (!own) return std::unexpected(own.error());
    return add_foreign_programs(foreign_programs(*case_.type, driver_->point(), *own), findings);
  }

  AttachedCase case_;
  std::unique_ptr<HookDriver> driver_;
  BodyProgram body_;
  Gate gate_;
  Attachment attachment_;
  std::uint64_t runs_ = 0;
  std::uint64_t ops_ = 0;
};

class BareLoad : public PairedLoad {
 public:
  explicit BareLoad(std::unique_ptr<HookDriver> driver) : driver_(std::move(driver)) {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    return driver_->run({.arm = arm, .ops = ops, .gate = Gate(), .link_fd = -1});
  }

 private:
  std::unique_ptr<HookDriver> driver_;
};

}  // namespace

Result<BodyProgram> load_body(const AttachedCase& attached, const HookDriver& driver) {
  return BodyProgram::load({.body = attached.body,
                            .type = attached.type,
                            .point = driver.point(),
                            .verdict = attached.verdict,
                            .user_stack = attached.user_stack,
                            .ours_alone = attached.ours_alone});
}

Result<std::unique_ptr<PairedLoad>> load_attached(const AttachedCase& attached) {
  Result<std::unique_ptr<HookDriver>> driver = attached.driver();
  if (!driver) return std::unexpected(driver.error());
  Result<BodyProgram> body = load_body(attached, **driver);
  if (!body) return std::unexpected(body.error());
  return std::make_unique<AttachedLoad>(attached, std::move(*driver), std::move(*body));
}

Result<std::unique_ptr<PairedLoad>> load_bare(const DriverMaker& driver) {
  Result<std::unique_ptr<HookDriver>> made = driver();
  if (!made) return std::unexpected(made.error());
  return std::make_unique<BareLoad>(std::move(*made));
}

ProbeResult probe_attachment(const AttachedCase& attached) {
  Result<void> outcome;
  if (Result<std::unique_ptr<PairedLoad>> load = load_attached(attached); !load) {
    outcome = std::unexpected(load.error());
  } else {
    outcome = (*load)->prepare(Arm::kSubject);
  }
  const std::string config(attached.type->config);
  if (!outcome && is_skip(outcome.error().kind)) {
    return {support_of(outcome.error().kind), outcome.error().what, outcome.error().remedy};
  }
  if (!outcome && outcome.error().kind == ErrorKind::kWrongResult) {
    // A kernel takes LSM programs, and never calls them, where it was not started with them. A
    // wrong count elsewhere is no lack: it is for the cases to fail with.
    if (attached.type->name != "lsm") return {Support::kSupported, "", ""};
    return {Support::kAbsent, outcome.error().what, "start the kernel with bpf in lsm="};
  }
  return classify(outcome, std::string(attached.type->first_kernel), config);
}

}  // namespace bpfmark
