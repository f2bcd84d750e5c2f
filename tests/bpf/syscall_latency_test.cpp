// SPDX-License-Identifier: BSD-2-Clause
// System-call latency: exact counts for every call, and wrong worlds that must be refused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "benchmarks/syscall_probe.h"
#include "bpf/shared/syscall_latency.h"
#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::SizeIs;

auto refused(const auto& what) { return ErrorIs(ErrorKind::kWrongResult, what); }

const SystemCallKind& kind_of(std::string_view name) { return *find_system_call(name); }

// --- every call, bare and with a monitor that reports every one

class EverySystemCall : public ::testing::TestWithParam<const char*> {};

TEST_P(EverySystemCall, HasAsManySamplesByEachClockAsCallsWereMade) {
  for (const SystemCallKind& kind : system_call_kinds()) {
    SCOPED_TRACE(kind.name);
    const Case* const c =
        find_case("syscall_latency/call:" + std::string(kind.name) + "/monitor:" + GetParam());
    ASSERT_NE(c, nullptr);
    const auto load = load_case(*c);
    if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
    ASSERT_THAT((*load)->prepare(Arm::kSubject), IsOk());
    ASSERT_THAT((*load)->run(Arm::kSubject, 3), IsOk());
    (*load)->start();  // what came before was the warm-up
    constexpr std::uint64_t kCalls = 20;
    for (const std::uint64_t calls : {kCalls / 2, kCalls / 2}) {
      ASSERT_THAT((*load)->run(Arm::kSubject, calls), IsOk());
    }
    ASSERT_THAT((*load)->prepare(Arm::kFloor), IsOk());
    ASSERT_THAT((*load)->run(Arm::kFloor, kCalls), IsOk());
    Findings findings;
    ASSERT_THAT((*load)->finish(findings), IsOk());
    ASSERT_THAT(findings.histograms, SizeIs(3));
    for (const auto& [name, histogram] : findings.histograms) {
      EXPECT_EQ(histogram.count(), kCalls) << name;
    }
    ASSERT_THAT(findings.trials, SizeIs(4));
    EXPECT_THAT(findings.trials, Each(Field(&Trial::trial, 1)));
    for (const Trial& row : findings.trials) {
      if (row.filter == "raw") {
        EXPECT_EQ(row.count, kCalls);
        EXPECT_THAT(row.samples_ns, SizeIs(kCalls));
      }
    }
    // Of the very same calls; the load itself compares them one by one.
    const auto kernel = findings.histogram("kernel").mean_ns();
    const auto caller = findings.histogram("caller_observed").mean_ns();
    ASSERT_TRUE(kernel && caller);
    EXPECT_LT(*kernel, *caller);
    if (findings.counters.contains("lost")) {
      EXPECT_EQ(findings.counters["lost"], 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Monitors, EverySystemCall, ::testing::Values("none", "tp_ringbuf"),
                         [](const auto& monitor) { return std::string(monitor.param); });

TEST(SyscallLatency, SecondLoadIsTheSecondTrial) {
  const Case& c = *find_case("syscall_latency/call:getppid/monitor:none");
  Findings findings;
  for (int i = 0; i < 2; ++i) {
    const auto load = load_case(c);
    if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
    ASSERT_THAT((*load)->run(Arm::kSubject, 10), IsOk());
    ASSERT_THAT((*load)->finish(findings), IsOk());
  }
  ASSERT_THAT(findings.trials, SizeIs(8));
  EXPECT_EQ(findings.trials.front().trial, 1);
  EXPECT_EQ(findings.trials.back().trial, 2);
  EXPECT_EQ(findings.histogram("kernel").count(), 20u);
}

// --- wrong worlds

class Probe : public ::testing::Test {
 protected:
  // Loads, and makes the calling thread (or the child, for execve) the caller.
  void load(const SystemCallKind& kind, std::string_view monitor,
            std::uint32_t ring_bytes = SyscallProbe::kRingBytes) {
    const Case* const c = find_case("syscall_latency/call:openat/monitor:" + std::string(monitor));
    ASSERT_NE(c, nullptr);
    if (Result<void> met = Capabilities::instance().check(c->needs); !met) {
      BPFMARK_SKIP_OR_FAIL(met.error());
    }
    auto loaded = SyscallProbe::load(kind, *find_syscall_monitor(monitor), ring_bytes);
    ASSERT_THAT(loaded, IsOk());
    probe_ = std::move(*loaded);
    auto call = kind.create([this] { return probe_->caller_is_me(); });
    ASSERT_THAT(call, IsOk());
    call_ = std::move(*call);
  }

  void make_calls(std::uint64_t calls) {
    for (std::uint64_t i = 0; i < calls; ++i) {
      ASSERT_THAT(call_->prepare(1), IsOk());
      ASSERT_TRUE(call_->call());
      ASSERT_THAT(call_->undo(), IsOk());
    }
  }

  // Calls with the observer attached and armed.
  Result<std::vector<std::uint64_t>> observed(std::uint64_t made, std::uint64_t claimed) {
    if (Result<void> attached = probe_->attach_observed_monitor(); !attached) {
      return std::unexpected(attached.error());
    }
    probe_->arm(true);
    make_calls(made);
    probe_->arm(false);
    probe_->detach_monitor();
    return probe_->take_samples(claimed);
  }

  std::unique_ptr<SyscallProbe> probe_;
  std::unique_ptr<SystemCall> call_;
};

#define BPFMARK_LOAD(...)                     \
  ASSERT_NO_FATAL_FAILURE(load(__VA_ARGS__)); \
  if (IsSkipped()) return

TEST_F(Probe, SeesTheCallsOfTheCallerAndNoMore) {
  BPFMARK_LOAD(kind_of("getppid"), "none");
  std::atomic<bool> stop = false;
  std::jthread other([&] {
    while (!stop) ::syscall(SYS_getppid);
  });
  EXPECT_THAT(observed(100, 100), IsOkAndHolds(SizeIs(100)));
  stop = true;
}

TEST_F(Probe, RefusesOneCallTooFewOrTooMany) {
  BPFMARK_LOAD(kind_of("getppid"), "none");
  EXPECT_THAT(observed(9, 10), refused(HasSubstr("9 entries and 9 exits of 10 calls")));
  EXPECT_THAT(observed(11, 10), refused(HasSubstr("11 entries and 11 exits of 10 calls")));
  EXPECT_THAT(observed(10, 10), IsOk());
}

TEST_F(Probe, RefusesTheCallsOfATaskThatIsNotTheCaller) {
  BPFMARK_LOAD(kind_of("getppid"), "none");
  std::jthread([this] { ASSERT_TRUE(probe_->caller_is_me()); }).join();
  EXPECT_THAT(observed(10, 10), refused(HasSubstr("0 entries and 0 exits of 10 calls")));
}

TEST_F(Probe, RefusesMissedExits) {
  SystemCallKind never_over = kind_of("getppid");
  never_over.last_number = -1;
  BPFMARK_LOAD(never_over, "none");
  EXPECT_THAT(observed(10, 10), refused(HasSubstr("10 entries and 0 exits of 10 calls")));
}

TEST_F(Probe, SeesNothingUnlessItIsArmed) {
  BPFMARK_LOAD(kind_of("getppid"), "none");
  ASSERT_THAT(probe_->attach_observed_monitor(), IsOk());
  make_calls(10);
  EXPECT_THAT(probe_->take_samples(0), IsOk());
}

TEST_F(Probe, RefusesMoreSamplesThanItKeeps) {
  BPFMARK_LOAD(kind_of("getppid"), "none");
  EXPECT_THAT(observed(BPFMARK_SYSCALL_MAX_SAMPLES + 1, BPFMARK_SYSCALL_MAX_SAMPLES + 1),
              refused(HasSubstr("do not fit")));
}

TEST_F(Probe, FollowsExecveIntoTheNewImage) {
  BPFMARK_LOAD(kind_of("execve"), "none");
  EXPECT_THAT(observed(5, 5), IsOkAndHolds(SizeIs(5)));
}

// Events of 48 bytes in a buffer of one page.
TEST_F(Probe, CountsEventsThatWereLost) {
  BPFMARK_LOAD(kind_of("getppid"), "tp_ringbuf", 4096);
  ASSERT_THAT(probe_->attach_monitor(), IsOk());
  ASSERT_THAT(probe_->expect_calls(), IsOk());
  make_calls(500);
  EXPECT_THAT(probe_->check_calls(500), IsOk());
  EXPECT_GT(probe_->lost(), 0u);
  EXPECT_LT(probe_->lost(), 500u);
  // Nothing is lost where there is room, and what was lost stays counted.
  const std::uint64_t lost = probe_->lost();
  ASSERT_THAT(probe_->expect_calls(), IsOk());
  make_calls(10);
  EXPECT_THAT(probe_->check_calls(10), IsOk());
  EXPECT_EQ(probe_->lost(), lost);
}

TEST_F(Probe, RefusesAMonitorThatMissedACall) {
  for (const char* const monitor :
       {"tp_count", "tp_hash_filter", "tp_ringbuf", "raw_tp_all_syscalls", "argcopy_ringbuf"}) {
    SCOPED_TRACE(monitor);
    BPFMARK_LOAD(kind_of("openat"), monitor);
    ASSERT_THAT(probe_->attach_monitor(), IsOk());
    ASSERT_THAT(probe_->expect_calls(), IsOk());
    make_calls(5);
    EXPECT_THAT(probe_->check_calls(5), IsOk());
    ASSERT_THAT(probe_->expect_calls(), IsOk());
    make_calls(4);
    EXPECT_THAT(probe_->check_calls(5), refused(HasSubstr("saw 4 calls and lost 0 instead of 5")));
    probe_->detach_monitor();
    ASSERT_THAT(probe_->expect_calls(), IsOk());
    make_calls(5);
    EXPECT_THAT(probe_->check_calls(5), refused(HasSubstr("saw 0 calls")));
  }
}

TEST_F(Probe, RefusesAnEmptyMonitorThatDidNotRun) {
  for (const char* const monitor : {"tp_noop", "raw_tp_noop"}) {
    SCOPED_TRACE(monitor);
    BPFMARK_LOAD(kind_of("openat"), monitor);
    const auto make = [this]() -> Result<void> {
      make_calls(10);
      return {};
    };
    // Other processes may run it, but not when it is not attached.
    EXPECT_THAT(probe_->prove_runs(10, make), refused(HasSubstr("ran 0 times for 10 calls")));
    ASSERT_THAT(probe_->attach_monitor(), IsOk());
    EXPECT_THAT(probe_->prove_runs(10, make), IsOk());
    probe_->detach_monitor();
  }
}

TEST_F(Probe, RefusesEventsOfCallsThatFailed) {
  BPFMARK_LOAD(kind_of("openat"), "tp_ringbuf");
  ASSERT_THAT(probe_->attach_monitor(), IsOk());
  ASSERT_THAT(probe_->expect_calls(), IsOk());
  ASSERT_LT(::open("/no such file", O_RDONLY), 0);
  EXPECT_THAT(probe_->check_calls(1), refused(HasSubstr("with value -2")));
}

TEST(CheckWithin, RefusesAKernelThatIsSlowerThanItsCaller) {
  const std::vector<std::uint64_t> caller = {10, 20, 30};
  EXPECT_THAT(check_within(std::vector<std::uint64_t>{9, 20, 1}, caller), IsOk());
  EXPECT_THAT(check_within(std::vector<std::uint64_t>{9, 21, 1}, caller),
              refused(HasSubstr("call 1 took 21 ns in the kernel and 20 ns for its caller")));
  EXPECT_THAT(check_within(std::vector<std::uint64_t>{9, 20}, caller),
              refused(HasSubstr("2 samples of the kernel for 3")));
}

// --- the child dies

TEST(SyscallLatency, DeathOfTheChildIsAnErrorAndLeavesNothingAttached) {
  for (const char* const call : {"execve", "pipe"}) {
    SCOPED_TRACE(call);
    const auto load =
        load_case(*find_case("syscall_latency/call:" + std::string(call) + "/monitor:tp_ringbuf"));
    if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
    ASSERT_THAT((*load)->prepare(Arm::kSubject), IsOk());
    ASSERT_THAT((*load)->run(Arm::kSubject, 4), IsOk());
    std::ifstream children("/proc/thread-self/children");
    pid_t child = 0;
    ASSERT_TRUE(children >> child);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    // The leak check of this test finds a program that is still attached.
    EXPECT_THAT((*load)->run(Arm::kSubject, 100'000),
                ErrorIs(ErrorKind::kSystem, HasSubstr("was killed by signal 9")));
  }
}

// --- programs of others

TEST(SyscallLatency, ExternalNamesTheProgramsOfOthers) {
  const Case& c = *find_case("syscall_latency/call:getppid/monitor:external");
  const auto load = load_case(c);
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  auto agent = SyscallProbe::load(kind_of("getppid"), *find_syscall_monitor("tp_count"));
  ASSERT_THAT(agent, IsOk());
  ASSERT_THAT((*agent)->attach_observed_monitor(), IsOk());
  ASSERT_THAT((*load)->run(Arm::kSubject, 10), IsOk());
  Findings findings;
  ASSERT_THAT((*load)->finish(findings), IsOk());
  EXPECT_THAT(findings.foreign_programs,
              Contains(AllOf(Field(&ForeignProgram::name, "observe_enter"),
                             Field(&ForeignProgram::type, "raw_tracepoint"),
                             Field(&ForeignProgram::attach, "raw_tp sys_enter"),
                             Field(&ForeignProgram::tag, SizeIs(16)))));
  EXPECT_THAT(findings.foreign_programs,
              Contains(AllOf(Field(&ForeignProgram::name, "monitor_tp_coun"),
                             Field(&ForeignProgram::attach, "tp sys_enter_getppid"))));
}

}  // namespace
}  // namespace bpfmark
