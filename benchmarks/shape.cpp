// SPDX-License-Identifier: BSD-2-Clause
// Measures:         the shapes that the verifier asks of code. bound_check: reading a byte of an
//                   array whose index is in bounds by its type, by a comparison, by a mask.
//                   scratch: getting at an object of 256 bytes on the stack, in a map, in a global,
//                   cleared or not. loop: a whole inner loop, its start and end included.
// Timed region:     a batch inside a TC program.
// Floor:            the same loop without the byte, without the object, without the inner loop.
// Does not measure: what one pass of a long loop costs (that is clock/loop); cold memory.
#include <fmt/format.h>

#include <numeric>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/shape.h"
#include "harness/program_type.h"
#include "shape.skel.h"

namespace bpfmark {
namespace {

TwinPrograms tc_programs(const char* subject, const char* floor) {
  return {subject, floor, find_program_type("tc")->input()};
}

// --- bound_check

// The stream visits every byte of the array once, in an order with long steps.
std::uint64_t index_at(std::uint64_t place) { return (place * 37) % BPFMARK_ARRAY_BYTES; }
std::uint64_t byte_at(std::uint64_t index) { return (index * 7 + 3) % 256; }

// Of whole rounds of the stream.
ResultCheck rounds_add_up_to(std::uint64_t sum_of_round) {
  return [=](const bpfmark_batch_result& result) {
    return check_counts(
        result, {.hits = result.ops, .sum = result.ops / BPFMARK_ARRAY_BYTES * sum_of_round});
  };
}

struct BoundCase {
  const char* by;
  const char* what;
  const char* program;
  const char* floor;
  Suite suite;
};

constexpr BoundCase kBoundCases[] = {
    {"type", "the type of its index", "bound_type", "bound_f_type", Suite::kFull},
    {"compare", "a comparison", "bound_compare", "bound_f_check", Suite::kDefault},
    {"mask", "a mask", "bound_mask", "bound_f_check", Suite::kFull},
};

Result<std::unique_ptr<PairedLoad>> load_bound(const BoundCase& c) {
  return load_twin<shape_bpf>(
      tc_programs(c.program, c.floor), nullptr, [](shape_bpf& object) -> Result<TwinChecks> {
        std::uint64_t indices = 0, bytes = 0;
        for (std::uint64_t place = 0; place < BPFMARK_ARRAY_BYTES; ++place) {
          const std::uint64_t index = index_at(place);
          object.bss->narrow[place] = static_cast<__u8>(index);
          object.bss->wide[place] = static_cast<__u16>(index);
          object.bss->array[index] = static_cast<__u8>(byte_at(index));
          indices += index;
          bytes += byte_at(index);
        }
        return TwinChecks{.subject = rounds_add_up_to(bytes), .floor = rounds_add_up_to(indices)};
      });
}

// --- scratch

struct ScratchCase {
  const char* where;
  bool zeroed;
  const char* program;
  Suite suite;
};

constexpr ScratchCase kScratchCases[] = {
    {"stack", false, "scr_stack", Suite::kFull},
    {"stack", true, "scr_stack_z", Suite::kDefault},
    {"array", false, "scr_array", Suite::kFull},
    {"array", true, "scr_array_z", Suite::kFull},
    {"percpu_array", false, "scr_percpu", Suite::kDefault},
    {"percpu_array", true, "scr_percpu_z", Suite::kFull},
    {"global", false, "scr_global", Suite::kFull},
    {"global", true, "scr_global_z", Suite::kFull},
};

Result<TwinChecks> every_object_works(shape_bpf& /*object*/) {
  return TwinChecks{.subject = every_operation_finds(1), .floor = every_operation_finds(1)};
}

// --- loop

struct LoopCase {
  const char* by;
  const char* what;
  const char* program;
  const char* capability;
  std::vector<std::uint32_t> passes;
};

const LoopCase kLoopCases[] = {
    {"unrolled", "code without a loop", "in_unrolled", "jit", {64}},
    {"bounded", "a bounded for", "in_bounded", "loop_bounded", {1, 64}},
    {"iter_num", "the open-coded iterator", "in_iter_num", "loop_iter_num", {1, 64}},
    {"may_goto", "may_goto", "in_may_goto", "loop_may_goto", {1, 64}},
    {"bpf_loop", "bpf_loop()", "in_bpf_loop", "loop_bpf_loop", {1, 64}},
};

Result<std::unique_ptr<PairedLoad>> load_loop(const LoopCase& c, std::uint32_t passes) {
  return load_twin<shape_bpf>(
      tc_programs(c.program, "in_floor"),
      [passes](shape_bpf& object) { object.rodata->inner = passes; },
      [passes](shape_bpf& /*object*/) -> Result<TwinChecks> {
        return TwinChecks{.subject = every_operation_finds(passes),
                          .floor = every_operation_finds(passes)};
      });
}

const std::vector<std::string> kNeeds = {"test_run_tc", "loop_bpf_loop", "jit"};

}  // namespace

void register_bound_check(Registry& registry) {
  for (const BoundCase& c : kBoundCases) {
    registry.add(
        {.name = fmt::format("bound_check/by:{}", c.by),
         .question = fmt::format("What does a byte cost whose index is in bounds by {}?", c.what),
         .floor = "the same loop with the index in place of the byte",
         .needs = kNeeds,
         .suite = c.suite,
         .plan = {.ops_per_batch = 32768, .rounds = 40, .loads = 12},
         .load = [&c] { return load_bound(c); }});
  }
}

void register_scratch(Registry& registry) {
  for (const ScratchCase& c : kScratchCases) {
    registry.add(
        {.name = fmt::format("scratch/where:{}/bytes:{}/zeroed:{}", c.where, BPFMARK_OBJECT_BYTES,
                             c.zeroed ? "yes" : "no"),
         .question = fmt::format("What does an object of {} bytes cost ({}{})?",
                                 BPFMARK_OBJECT_BYTES, c.where, c.zeroed ? ", cleared" : ""),
         .floor = "the same loop without the object",
         .needs = kNeeds,
         .suite = c.suite,
         .plan = plan_for(c.zeroed ? 12 : 2),
         .load = [&c] {
           return load_twin<shape_bpf>(tc_programs(c.program, "scratch_floor"), nullptr,
                                       every_object_works);
         }});
  }
}

void register_loop(Registry& registry) {
  for (const LoopCase& c : kLoopCases) {
    for (const std::uint32_t passes : c.passes) {
      std::vector<std::string> needs = kNeeds;
      needs.emplace_back(c.capability);
      registry.add({.name = fmt::format("loop/by:{}/passes:{}", c.by, passes),
                    .question = fmt::format("What do {} passes by {} cost, start and end included?",
                                            passes, c.what),
                    .floor = "the same loop, which adds up the passes at once",
                    .needs = std::move(needs),
                    .suite = Suite::kFull,
                    .plan = plan_for(passes == 1 ? 8 : 120),
                    .load = [&c, passes] { return load_loop(c, passes); }});
    }
  }
}

}  // namespace bpfmark
