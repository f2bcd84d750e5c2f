// SPDX-License-Identifier: BSD-2-Clause
// Measures:         Table 3 of the paper doi 10.1145/3749216: one lookup of one constant key in a
// table
//                   with one entry of 256 bytes, and a store to byte 127 of it, 100,000 times.
// Timed region:     the loop inside the program, bpf_ktime_get_ns() around it. real_time includes
// loop
//                   and store, as the paper's numbers do; net_ns is the lookup alone.
// Floor:            the same loop and store on an object on the stack; for that control itself
//                   (map:stack, which the paper measured but did not print) the empty loop.
// Does not measure: anything but the hottest possible case: one entry, one key, always in L1.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include <bpf/bpf.h>

#include "benchmarks/families.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/map_lookup.h"
#include "fixtures/skeleton.h"
#include "harness/in_kernel_batch.h"
#include "harness/map_type.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"
#include "map_lookup.skel.h"

namespace bpfmark {
namespace {

constexpr std::uint64_t kPaperRepetitions = 100'000;

// `type` is null for the control on the stack.
struct Table3Case {
  const MapType* type = nullptr;
  std::uint32_t key_bytes = 4;
};

class Table3Load : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const Table3Case& c);

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    const InKernelBatch& batch = arm == Arm::kSubject ? subject_ : floor_;
    const Result<Batch> done = batch.run(ops);
    if (!done) return done;
    // The byte that the last pass stored; a store that went into a map is looked for in finish().
    const bool stores_on_stack = (arm == Arm::kSubject) == control_;
    last_stored_ = static_cast<std::uint8_t>(ops - 1);
    const ExpectedCounts expected = {.hits = ops, .sum = stores_on_stack ? last_stored_ : 0u};
    if (Result<void> right = check_counts(batch.result(), expected); !right) {
      return std::unexpected(right.error());
    }
    return done;
  }

  Result<void> finish(Findings& /*findings*/) override {
    if (control_) return {};
    const std::vector<std::uint8_t> key(BPFMARK_TABLE3_MAX_KEY_BYTES, 0);
    const int copies = std::max(1, libbpf_num_possible_cpus());
    std::vector<std::uint8_t> values(static_cast<std::size_t>(copies) * BPFMARK_TABLE3_VALUE_BYTES,
                                     0);
    const int fd = bpf_map__fd(skeleton_->maps.one_entry);
    if (const int err = bpf_map_lookup_elem(fd, key.data(), values.data()); err != 0) {
      return system_error(-err, "read the entry back");
    }
    for (std::size_t i = BPFMARK_TABLE3_STORED_BYTE; i < values.size();
         i += BPFMARK_TABLE3_VALUE_BYTES) {
      if (values[i] == last_stored_) return {};
    }
    return wrong_result("the last byte stored is not in the map");
  }

  std::vector<ProgramIdentity> programs() const override { return programs_; }

 private:
  Table3Load(Skeleton<map_lookup_bpf> skeleton, const bpf_program* subject,
             const bpf_program* floor, bool control)
      : skeleton_(std::move(skeleton)),
        control_(control),
        subject_(bpf_program__fd(subject), find_program_type("tc")->input(),
                 skeleton_->bss->request, skeleton_->bss->result),
        floor_(bpf_program__fd(floor), find_program_type("tc")->input(), skeleton_->bss->request,
               skeleton_->bss->result),
        programs_(identify_pair(bpf_program__fd(subject), bpf_program__fd(floor))) {}

  Skeleton<map_lookup_bpf> skeleton_;
  bool control_;
  std::uint8_t last_stored_ = 0;
  InKernelBatch subject_;
  InKernelBatch floor_;
  std::vector<ProgramIdentity> programs_;
};

Result<std::unique_ptr<PairedLoad>> Table3Load::create(const Table3Case& c) {
  auto skeleton = Skeleton<map_lookup_bpf>::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  auto& programs = (*skeleton)->progs;
  const bool control = c.type == nullptr;
  const bpf_program* const subject = control ? programs.t3_stack : programs.t3_lookup;
  const bpf_program* const floor = control ? programs.t3_empty : programs.t3_stack;
  skeleton->select({subject, floor});
  bpf_map* const table = (*skeleton)->maps.one_entry;
  if (!control) {
    bpf_map__set_type(table, c.type->type);
    bpf_map__set_key_size(table, c.key_bytes);
  }
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  if (!control) {
    const std::vector<std::uint8_t> key(c.key_bytes, 0);
    const int copies = std::max(1, libbpf_num_possible_cpus());
    const std::vector<std::uint8_t> values(
        static_cast<std::size_t>(copies) * BPFMARK_TABLE3_VALUE_BYTES, 0);
    if (const int err = bpf_map_update_elem(bpf_map__fd(table), key.data(), values.data(), BPF_ANY);
        err != 0) {
      return system_error(-err, "set the entry");
    }
  }
  return std::unique_ptr<PairedLoad>(new Table3Load(std::move(*skeleton), subject, floor, control));
}

void register_case(Registry& registry, const Table3Case& c) {
  const bool control = c.type == nullptr;
  const bool shown = control || (c.key_bytes == 4 && !c.type->per_cpu);
  Case added = {
      .name = control
                  ? "map_lookup_table3/map:stack"
                  : fmt::format("map_lookup_table3/map:{}/key_bytes:{}", c.type->name, c.key_bytes),
      .question = control
                      ? "What does the loop and store of Table 3 cost without any map?"
                      : fmt::format("Table 3 of doi 10.1145/3749216: {}, {}-byte key, one entry",
                                    c.type->name, c.key_bytes),
      .floor = control ? "the empty loop" : "the same loop and store on the stack",
      .needs = {"test_run_tc", "loop_bpf_loop", "jit"},
      .suite = shown ? Suite::kDefault : Suite::kFull,
      .plan = {.ops_per_batch = kPaperRepetitions, .rounds = 4, .loads = 12},
      .load = [c] { return Table3Load::create(c); }};
  if (!control) added.needs.push_back(fmt::format("map_{}", c.type->name));
  registry.add(std::move(added));
}

}  // namespace

void register_map_lookup_table3(Registry& registry) {
  register_case(registry, {});
  for (const MapType& type : map_types()) {
    const bool array = type.type == BPF_MAP_TYPE_ARRAY || type.type == BPF_MAP_TYPE_PERCPU_ARRAY;
    for (const std::uint32_t key_bytes : {4u, 8u, 16u, 32u}) {
      if (!array || key_bytes == 4) register_case(registry, {&type, key_bytes});
    }
  }
}

}  // namespace bpfmark
