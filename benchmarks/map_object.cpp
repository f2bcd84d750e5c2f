// SPDX-License-Identifier: BSD-2-Clause
// Measures:         storage that is kept beside a task, a socket, a cgroup or an inode: found, or
//                   created and deleted; an object taken off a list, a tree or out of a pointer in
//                   a map, and put back.
// Timed region:     one batch inside a raw_tp program (socket, list, tree, pointer: TC; inode: an
// LSM
//                   program that an ioctl() of ours starts), bpf_ktime_get_ns() around it.
// Floor:            the same loop, the owner at hand, without the operation.
// Does not measure: how the owner is found; allocating objects; another CPU on the same lock.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/map_lookup.h"
#include "bpf/shared/map_object.h"
#include "fixtures/attachment.h"
#include "fixtures/unique_fd.h"
#include "harness/clock.h"
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
  unsigned long command = 0;  // of the ioctl() that starts an LSM program

  bool is_lsm() const { return command != 0; }
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
     "6.3", 100, Suite::kFull},
    {"pop_push", "rbtree", "tree_move", "floor_word", "tc", "fill_tree", &Maps::data_tree, true,
     "6.4", 100, Suite::kDefault},
    {"take_put", "kptr", "kptr_move", "floor_kptr", "tc", "fill_kptr", &Maps::holders, true, "6.4",
     15, Suite::kDefault},
    {"get", "inode_storage", "inode_get", "floor_inode", "lsm", nullptr, &Maps::of_inodes, true,
     "5.10", 15, Suite::kFull, BPFMARK_INODE_GET},
    {"create_delete", "inode_storage", "inode_create", "floor_inode", "lsm", nullptr,
     &Maps::of_inodes, false, "5.10", 1000, Suite::kFull, BPFMARK_INODE_CREATE},
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

// What lives as long as the programs.
struct Owned {
  explicit Owned(ObjectSkeleton loaded) : skeleton(std::move(loaded)) {}

  ObjectSkeleton skeleton;
  UniqueFd file;  // whose inode has storage
  std::vector<Attachment> attached;
};

Result<void> attach_to_ioctl(Owned& owned, const ObjectCase& c) {
  owned.file = UniqueFd(::memfd_create("bpfmark", MFD_CLOEXEC));
  if (!owned.file) return system_error(errno, "make a file in memory");
  for (const char* const name : {c.program, c.floor}) {
    const bpf_program* const program = bpf_object__find_program_by_name(owned.skeleton->obj, name);
    Result<Attachment> attached =
        attach(program, *find_attach_type(c.section), {.function = "file_ioctl"});
    if (!attached) return std::unexpected(attached.error());
    owned.attached.push_back(std::move(*attached));
  }
  return {};
}

// The command means nothing to the file: the kernel refuses it, after the program ran.
ProgramStart start_by_ioctl(int fd, unsigned long command) {
  return [fd, command]() -> Result<double> {
    const std::uint64_t start = now_ns();
    const int outcome = ::ioctl(fd, command);
    const int error = errno;
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    if (outcome == 0) return wrong_result("an ioctl() that means nothing was not refused");
    if (error != ENOTTY) return system_error(error, "ioctl() of a file in memory");
    return elapsed_ns;
  };
}

// The words 1 to 7 and 0, again and again: what an operation finds is the word before its own,
// even if the first of a batch finds something new.
Result<std::unique_ptr<PairedLoad>> load_case(const ObjectCase& c) {
  Result<ObjectSkeleton> loaded = load_object(c);
  if (!loaded) return std::unexpected(loaded.error());
  const auto owned = std::make_shared<Owned>(std::move(*loaded));
  ObjectSkeleton& skeleton = owned->skeleton;
  std::vector<std::uint64_t> words(BPFMARK_UNROLL), before(BPFMARK_UNROLL);
  for (std::uint32_t i = 0; i < BPFMARK_UNROLL; ++i) {
    words[i] = (i + 1) % BPFMARK_UNROLL;
    before[i] = c.keeps ? i : 0;
    skeleton->bss_keys->keys[i] = static_cast<std::uint32_t>(words[i]);
  }
  const ProgramType* const type = find_program_type(c.section);
  if (c.filler != nullptr) {
    const Result<TestRunOutcome> filled =
        TestRun(program_fd(skeleton, c.filler), type->input()).run(1);
    if (!filled) return std::unexpected(filled.error());
    if (filled->retval != 0) return system_error(ENOMEM, "allocate an object");
  }
  if (c.is_lsm()) {
    if (Result<void> done = attach_to_ioctl(*owned, c); !done) return std::unexpected(done.error());
  }
  const auto batch = [&](const char* program, unsigned long command) {
    auto* const bss = skeleton->bss;
    return c.is_lsm() ? InKernelBatch(start_by_ioctl(owned->file.get(), command), bss->request,
                                      bss->result)
                      : InKernelBatch(program_fd(skeleton, program), type->input(), bss->request,
                                      bss->result);
  };
  return std::make_unique<KeyedLoad>(
      owned,
      KeyedArm{.batch = batch(c.program, c.command), .found = std::move(before), .check = {}},
      KeyedArm{
          .batch = batch(c.floor, BPFMARK_INODE_FLOOR), .found = std::move(words), .check = {}},
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
    registry.add({.name = fmt::format("map_op/op:{}/type:{}/entries:1/value:8", c.op, c.type),
                  .question = fmt::format("What does {} cost with a {}?", c.op, c.type),
                  .floor = "the same loop without the operation",
                  .needs = {c.is_lsm() ? "attach_lsm" : fmt::format("test_run_{}", c.section),
                            "loop_bpf_loop", "jit", capability},
                  .suite = c.suite,
                  .plan = plan_for(c.about_ns),
                  .load = [&c] { return load_case(c); }});
  }
}

}  // namespace bpfmark
