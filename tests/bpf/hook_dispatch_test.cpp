// SPDX-License-Identifier: BSD-2-Clause
// Programs on live hooks: that one body stays the same as every type, and that a load refuses every
// world in which the program did not run exactly as often as its hook was passed.
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks/attached_load.h"
#include "fixtures/bpf_stats.h"
#include "fixtures/foreign_programs.h"
#include "harness/capability.h"
#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace {

// The answer of a kernel that has it for no type of program.
std::optional<bpf_func_id> refused_helper;

}  // namespace

// What the linker puts in the place of libbpf's function in this program.
extern "C" {
int __real_libbpf_probe_bpf_helper(bpf_prog_type type, bpf_func_id helper, const void* options);
int __wrap_libbpf_probe_bpf_helper(bpf_prog_type type, bpf_func_id helper, const void* options) {
  return helper == refused_helper ? 0 : __real_libbpf_probe_bpf_helper(type, helper, options);
}
}

namespace bpfmark {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const auto kRefused = [](const auto& what) { return ErrorIs(ErrorKind::kWrongResult, what); };

// A system call of two kinds: `wanted` per call of those that the hook sees.
class SomeCalls : public SystemCall {
 public:
  explicit SomeCalls(int wanted) : wanted_(wanted) {}
  bool call() override {
    for (int i = 0; i < wanted_; ++i) ::getppid();
    return true;
  }
  Error failure() const override { return {}; }

 private:
  int wanted_;
};

template <int kWanted>
Result<std::unique_ptr<SystemCall>> make_some_calls(const InCaller& in_caller) {
  in_caller();
  return std::make_unique<SomeCalls>(kWanted);
}

constexpr SystemCallKind kMissesOne{"misses", "", 0, 0, "getppid", 1024, make_some_calls<0>};
constexpr SystemCallKind kTwiceEach{"twice", "", 0, 0, "getppid", 1024, make_some_calls<2>};

HookPoint getppid_tracepoint() { return {.category = "syscalls", .event = "sys_enter_getppid"}; }

AttachedCase on_getppid(const char* body) {
  return {.type = find_attach_type("tp"),
          .body = find_hook_body(body),
          .driver = drive_by_system_call(*find_system_call("getppid"), getppid_tracepoint())};
}

class HookFault : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(pin_to_cpu(allowed_cpus().back()), IsOk());
    Capabilities& all = Capabilities::instance();
    registered_cases();
    if (Result<void> met = all.check({"attach_tp"}); !met) BPFMARK_SKIP_OR_FAIL(met.error());
  }

  // Loaded, attached, and with `ops` operations run.
  Result<Batch> run(const AttachedCase& attached, std::uint64_t ops = 100) {
    auto load = load_attached(attached);
    if (!load) return std::unexpected(load.error());
    load_ = std::move(*load);
    if (Result<void> ready = load_->prepare(Arm::kSubject); !ready) {
      return std::unexpected(ready.error());
    }
    return load_->run(Arm::kSubject, ops);
  }

  std::unique_ptr<PairedLoad> load_;
};

TEST_F(HookFault, RightWorldIsAccepted) {
  for (const HookBody& body : hook_bodies()) {
    SCOPED_TRACE(body.name);
    if (body.name == "stackid" && !Capabilities::instance().check({"attach_tp_stackid"})) continue;
    ASSERT_THAT(run(on_getppid(std::string(body.name).c_str())), IsOk());
    Findings findings;
    EXPECT_THAT(load_->finish(findings), IsOk());
    EXPECT_FALSE(findings.counters.contains("lost"));
    ASSERT_THAT(load_->prepare(Arm::kFloor), IsOk());
    EXPECT_THAT(load_->run(Arm::kFloor, 100), IsOk());
  }
}

// A driver that says that another process passes the hook.
class OfAnotherProcess : public HookDriver {
 public:
  explicit OfAnotherProcess(std::unique_ptr<HookDriver> real) : real_(std::move(real)) {}
  Result<Batch> run(const Work& work) override { return real_->run(work); }
  const HookPoint& point() const override { return real_->point(); }
  std::uint64_t tgid() const override { return real_->tgid() + 1; }

 private:
  std::unique_ptr<HookDriver> real_;
};

