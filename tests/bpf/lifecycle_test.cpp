// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "fixtures/cgroup.h"
#include "fixtures/kernel_memory.h"
#include "fixtures/link.h"
#include "fixtures/unique_fd.h"
#include "tests/bpf/loaded_case.h"

// What libbpf does in a wrong world, while it is set: the executable is linked with --wrap for
// each function.
namespace {

struct WrongWorld {
  std::function<void(std::vector<bpf_insn>&)> code;  // that is loaded
  std::function<__u32(__u32)> entries;               // of a map
  std::function<void(int)> made;                     // sees each program and map
  std::function<bpf_link*(const bpf_program*, const char*)> raw_tracepoint;
  bool loads_objects = true;
  bool detaches_tcx = false;  // right after it was attached, and hands out the link all the same
};
WrongWorld world;

int seen(int fd) {
  if (world.made && fd >= 0) world.made(fd);
  return fd;
}

}  // namespace

extern "C" {
int __real_bpf_prog_load(bpf_prog_type type, const char* name, const char* license,
                         const bpf_insn* insns, size_t count, bpf_prog_load_opts* options);
int __wrap_bpf_prog_load(bpf_prog_type type, const char* name, const char* license,
                         const bpf_insn* insns, size_t count, bpf_prog_load_opts* options) {
  std::vector<bpf_insn> code(insns, insns + count);
  if (world.code) world.code(code);
  return seen(__real_bpf_prog_load(type, name, license, code.data(), code.size(), options));
}

int __real_bpf_map_create(bpf_map_type type, const char* name, __u32 key, __u32 value,
                          __u32 entries, const bpf_map_create_opts* options);
int __wrap_bpf_map_create(bpf_map_type type, const char* name, __u32 key, __u32 value,
                          __u32 entries, const bpf_map_create_opts* options) {
  if (world.entries) entries = world.entries(entries);
  return seen(__real_bpf_map_create(type, name, key, value, entries, options));
}

bpf_link* __real_bpf_program__attach_raw_tracepoint(const bpf_program* program, const char* name);
bpf_link* __wrap_bpf_program__attach_raw_tracepoint(const bpf_program* program, const char* name) {
  return world.raw_tracepoint ? world.raw_tracepoint(program, name)
                              : __real_bpf_program__attach_raw_tracepoint(program, name);
}

bpf_link* __real_bpf_program__attach_tcx(const bpf_program* program, int ifindex,
                                         const bpf_tcx_opts* options);
bpf_link* __wrap_bpf_program__attach_tcx(const bpf_program* program, int ifindex,
                                         const bpf_tcx_opts* options) {
  bpf_link* const link = __real_bpf_program__attach_tcx(program, ifindex, options);
  if (world.detaches_tcx && link != nullptr) bpf_link__detach(link);
  return link;
}

int __real_bpf_object__load_skeleton(bpf_object_skeleton* skeleton);
int __wrap_bpf_object__load_skeleton(bpf_object_skeleton* skeleton) {
  return world.loads_objects ? __real_bpf_object__load_skeleton(skeleton) : 0;
}
}

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class Lifecycle : public LoadedCase {
 protected:
  void TearDown() override { world = {}; }

  // Takes a second reference to whatever is made, so that no close() is the last.
  void keep_what_is_made() {
    world.made = [this](int fd) { kept_.emplace_back(::dup(fd)); };
  }

  std::vector<UniqueFd> kept_;
};

constexpr bpf_insn kAddOne = {
    .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1};
// One more addition in the body, which the first branch has to pass over.
void add_one_more(std::vector<bpf_insn>& code) {
  ++code[1].off;
  code.insert(code.begin() + 3, kAddOne);
}

// So that what this thread takes is counted by nobody who asks.
void leave_memory_cgroup(std::vector<bpf_insn>&) {
  const std::string path = own_cgroup("memory").value().path;
  const std::size_t own = path.rfind("/bpfmark-");
  ASSERT_NE(own, std::string::npos);
  ASSERT_TRUE(std::ofstream(path.substr(0, own) + "/tasks") << 0);
}

bool is_to_be_refused(const std::vector<bpf_insn>& code) {
  return code[code.size() - 2].src_reg == BPF_REG_9;
}

constexpr bpf_insn kSetResult = {
    .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0};
constexpr bpf_insn kRefused = {
    .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 0, .src_reg = 9, .off = 0, .imm = 0};

