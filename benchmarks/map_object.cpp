// SPDX-License-Identifier: BSD-2-Clause
// Measures:         storage that is kept beside a task, a socket or a cgroup: found, or created and
//                   deleted; an object taken off a list or a tree and put back.
// Timed region:     one batch inside a raw_tp (socket, list, tree: TC) program, bpf_ktime_get_ns()
//                   around it.
// Floor:            the same loop, the owner at hand, without the operation.
// Does not measure: how the owner is found; allocating objects; another CPU on the same lock.
#include <fmt/format.h>

#include <algorithm>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/map_lookup.h"
#include "harness/program_type.h"
#include "map_object.skel.h"

namespace bpfmark {
namespace {

using ObjectSkeleton = Skeleton<map_object_bpf>;
using MapSlot = bpf_map* decltype(map_object_bpf::maps)::*;

struct ObjectCase {
  const char* op;
  const char* type;
  const char* program;
  const char* floor;
  const char* section;
  const char* filler;  // a program that puts one object in; may be null
  MapSlot map;
  bool keeps;  // what an operation leaves is there for the next
  const char* first_kernel;
  unsigned about_ns;
  Suite suite;
};

using Maps = decltype(map_object_bpf::maps);

const ObjectCase kCases[] = {
    {"get", "task_storage", "task_get", "floor_task", "raw_tp", nullptr, &Maps::of_tasks, true,
     "5.11", 15, Suite::kDefault},
    {"create_delete", "task_storage", "task_create", "floor_task", "raw_tp", nullptr,
     &Maps::of_tasks, false, "5.11", 1400, Suite::kFull},
    {"get", "cgroup_storage", "cgroup_get", "floor_cgroup", "raw_tp", nullptr, &Maps::of_cgroups,
     true, "6.2", 15, Suite::kFull},
    {"create_delete", "cgroup_storage", "cgroup_create", "floor_cgroup", "raw_tp", nullptr,
     &Maps::of_cgroups, false, "6.2", 1000, Suite::kFull},
    {"get", "socket_storage", "sk_get", "floor_sk", "tc", nullptr, &Maps::of_sockets, true, "5.2",
     15, Suite::kFull},
    {"create_delete", "socket_storage", "sk_create", "floor_sk", "tc", nullptr, &Maps::of_sockets,
     false, "5.2", 700, Suite::kFull},
    {"pop_push", "list", "list_move", "floor_word", "tc", "fill_list", &Maps::data_list, true,
     "6.3", 100, Suite::kDefault},
    {"pop_push", "rbtree", "tree_move", "floor_word", "tc", "fill_tree", &Maps::data_tree, true,
     "6.4", 100, Suite::kDefault},
};

Result<ObjectSkeleton> load_object(const ObjectCase& c) {
  std::vector<std::string> programs = {c.program, c.floor};
  if (c.filler != nullptr) programs.emplace_back(c.filler);
  Result<ObjectSkeleton> skeleton = open_programs<map_object_bpf>(programs);
  if (!skeleton) return skeleton;
  // A kernel may lack the types of the others.
  for (const ObjectCase& other : kCases) {
    if (other.map != c.map) bpf_map__set_autocreate((*skeleton)->maps.*other.map, false);
  }
  if (Result<void> sized = set_stream_length(*skeleton, BPFMARK_UNROLL); !sized) {
    return std::unexpected(sized.error());
  }
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return skeleton;
}

// The words 1 to 7 and 0, again and again: what an operation finds is the word before its own,
// even if the first of a batch finds something new.
Result<std::unique_ptr<PairedLoad>> load_case(const ObjectCase& c) {
  Result<ObjectSkeleton> loaded = load_object(c);
  if (!loaded) return std::unexpected(loaded.error());
  const auto owned = std::make_shared<ObjectSkeleton>(std::move(*loaded));
  ObjectSkeleton& skeleton = *owned;
  std::vector<std::uint64_t> words(BPFMARK_UNROLL), before(BPFMARK_UNROLL);
  for (std::uint32_t i = 0; i < BPFMARK_UNROLL; ++i) {
    words[i] = (i + 1) % BPFMARK_UNROLL;
    before[i] = c.keeps ? i : 0;
    skeleton->bss_keys->keys[i] = static_cast<std::uint32_t>(words[i]);
  }
  const TestRunInput input = find_program_type(c.section)->input();
  if (c.filler != nullptr) {
    const Result<TestRunOutcome> filled = TestRun(program_fd(skeleton, c.filler), input).run(1);
    if (!filled) return std::unexpected(filled.error());
    if (filled->retval != 0) return system_error(ENOMEM, "allocate an object");
  }
  const auto arm = [&](const char* program, std::vector<std::uint64_t> found) {
    return KeyedArm{.batch = {program_fd(skeleton, program), input, skeleton->bss->request,
                              skeleton->bss->result},
                    .found = std::move(found),
                    .check = {}};
  };
  return std::make_unique<KeyedLoad>(
      owned, arm(c.program, std::move(before)), arm(c.floor, std::move(words)),
      identify_pair(program_fd(skeleton, c.program), program_fd(skeleton, c.floor)));
}

ProbeResult probe(const ObjectCase& c) {
  const Result<ObjectSkeleton> loaded = load_object(c);
  return classify(loaded ? Result<void>() : std::unexpected(loaded.error()), c.first_kernel,
                  "CONFIG_BPF_SYSCALL");
}

}  // namespace

void register_map_object(Registry& registry, Capabilities& capabilities) {
  for (const ObjectCase& c : kCases) {
    const std::string capability = fmt::format("map_{}", c.type);
    if (!capabilities.contains(capability)) {
      capabilities.add({capability, fmt::format("load a program that uses a {}", c.type),
                        [&c] { return probe(c); }});
    }
    registry.add(
        {.name = fmt::format("map_op/op:{}/type:{}/entries:1/value:8", c.op, c.type),
         .question = fmt::format("What does {} cost with a {}?", c.op, c.type),
         .floor = "the same loop without the operation",
         .needs = {fmt::format("test_run_{}", c.section), "loop_bpf_loop", "jit", capability},
         .suite = c.suite,
         .plan = plan_for(c.about_ns),
         .load = [&c] { return load_case(c); }});
  }
}

}  // namespace bpfmark