TEST_F(HookFault, FilterForAnotherProcessIsRefused) {
  AttachedCase attached = on_getppid("counter");
  attached.driver = [real = attached.driver]() -> Result<std::unique_ptr<HookDriver>> {
    auto made = real();
    if (!made) return made;
    return std::make_unique<OfAnotherProcess>(std::move(*made));
  };
  EXPECT_THAT(run(attached), kRefused(HasSubstr("ran 0 times instead of 64")));
}

TEST_F(HookFault, ProgramThatIsNotAttachedIsRefused) {
  const auto pretend = [](const bpf_program*, const HookPoint&) -> Result<Attachment> {
    return Attachment([] {});
  };
  AttachType nowhere = *find_attach_type("tp");
  nowhere.attach = pretend;
  for (const char* const body : {"counter", "hash", "ringbuf", "stackid"}) {
    AttachedCase attached = on_getppid(body);
    attached.type = &nowhere;
    EXPECT_THAT(run(attached), kRefused(HasSubstr("ran 0 times instead of 64"))) << body;
  }
  // The empty body leaves no trace: the kernel's count must find it out.
  AttachedCase empty = on_getppid("empty");
  empty.type = &nowhere;
  ASSERT_THAT(run(empty), IsOk());
  Findings findings;
  EXPECT_THAT(load_->finish(findings), kRefused(HasSubstr("ran 0 times instead of 64")));
}

TEST_F(HookFault, RunThatIsMissingOrOneTooManyIsRefused) {
  AttachedCase attached = on_getppid("hash");
  attached.driver = drive_by_system_call(kMissesOne, getppid_tracepoint());
  EXPECT_THAT(run(attached), kRefused(HasSubstr("ran 0 times")));
  attached.driver = drive_by_system_call(kTwiceEach, getppid_tracepoint());
  EXPECT_THAT(run(attached), kRefused(HasSubstr("ran 128 times instead of 64")));
  attached.body = find_hook_body("empty");
  ASSERT_THAT(run(attached), IsOk());
  Findings findings;
  EXPECT_THAT(load_->finish(findings), kRefused(HasSubstr("ran 128 times instead of 64")));
}

// As in a session of kprobes.
TEST_F(HookFault, ProgramOfEntryAndReturnMustRunTwice) {
  AttachedCase attached = on_getppid("hash");
  attached.runs_per_op = 2;
  EXPECT_THAT(run(attached), kRefused(HasSubstr("ran 64 times instead of 128")));
  attached.driver = drive_by_system_call(kTwiceEach, getppid_tracepoint());
  ASSERT_THAT(run(attached), IsOk());
  Findings findings;
  EXPECT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["runs_per_op"], 2);
}

TEST_F(HookFault, ProgramThatRunsWhereItMustNotIsRefused) {
  AttachedCase attached = on_getppid("counter");
  attached.passed = false;
  EXPECT_THAT(run(attached), kRefused(HasSubstr("where it was not to")));
}

TEST_F(HookFault, RecordsThatFoundNoRoomAreCountedAndShown) {
  for (const char* const body : {"ringbuf", "perfbuf"}) {
    SCOPED_TRACE(body);
    constexpr std::uint64_t kMoreThanFit = 100'000;
    ASSERT_THAT(run(on_getppid(body), kMoreThanFit), IsOk());
    Findings findings;
    ASSERT_THAT(load_->finish(findings), IsOk());
    // A buffer of 1 MiB holds fewer, for a record is 16 bytes and more.
    EXPECT_GT(findings.counters["lost"], kMoreThanFit - (1 << 20) / 16);
    EXPECT_LT(findings.counters["lost"], kMoreThanFit);
  }
}

TEST_F(HookFault, ForeignProgramOnTheSameHookIsNamed) {
  ASSERT_THAT(run(on_getppid("empty")), IsOk());
  const std::unique_ptr<PairedLoad> other = std::move(load_);
  ASSERT_THAT(run(on_getppid("counter")), IsOk());
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_THAT(findings.foreign_programs, Contains(Field(&ForeignProgram::name, "body_empty")));
  EXPECT_THAT(findings.foreign_programs,
              Not(Contains(Field(&ForeignProgram::name, "body_counter"))));
}

// --- one body, every type

