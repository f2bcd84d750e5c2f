// SPDX-License-Identifier: BSD-2-Clause
// Measures:         a skeleton of libbpf with two programs and three maps: open, load, throw away.
// Timed region:     object_open: reading the object that is embedded in the program. object_load:
//                   maps, types, relocation, both programs. object_close: until all is let go of.
// Floor:            two readings of the clock.
// Does not measure: libbpf's look at what the kernel can do, which it takes once in a process.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <memory>
#include <optional>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/lifecycle_step.h"
#include "fixtures/foreign_programs.h"
#include "fixtures/skeleton.h"
#include "harness/program_identity.h"
#include "lifecycle.skel.h"

namespace bpfmark {
namespace {

using Object = Skeleton<lifecycle_bpf>;

// The steps of a life; each case times one of them and does the others outside of the clock.
class ObjectStep : public LifecycleStep {
 public:
  Result<void> after() override {
    object_.reset();
    return {};
  }

 protected:
  Result<void> open() {
    Result<Object> opened = Object::open();
    if (!opened) return std::unexpected(opened.error());
    object_.emplace(std::move(*opened));
    return {};
  }

  std::optional<Object> object_;
};

class OpenStep : public ObjectStep {
 public:
  Result<void> perform() override { return open(); }

  // Both programs are there, and nothing is in the kernel yet.
  Result<void> after() override {
    const auto& programs = (*object_)->progs;
    if (programs.lifecycle_count == nullptr || programs.lifecycle_send == nullptr ||
        bpf_map__fd((*object_)->maps.calls) >= 0) {
      return wrong_result("an object that was opened does not hold two programs, not loaded");
    }
    return ObjectStep::after();
  }
};

class LoadObjectStep : public ObjectStep {
 public:
  Result<void> before() override { return open(); }
  Result<void> perform() override { return object_->load(); }

  // The kernel knows both programs and the maps.
  Result<void> after() override {
    const auto& programs = (*object_)->progs;
    for (const bpf_program* const program : {programs.lifecycle_count, programs.lifecycle_send}) {
      Result<ProgramIdentity> identity = identify_program(bpf_program__fd(program), "subject");
      if (!identity) return std::unexpected(identity.error());
      if (program == programs.lifecycle_send) identity_ = std::move(*identity);
    }
    for (const bpf_map* const map : {(*object_)->maps.calls, (*object_)->maps.events}) {
      if (bpf_map__fd(map) < 0) return wrong_result("a map of the object was not created");
    }
    return ObjectStep::after();
  }

  std::vector<ProgramIdentity> programs() const override { return {identity_}; }

 private:
  ProgramIdentity identity_;
};

class CloseStep : public ObjectStep {
 public:
  Result<void> before() override {
    if (Result<void> opened = open(); !opened) return opened;
    if (Result<void> loaded = object_->load(); !loaded) return loaded;
    const auto id = program_id(bpf_program__fd((*object_)->progs.lifecycle_send));
    if (!id) return std::unexpected(id.error());
    id_ = *id;
    return {};
  }
  Result<void> perform() override { return ObjectStep::after(); }
  Result<void> after() override { return check_gone(bpf_prog_get_fd_by_id(id_), "program"); }

 private:
  std::uint32_t id_ = 0;
};

template <class Step>
Result<std::unique_ptr<LifecycleStep>> make_step() {
  return std::make_unique<Step>();
}

}  // namespace

void register_lifecycle_object(Registry& registry) {
  struct Operation {
    const char* name;
    const char* what;
    Result<std::unique_ptr<LifecycleStep>> (*step)();
    Suite suite;
  };
  constexpr Operation kOperations[] = {
      {"object_open", "open", make_step<OpenStep>, Suite::kDefault},
      {"object_load", "load", make_step<LoadObjectStep>, Suite::kDefault},
      {"object_close", "throw away", make_step<CloseStep>, Suite::kFull},
  };
  for (const Operation& operation : kOperations) {
    registry.add({.name = fmt::format("lifecycle/op:{}", operation.name),
                  .question = fmt::format(
                      "What does it take to {} a skeleton with two programs and three maps?",
                      operation.what),
                  .floor = kClockFloor,
                  .needs = {"prog_load", "map_ringbuf", "map_hash", "jit"},
                  .suite = operation.suite,
                  .plan = {.ops_per_batch = 2, .rounds = 8, .loads = 12},
                  .load = step_loader(operation.step)});
  }
}

}  // namespace bpfmark
