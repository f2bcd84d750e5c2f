// SPDX-License-Identifier: BSD-2-Clause
// Measures:         ending a program: by return after some work, by an exception (bpf_throw()), by
//                   bpf_die_kfunc() where a kernel has it; at some depth of calls, after some work.
// Timed region:     a test-run that repeats an entry into a TC program, by the clock of user space.
// Floor:            for return an entry that does nothing; for all else the return from the same
//                   place after the same work.
// Does not measure: what becomes of resources that a program holds; the patching of a program that
//                   was killed for good.
#include <fmt/format.h>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/entry.h"
#include "exit.skel.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

struct ExitKind {
  const char* name;
  const char* what;
  std::uint32_t verdict;
  const char* first_kernel;
};

// bpf_die_kfunc() ends a program with the verdict 0; no release of the kernel has it.
constexpr ExitKind kReturn = {"return", "a return", BPFMARK_WENT_WELL, "4.16"};
constexpr ExitKind kThrow = {"throw", "bpf_throw()", BPFMARK_THROWN, "6.7"};
constexpr ExitKind kDie = {"die", "bpf_die_kfunc()", 0, ""};

// Where the end comes: from the program itself or from functions called by it, after passes of
// work.
struct Place {
  std::uint32_t depth;
  std::uint32_t work;
};

EntryArm arm_of(const Skeleton<exit_bpf>& skeleton, const std::string& program,
                std::uint32_t verdict, std::uint32_t work) {
  const auto* const bss = skeleton->bss;
  return {TestRun(program_fd(skeleton, program), find_program_type("tc")->input()),
          verdict,
          {{"entries", &bss->entered, 1},
           {"passes of work", &bss->worked, work},
           {"entries that went on", &bss->survived, 0}}};
}

std::string program_name(const ExitKind& kind, const Place& place) {
  return fmt::format("exit_{}_{}", kind.name, place.depth);
}

Result<std::unique_ptr<PairedLoad>> load_exit(const ExitKind& kind, const Place& place) {
  const bool plain = &kind == &kReturn;
  const std::string subject = program_name(kind, place);
  const std::string floor = plain ? "exit_empty" : program_name(kReturn, place);
  auto opened = open_programs<exit_bpf>({subject, floor});
  if (!opened) return std::unexpected(opened.error());
  const auto skeleton = std::make_shared<Skeleton<exit_bpf>>(std::move(*opened));
  (*skeleton)->rodata->work = place.work;
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return std::make_unique<EntryTwinLoad>(
      skeleton, arm_of(*skeleton, subject, kind.verdict, place.work),
      arm_of(*skeleton, floor, BPFMARK_WENT_WELL, plain ? 0 : place.work),
      identify_pair(program_fd(*skeleton, subject), program_fd(*skeleton, floor)));
}

void add_exit(Registry& registry, const ExitKind& kind, const Place& place) {
  const bool throws = &kind == &kThrow;
  registry.add(
      {.name = fmt::format("exit/by:{}/depth:{}/work:{}", kind.name, place.depth, place.work),
       .question = fmt::format("What does {} cost, {} functions deep after {} passes of work?",
                               kind.what, place.depth, place.work),
       .floor = &kind == &kReturn ? "an entry that does nothing"
                                  : "the return from the same place after the same work",
       .needs = {"test_run_tc", fmt::format("exit_{}", kind.name), "jit"},
       .suite = throws && place.work == 0 && place.depth != 4 ? Suite::kDefault : Suite::kFull,
       .plan = plan_for(30 + (throws ? 300 : 0) + place.work / 2),
       .load = [&kind, place] { return load_exit(kind, place); }});
}

}  // namespace

void register_exit(Registry& registry, Capabilities& capabilities) {
  for (const ExitKind* kind : {&kReturn, &kThrow, &kDie}) {
    capabilities.add({fmt::format("exit_{}", kind->name),
                      fmt::format("load a program that ends by {}", kind->what), [kind] {
                        return probe_program<exit_bpf>(program_name(*kind, {1, 0}),
                                                       kind->first_kernel);
                      }});
  }
  for (const Place& place :
       {Place{4, 0}, Place{8, 0}, Place{1, 1000}, Place{1, BPFMARK_WORK_MAX}}) {
    add_exit(registry, kReturn, place);
  }
  for (const Place& place :
       {Place{1, 0}, Place{4, 0}, Place{8, 0}, Place{1, 1000}, Place{1, BPFMARK_WORK_MAX}}) {
    add_exit(registry, kThrow, place);
  }
  for (const Place& place : {Place{1, 0}, Place{1, 1000}}) add_exit(registry, kDie, place);
}

}  // namespace bpfmark
