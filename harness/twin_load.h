// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/in_kernel_batch.h"
#include "harness/paired.h"

namespace bpfmark {

// Judges what a batch left behind; the number of operations is right already. Errors: kWrongResult.
using ResultCheck = std::function<Result<void>(const bpfmark_batch_result&)>;

// Every operation is a hit and found `value`.
ResultCheck every_operation_finds(std::uint64_t value);

// Every operation is a hit, whatever it found.
ResultCheck every_operation_hits();

// A program with its loop inside, and the judge of its batches.
struct TwinArm {
  InKernelBatch batch;
  ResultCheck check;
};

// Two arms of one kind, each with a program.
template <class ProgramArm>
class ProgramPairLoad : public PairedLoad {
 public:
  // `owner` keeps alive what the arms refer to.
  ProgramPairLoad(std::shared_ptr<void> owner, ProgramArm subject, ProgramArm floor,
                  std::vector<ProgramIdentity> programs)
      : owner_(std::move(owner)),
        subject_(std::move(subject)),
        floor_(std::move(floor)),
        programs_(std::move(programs)) {}

  std::vector<ProgramIdentity> programs() const override { return programs_; }

 protected:
  const ProgramArm& of(Arm arm) const { return arm == Arm::kSubject ? subject_ : floor_; }

 private:
  std::shared_ptr<void> owner_;
  ProgramArm subject_;
  ProgramArm floor_;
  std::vector<ProgramIdentity> programs_;
};

// A subject and its floor twin, both with the loop in the kernel.
class TwinLoad : public ProgramPairLoad<TwinArm> {
 public:
  using ProgramPairLoad::ProgramPairLoad;
  Result<Batch> run(Arm arm, std::uint64_t ops) override;
};

// A counter that programs add to, and how much one entry into the program must add.
struct EntryCounter {
  const char* what;  // "links"
  const volatile __u64* count;
  std::uint64_t per_entry;
};

// A program that an operation enters once.
struct EntryArm {
  TestRun run;
  std::uint32_t verdict = 0;
  std::vector<EntryCounter> counters;
};

// A subject and its floor, entered by one test-run that repeats: for what cannot be done in a loop
// inside of a program, because it leaves the program. Both arms pay for the entry. The clock is
// that of user space around the call.
class EntryTwinLoad : public ProgramPairLoad<EntryArm> {
 public:
  using ProgramPairLoad::ProgramPairLoad;
  Result<Batch> run(Arm arm, std::uint64_t ops) override;
};

// A loop in user space: does `ops` operations and adds up what they found.
struct HostArm {
  std::function<std::uint64_t(std::uint64_t ops)> loop;
  std::uint64_t value = 0;  // that every operation must find
};

// A subject and its floor in user space, by its clock.
class HostTwinLoad : public PairedLoad {
 public:
  // `check` is called after every batch of the subject, outside of its clock; `counters` go into
  // the row.
  HostTwinLoad(HostArm subject, HostArm floor, std::function<Result<void>()> check,
               std::map<std::string, double> counters)
      : subject_(std::move(subject)),
        floor_(std::move(floor)),
        check_(std::move(check)),
        counters_(std::move(counters)) {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override;
  Result<void> finish(Findings& findings) override;

 private:
  HostArm subject_;
  HostArm floor_;
  std::function<Result<void>()> check_;
  std::map<std::string, double> counters_;
};

}  // namespace bpfmark
