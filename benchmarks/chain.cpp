// SPDX-License-Identifier: BSD-2-Clause
// Measures:         getting from one piece of code to the next: functions, tail calls, a replaced
//                   function, kernel functions. One operation is a chain of `depth` links; the cost
//                   of a link is net / depth.
// Timed region:     a test-run that repeats an entry into a TC program, by the clock of user space;
//                   a chain of tail calls never comes back to a loop inside of the program.
// Floor:            an entry that does the work of as many links without leaving (for inline: an
//                   empty entry).
// Does not measure: retpolines are the kernel's own choice (see the mitigations in the result's
//                   identity). Functions nest at most 8 deep; tail calls at most 33. Kernel
//                   functions cannot call the next link: the entry calls them one after another.
#include <fmt/format.h>

#include <cerrno>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/entry.h"
#include "chain.skel.h"
#include "fixtures/libbpf_log.h"
#include "fixtures/link.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using ChainSkeleton = Skeleton<chain_bpf>;

struct ChainKind {
  const char* name;
  const char* what;
  const char* subject;  // "{}" is the depth
  const char* floor;
  const char* link;  // the program that is tail called; null: none
  const char* first_kernel;
  std::vector<std::uint32_t> depths;
};

const ChainKind kKinds[] = {
    {"inline",
     "links of inline code",
     "chain_inline_{}",
     "chain_empty",
     nullptr,
     "4.12",
     {1, 8, 32}},
    {"static",
     "nested calls of static functions",
     "chain_static_{}",
     "chain_inline_{}",
     nullptr,
     "4.16",
     {1, 2, 4, 7}},
    {"global",
     "nested calls of global functions",
     "chain_global_{}",
     "chain_inline_{}",
     nullptr,
     "5.6",
     {1, 2, 4, 7}},
    {"tail_call_constant",
     "tail calls to a constant index",
     "chain_tail_con",
     "chain_tail_floor",
     "link_tail_con",
     "4.12",
     {1, 2, 4, 8, 16, 32}},
    {"tail_call_dynamic",
     "tail calls to an index that is not constant",
     "chain_tail_dyn",
     "chain_tail_floor",
     "link_tail_dyn",
     "4.12",
     {1, 2, 4, 8, 16, 32}},
    {"kfunc",
     "calls of a kernel function",
     "chain_kfunc_{}",
     "kfunc_floor_{}",
     nullptr,
     "6.4",
     {1, 4, 8, 32}},
};

std::string at_depth(const char* pattern, std::uint32_t depth) {
  return fmt::format(fmt::runtime(pattern), depth);
}

EntryArm arm_of(const ChainSkeleton& skeleton, const std::string& program, const __u64* links,
                std::uint64_t links_per_entry) {
  return {TestRun(program_fd(skeleton, program), find_program_type("tc")->input()),
          BPFMARK_WENT_WELL,
          {{"links", links, links_per_entry}}};
}

Result<std::unique_ptr<PairedLoad>> load_chain(const ChainKind& kind, std::uint32_t depth) {
  const std::string subject = at_depth(kind.subject, depth), floor = at_depth(kind.floor, depth);
  std::vector<std::string> names = {subject, floor};
  if (kind.link != nullptr) names.emplace_back(kind.link);
  auto opened = open_programs<chain_bpf>(names);
  if (!opened) return std::unexpected(opened.error());
  const auto skeleton = std::make_shared<ChainSkeleton>(std::move(*opened));
  (*skeleton)->rodata->depth = depth;
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  if (kind.link != nullptr) {
    const __u32 slot = 0;
    const int link_fd = program_fd(*skeleton, kind.link);
    const int err = bpf_map__update_elem((*skeleton)->maps.next, &slot, sizeof(slot), &link_fd,
                                         sizeof(link_fd), BPF_ANY);
    if (err != 0) return system_error(-err, "put a program into the table for tail calls");
  }
  const __u64* const links = &(*skeleton)->bss->links;
  const bool empty_floor = floor == "chain_empty";
  return std::make_unique<EntryTwinLoad>(
      skeleton, arm_of(*skeleton, subject, links, depth),
      arm_of(*skeleton, floor, links, empty_floor ? 0 : depth),
      identify_pair(program_fd(*skeleton, subject), program_fd(*skeleton, floor)));
}

// --- a function whose place another program takes

struct Replaced {
  ChainSkeleton target;
  ChainSkeleton replacement;  // with a counter of its own
  Link link;
};

Result<std::unique_ptr<PairedLoad>> load_freplace() {
  const std::string entry = "chain_freplace", floor = "chain_inline_1";
  auto target = open_programs<chain_bpf>({entry, floor});
  if (!target) return std::unexpected(target.error());
  if (Result<void> loaded = target->load(); !loaded) return std::unexpected(loaded.error());
  const int target_fd = program_fd(*target, entry);
  auto replacement = open_programs<chain_bpf>({"replacement"});
  if (!replacement) return std::unexpected(replacement.error());
  bpf_program* const program = (*replacement)->progs.replacement;
  if (const int err = bpf_program__set_attach_target(program, target_fd, "replaced"); err != 0) {
    return system_error(-err, "choose the function to replace");
  }
  if (Result<void> loaded = replacement->load(); !loaded) return std::unexpected(loaded.error());
  Link link(bpf_program__attach_freplace(program, target_fd, "replaced"));
  if (!link) return system_error(errno, "replace a function");
  const auto all =
      std::make_shared<Replaced>(std::move(*target), std::move(*replacement), std::move(link));
  return std::make_unique<EntryTwinLoad>(
      all, arm_of(all->target, entry, &all->replacement->bss->links, 1),
      arm_of(all->target, floor, &all->target->bss->links, 1),
      identify_pair(target_fd, program_fd(all->target, floor)));
}

ProbeResult probe_freplace() {
  const auto load = load_freplace();
  return classify(load ? Result<void>{} : Result<void>(std::unexpected(load.error())), "5.6", "");
}

Suite suite_of(std::uint32_t depth) { return depth == 4 ? Suite::kDefault : Suite::kFull; }

// The entry is in both arms.
unsigned about_ns(std::uint32_t depth) { return 25 + 2 * depth; }

}  // namespace

void register_chain(Registry& registry, Capabilities& capabilities) {
  for (const ChainKind& kind : kKinds) {
    capabilities.add({fmt::format("chain_{}", kind.name),
                      fmt::format("load a program that makes {}", kind.what), [&kind] {
                        return probe_program<chain_bpf>(at_depth(kind.subject, kind.depths.front()),
                                                        kind.first_kernel);
                      }});
    for (const std::uint32_t depth : kind.depths) {
      registry.add({.name = fmt::format("chain/by:{}/depth:{}", kind.name, depth),
                    .question = fmt::format("What do {} {} cost?", depth, kind.what),
                    .floor = "an entry that does the work of as many links without leaving",
                    .needs = {"test_run_tc", fmt::format("chain_{}", kind.name), "jit"},
                    .suite = suite_of(depth),
                    .plan = plan_for(about_ns(depth)),
                    .load = [&kind, depth] { return load_chain(kind, depth); }});
    }
  }
  capabilities.add(
      {"freplace", "load a program that replaces a function and attach it", probe_freplace});
  registry.add({.name = "chain/by:freplace/depth:1",
                .question = "What does a call of a function cost that another program replaced?",
                .floor = "an entry that does the work of as many links without leaving",
                .needs = {"test_run_tc", "freplace", "jit"},
                .suite = Suite::kFull,
                .plan = plan_for(about_ns(1)),
                .load = load_freplace});
}

}  // namespace bpfmark