// --- programs

TEST_F(Lifecycle, ProgramComesWithTheVerifiersAccountAndItsSize) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:load/program:straight/n:64"));
  if (IsSkipped()) return;
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["verifier_insns"], 70);
  EXPECT_NE(findings.counters.contains("verifier_peak_bytes"), findings.missing.size() == 1);
  ASSERT_EQ(load_->programs().size(), 1u);
  EXPECT_EQ(load_->programs()[0].insns_xlated, 70u);
  EXPECT_GT(load_->programs()[0].jited_bytes, 0u);
}

TEST_F(Lifecycle, VerificationIsWalkedThroughToItsLastInstruction) {
  for (const char* const program : {"straight", "branches", "loop"}) {
    SCOPED_TRACE(program);
    Findings whole, refused;
    ASSERT_NO_FATAL_FAILURE(load(std::string("lifecycle/op:load/program:") + program + "/n:64"));
    if (IsSkipped()) return;
    ASSERT_THAT(load_->finish(whole), IsOk());
    ASSERT_NO_FATAL_FAILURE(load(std::string("lifecycle/op:verify/program:") + program + "/n:64"));
    ASSERT_THAT(load_->finish(refused), IsOk());
    EXPECT_EQ(refused.counters["verifier_insns"] + 1, whole.counters["verifier_insns"]);
    EXPECT_GE(refused.counters["verifier_insns"], 64);
  }
}

TEST_F(Lifecycle, LoopIsWalkedThroughPassByPass) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:load/program:loop/n:64"));
  if (IsSkipped()) return;
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["verifier_insns"], 2 * 64 + 6);
}

TEST_F(Lifecycle, MemoryOfTheVerifierGrowsWithItsStates) {
  if (Result<void> met = Capabilities::instance().check({"verifier_memory"}); !met) {
    BPFMARK_SKIP_OR_FAIL(met.error());
  }
  Findings few, many;
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:verify/program:loop/n:64"));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->finish(few), IsOk());
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:verify/program:loop/n:4096"));
  ASSERT_THAT(load_->finish(many), IsOk());
  EXPECT_GT(few.counters["verifier_peak_bytes"], 0);
  EXPECT_GT(many.counters["verifier_peak_states"], few.counters["verifier_peak_states"]);
  EXPECT_GT(many.counters["verifier_peak_bytes"], few.counters["verifier_peak_bytes"]);
}

TEST_F(Lifecycle, MemoryThatSomebodyElseWasChargedForIsRefused) {
  if (Result<void> met = Capabilities::instance().check({"verifier_memory"}); !met) {
    BPFMARK_SKIP_OR_FAIL(met.error());
  }
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:verify/program:loop/n:4096"));
  if (IsSkipped()) return;
  world.code = leave_memory_cgroup;
  EXPECT_THAT(finish(), refused(HasSubstr("the verifier kept")));
}

// In a mount namespace that ends with the thread.
TEST(KernelMemory, HostWithoutTheControllerLacksIt) {
  const std::optional<CgroupPlace> place = own_cgroup("memory");
  if (!place) GTEST_SKIP() << "this host is one";
  Result<std::uint64_t> counted;
  int errnum = 0;
  std::jthread([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::umount2(place->mount.c_str(), MNT_DETACH) != 0) {
      errnum = errno;
      return;
    }
    counted = peak_kernel_bytes([] { return Result<void>(); });
  }).join();
  if (errnum != 0) GTEST_SKIP() << "unmount in private: " << std::strerror(errnum);
  EXPECT_THAT(counted, ErrorIs(ErrorKind::kAbsent, HasSubstr("one of cgroup v1")));
}

TEST_F(Lifecycle, ProgramOfAnotherLengthIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:load/program:straight/n:64"));
  if (IsSkipped()) return;
  world.code = add_one_more;
  EXPECT_THAT(finish(), refused(HasSubstr("walked through 71 instructions instead of 70")));
}

TEST_F(Lifecycle, ProgramThatComputesSomethingElseIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:load/program:branches/n:64"));
  if (IsSkipped()) return;
  world.code = add_one_more;
  EXPECT_THAT(finish(), refused(HasSubstr("returned 65 instead of 64")));
}

