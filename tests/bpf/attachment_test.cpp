// SPDX-License-Identifier: BSD-2-Clause
// The fixtures that programs are attached with: what they find, what they refuse, what they leave.
#include "fixtures/attachment.h"

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "bpf/shared/hook_body.h"
#include "fixtures/cgroup.h"
#include "fixtures/foreign_programs.h"
#include "fixtures/probed_function.h"
#include "fixtures/skeleton.h"
#include "fixtures/tracefs.h"
#include "hook_body.skel.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Not;

using BodySkeleton = Skeleton<hook_body_bpf>;

// A skeleton with the counting body as a program of that type, loaded.
Result<BodySkeleton> load_counter(std::string_view type, const HookPoint& point) {
  auto skeleton = BodySkeleton::open();
  if (!skeleton) return skeleton;
  bpf_program* const program = (*skeleton)->progs.body_counter;
  skeleton->select({program});
  if (Result<void> set =
          set_attach_target((*skeleton)->obj, program, *find_attach_type(type), point);
      !set) {
    return std::unexpected(set.error());
  }
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return skeleton;
}

TEST(Tracefs, KnowsEventsWithoutBeingMounted) {
  const Result<Tracefs> tracefs = Tracefs::open();
  if (!tracefs) BPFMARK_SKIP_OR_FAIL(tracefs.error());
  EXPECT_THAT(tracefs->event_id("sched", "sched_switch"), IsOkAndHolds(Gt(0u)));
}

TEST(Tracefs, EventThatDoesNotExistIsATypedSkipThatNamesIt) {
  const Result<Tracefs> tracefs = Tracefs::open();
  if (!tracefs) BPFMARK_SKIP_OR_FAIL(tracefs.error());
  const auto id = tracefs->event_id("syscalls", "sys_enter_no_such_call");
  EXPECT_THAT(id, ErrorIs(ErrorKind::kAbsent, HasSubstr("syscalls/sys_enter_no_such_call")));
}

TEST(ProbedFunction, FileHoldsTheInstructionThatTheNameSays) {
  if (kProbedFunctions.nop == nullptr) GTEST_SKIP() << "written for x86-64";
  const Result<std::uint64_t> offset = file_offset(kProbedFunctions.push);
  ASSERT_THAT(offset, IsOk());
  std::ifstream file("/proc/self/exe", std::ios::binary);
  file.seekg(static_cast<std::streamoff>(*offset));
  EXPECT_EQ(file.get(), 0x55) << "push %rbp";
  EXPECT_THAT(file_offset(reinterpret_cast<ProbedFunction>(0x10)),
              ErrorIs(ErrorKind::kSystem, HasSubstr("find a function")));
}

TEST(Attachment, KernelFunctionThatDoesNotExistIsATypedSkipThatNamesIt) {
  EXPECT_THAT(load_counter("fentry", {.function = "no_such_function"}),
              ErrorIs(ErrorKind::kAbsent, HasSubstr("no_such_function")));
}

// --- cgroup

// The line of /proc about the unified hierarchy, of this thread or of the first one.
std::string cgroup_of(const char* file_name) {
  std::ifstream file(file_name);
  std::string line;
  while (std::getline(file, line) && !line.starts_with("0::")) {
  }
  return line;
}

TEST(Cgroup, HoldsTheThreadThatMadeItAndNoOther) {
  std::optional<Error> error;
  std::string path, inside, beside, after;
  std::thread([&] {
    {
      const Result<Cgroup> cgroup = Cgroup::create();
      if (!cgroup) {
        error = cgroup.error();
        return;
      }
      path = cgroup->path();
      inside = cgroup_of("/proc/thread-self/cgroup");
      beside = cgroup_of("/proc/self/cgroup");
    }
    after = cgroup_of("/proc/thread-self/cgroup");
  }).join();
  if (error) BPFMARK_SKIP_OR_FAIL(*error);
  EXPECT_THAT(inside, HasSubstr("bpfmark-"));
  EXPECT_THAT(beside, Not(HasSubstr("bpfmark-")));
  EXPECT_EQ(after, beside);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Cgroup, IsGoneAfterKill9) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const Result<Cgroup> cgroup = Cgroup::create();
    const std::string path = cgroup ? cgroup->path() : "-" + cgroup.error().what;
    (void)!write(ends[1], path.c_str(), path.size());
    pause();
    _exit(0);
  }
  char text[256] = {};
  ASSERT_GT(read(ends[0], text, sizeof(text) - 1), 0);
  close(ends[0]);
  close(ends[1]);
  const bool made = text[0] == '/';
  EXPECT_EQ(std::filesystem::exists(text), made);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!made) GTEST_SKIP() << text;
  for (int i = 0; i < 5000 && std::filesystem::exists(text); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_FALSE(std::filesystem::exists(text));
}

// --- programs of others

// Since 6.6 a link of perf_event_open(2) says to what it is attached.
bool links_tell_events() {
  utsname kernel{};
  int major = 0, minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2) {
    return true;
  }
  return std::pair(major, minor) >= std::pair(6, 6);
}

TEST(ForeignPrograms, AnotherProgramOnTheSameHookIsNamedAndOnesOwnIsNot) {
  for (const auto& [type, point] : {
           std::pair{"tp", HookPoint{.category = "syscalls", .event = "sys_enter_acct"}},
           std::pair{"raw_tp", HookPoint{.event = "sched_process_hang"}},
           std::pair{"tp_btf", HookPoint{.event = "sched_process_hang"}},
       }) {
    SCOPED_TRACE(type);
    auto skeleton = load_counter(type, point);
    if (!skeleton) BPFMARK_SKIP_OR_FAIL(skeleton.error());
    const bpf_program* const program = (*skeleton)->progs.body_counter;
    const Result<std::uint32_t> id = program_id(bpf_program__fd(program));
    ASSERT_THAT(id, IsOk());
    const AttachType& way = *find_attach_type(type);
    const auto ours = Contains(AllOf(Field(&AttachedProgram::id, *id),
                                     Field(&AttachedProgram::name, "body_counter"),
                                     Field(&AttachedProgram::target, point.event)));
    EXPECT_THAT(foreign_programs(way, point, 0), IsOkAndHolds(Not(ours))) << "not attached yet";
    const Result<Attachment> attached = attach(program, way, point);
    ASSERT_THAT(attached, IsOk());
    EXPECT_THAT(foreign_programs(way, point, 0), IsOkAndHolds(ours));
    EXPECT_THAT(foreign_programs(way, point, *id), IsOkAndHolds(Not(ours)));
    const std::string target = way.name != "tp" || links_tell_events() ? point.event : "";
    EXPECT_THAT(attached_programs(),
                IsOkAndHolds(Contains(AllOf(Field(&AttachedProgram::id, *id),
                                            Field(&AttachedProgram::target, target)))));
  }
}

}  // namespace
}  // namespace bpfmark