TEST(HookBody, IsTheSameInstructionsAsEveryType) {
  std::map<std::string, std::set<std::string>> tags;  // of a body
  std::size_t types = 0;
  std::optional<Error> lack;
  for (const Case& c : registered_cases().cases()) {
    if (!c.name.starts_with("hook_dispatch/") || c.name.find("type:none") != std::string::npos) {
      continue;
    }
    const auto load = load_case(c);
    if (!load) {
      ASSERT_TRUE(is_skip(load.error().kind)) << c.name << ": " << load.error().what;
      lack = load.error();
      continue;
    }
    ++types;
    for (const ProgramIdentity& program : (*load)->programs()) {
      tags[program.name].insert(program.tag);
    }
  }
  if (types == 0) BPFMARK_SKIP_OR_FAIL(*lack);
  // Beside them those that do not ask, where the kernel has types that may not.
  EXPECT_EQ(
      std::ranges::count_if(tags, [](const auto& tag) { return tag.first.starts_with("body_"); }),
      std::ssize(hook_bodies()));
  for (const auto& [body, different] : tags) {
    EXPECT_THAT(different, SizeIs(1)) << body;
  }
}

// A kernel before 6.10: programs of cgroups may not ask which process runs.
TEST(HookBody, CountsWithoutAskingWhereTheKernelLetsItNotAsk) {
  registered_cases();
  if (Result<void> met = Capabilities::instance().check({"attach_cgroup"}); !met) {
    BPFMARK_SKIP_OR_FAIL(met.error());
  }
  ASSERT_THAT(pin_to_cpu(allowed_cpus().back()), IsOk());
  for (const HookBody& body : hook_bodies()) {
    if (body.alone == nullptr) continue;
    SCOPED_TRACE(body.name);
    refused_helper = BPF_FUNC_get_current_pid_tgid;
    const auto load =
        find_case(fmt::format("hook_dispatch/type:cgroup_connect4/body:{}", body.name))->load();
    refused_helper.reset();
    ASSERT_THAT(load, IsOk());
    EXPECT_EQ((*load)->programs().at(0).name, fmt::format("alone_{}", body.name).substr(0, 15));
    for (const Arm arm : {Arm::kSubject, Arm::kFloor, Arm::kSubject}) {
      ASSERT_THAT((*load)->prepare(arm), IsOk());
      EXPECT_THAT((*load)->run(arm, 100), IsOk());
    }
    Findings findings;
    EXPECT_THAT((*load)->finish(findings), IsOk());
  }
}

// --- nothing stays

TEST(HookKill9, LeavesNothingAttached) {
  registered_cases();
  if (Result<void> met = Capabilities::instance().check({"attach_tp", "attach_cgroup"}); !met) {
    BPFMARK_SKIP_OR_FAIL(met.error());
  }
  const auto before = attached_programs();
  ASSERT_THAT(before, IsOk());
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    std::vector<std::unique_ptr<PairedLoad>> loads;
    bool all = true;
    for (const char* const name :
         {"type:tp/body:ringbuf/driver:syscall", "type:raw_tp/body:counter/driver:syscall",
          "type:uprobe_nop/body:counter", "type:cgroup_connect4/body:counter",
          "type:sk_lookup/body:counter"}) {
      auto load = find_case(std::string("hook_dispatch/") + name)->load();
      all = all && load && (*load)->prepare(Arm::kSubject);
      if (load) loads.push_back(std::move(*load));
    }
    const char done = all ? '+' : '-';
    (void)!write(ends[1], &done, 1);
    pause();
    _exit(0);
  }
  char done = 0;
  ASSERT_EQ(read(ends[0], &done, 1), 1);
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(done, '+');
  // What came meanwhile; later only these are asked for, as others may attach programs too.
  const auto ids = [] {
    std::set<std::uint32_t> found;
    const auto programs = attached_programs();
    if (!programs) return found;
    for (const AttachedProgram& program : *programs) found.insert(program.id);
    return found;
  };
  std::set<std::uint32_t> ours = ids();
  for (const AttachedProgram& program : *before) ours.erase(program.id);
  EXPECT_GE(ours.size(), 5u);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  const auto left = [&] {
    std::set<std::uint32_t> both;
    std::ranges::set_intersection(ours, ids(), std::inserter(both, both.end()));
    return both;
  };
  for (int i = 0; i < 5000 && !left().empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_THAT(left(), IsEmpty());
}

}  // namespace
}  // namespace bpfmark