TEST_F(Lifecycle, VerifierThatAcceptsWhatItMustNotIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:verify/program:straight/n:64"));
  if (IsSkipped()) return;
  world.code = [](std::vector<bpf_insn>& code) {
    ASSERT_TRUE(is_to_be_refused(code));
    code[code.size() - 2] = kSetResult;
  };
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("the verifier accepted")));
}

TEST_F(Lifecycle, RefusalAtTheFirstInstructionIsNoVerification) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:verify/program:branches/n:64"));
  if (IsSkipped()) return;
  world.code = [](std::vector<bpf_insn>& code) {
    if (is_to_be_refused(code)) code.insert(code.begin(), kRefused);
  };
  ASSERT_THAT(run(Arm::kSubject), IsOk());
  EXPECT_THAT(finish(), refused(HasSubstr("walked through 1 instructions instead of")));
}

TEST_F(Lifecycle, CloseThatIsNotTheLastIsRefused) {
  for (const auto& [name, object] :
       {std::pair{"lifecycle/op:unload/program:straight/n:64", "a program is there"},
        std::pair{"lifecycle/op:map_free/type:hash/entries:1024", "a map is there"}}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    keep_what_is_made();
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr(object)));
    world = {};
    EXPECT_THAT(run(Arm::kSubject), IsOk());
  }
}

// --- attaching

TEST_F(Lifecycle, ProgramAttachedElsewhereIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:attach/type:raw_tp"));
  if (IsSkipped()) return;
  world.raw_tracepoint = [](const bpf_program* program, const char*) {
    return __real_bpf_program__attach_raw_tracepoint(program, "sched_process_exec");
  };
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("ran 0 times")));
}

TEST_F(Lifecycle, ProgramThatRunsAfterItWasDetachedIsRefused) {
  for (const char* const op : {"attach", "detach"}) {
    SCOPED_TRACE(op);
    ASSERT_NO_FATAL_FAILURE(load(std::string("lifecycle/op:") + op + "/type:raw_tp"));
    if (IsSkipped()) return;
    // Attached as it must be, while what is handed out, and detached later, is something else.
    std::vector<Link> others;
    world.raw_tracepoint = [&](const bpf_program* program, const char* name) {
      others.emplace_back(__real_bpf_program__attach_raw_tracepoint(program, name));
      return __real_bpf_program__attach_raw_tracepoint(program, "sched_process_exec");
    };
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("after it was detached")));
    world = {};
  }
}

TEST_F(Lifecycle, ProgramThatNoPacketMeetsIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:attach/type:tcx"));
  if (IsSkipped()) return;
  world.detaches_tcx = true;
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("ran 0 times instead of 1")));
}

// --- maps

TEST_F(Lifecycle, MapOfAnotherSizeIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:map_create/type:array/entries:1024"));
  if (IsSkipped()) return;
  // Before 6.4 what is charged is an estimate, which counts keys that an array does not have.
  world.entries = [](__u32 entries) { return entries / 4; };
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("256 entries instead of")));
  EXPECT_THAT(finish(), refused(HasSubstr("bytes are charged for a map that needs 8192")));
}

TEST_F(Lifecycle, MapThatHadAnEntryAlreadyIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:map_grow/type:hash/entries:4096"));
  if (IsSkipped()) return;
  world.made = [](int fd) {
    const std::uint32_t key = 1u << 31;
    const std::uint64_t value = 0;
    EXPECT_EQ(bpf_map_update_elem(fd, &key, &value, BPF_NOEXIST), 0);
  };
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("1025 keys instead of 1024")));
}

TEST_F(Lifecycle, MapThatGrowsIsChargedForItsEntries) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:map_grow/type:hash/entries:4096/alloc:no_prealloc"));
  if (IsSkipped()) return;
  Findings grown, empty;
  ASSERT_THAT(load_->finish(grown), IsOk());
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:map_create/type:hash/entries:1024/alloc:no_prealloc"));
  ASSERT_THAT(load_->finish(empty), IsOk());
  EXPECT_GT(grown.counters["map_bytes"], empty.counters["map_bytes"]);
}

// --- objects

TEST_F(Lifecycle, ObjectThatWasNotLoadedIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("lifecycle/op:object_load"));
  if (IsSkipped()) return;
  world.loads_objects = false;
  EXPECT_THAT(run(Arm::kSubject),
              ErrorIs(ErrorKind::kSystem, HasSubstr("read program information")));
}

}  // namespace
}  // namespace bpfmark
