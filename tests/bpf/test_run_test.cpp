// SPDX-License-Identifier: BSD-2-Clause
#include "harness/test_run.h"

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "fixtures/skeleton.h"
#include "harness/interrupt.h"
#include "harness/program_type.h"
#include "tests/bpf/test_run_fault.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"
// The skeleton comes last, like everywhere.
#include "hook_entry.skel.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Lt;

// Some 50 ms of empty programs: a signal after 5 ms falls into the middle.
constexpr std::uint32_t kLongRepeat = 2'000'000;
constexpr suseconds_t kSignalAfterUs = 5000;

void send_once(suseconds_t after_us) {
  const itimerval once = {.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = after_us}};
  setitimer(ITIMER_REAL, &once, nullptr);
}

void handle_alarm(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigaction(SIGALRM, &action, nullptr);
}

class TestRunOfTc : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Skeleton<hook_entry_bpf>::open();
    ASSERT_THAT(opened, IsOk());
    skeleton_.emplace(std::move(*opened));
    bpf_program__set_autoload((*skeleton_)->progs.tc_counter, true);
    if (Result<void> loaded = skeleton_->load(); !loaded) BPFMARK_SKIP_OR_FAIL(loaded.error());
  }

  TestRun counting() const {
    return {bpf_program__fd((*skeleton_)->progs.tc_counter), find_program_type("tc")->input()};
  }
  std::uint64_t runs() const { return (*skeleton_)->bss->runs; }

 private:
  std::optional<Skeleton<hook_entry_bpf>> skeleton_;
};

TEST_F(TestRunOfTc, RunsExactlyAsOftenAsAsked) {
  for (const std::uint32_t repeat : {1u, 2u, 1000u}) {
    const std::uint64_t before = runs();
    const Result<TestRunOutcome> outcome = counting().run(repeat);
    ASSERT_THAT(outcome, IsOk());
    EXPECT_EQ(runs() - before, repeat);
    EXPECT_EQ(outcome->restarts, 0u);
    EXPECT_EQ(outcome->retval, 0u);
    EXPECT_THAT(outcome->elapsed_ns, Gt(0));
  }
}

TEST_F(TestRunOfTc, CallThatASignalBrokeIsDoneAgainFromTheStart) {
  handle_alarm([](int) {});
  send_once(kSignalAfterUs);
  const Result<TestRunOutcome> outcome = counting().run(kLongRepeat);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->restarts, 1u);
  // The broken call left some of its repeats behind, the second made all of them.
  EXPECT_THAT(runs(), AllOf(Gt(kLongRepeat), Lt(2 * kLongRepeat)));
}

TEST_F(TestRunOfTc, EveryRestartIsCountedAndOnlyTheLastCallIsTimed) {
  int calls = 0;
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    if (++calls <= 3) {
      usleep(20'000);
      return -EINTR;
    }
    return TestRunFault::real(prog_fd, options);
  });
  const Result<TestRunOutcome> outcome = counting().run(1);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->restarts, 3u);
  EXPECT_EQ(runs(), 1u);
  EXPECT_THAT(outcome->elapsed_ns, Lt(20e6));
}

TEST_F(TestRunOfTc, SignalThatAsksToStopEndsTheCall) {
  // In a process of its own, because a stop cannot be taken back.
  EXPECT_EXIT(
      {
        catch_stop_signals();
        handle_alarm([](int) { raise(SIGTERM); });
        send_once(kSignalAfterUs);
        const Result<TestRunOutcome> outcome = counting().run(kLongRepeat);
        const bool stopped = !outcome && outcome.error().kind == ErrorKind::kInterrupted;
        std::_Exit(stopped && stop_signal() == SIGTERM ? 42 : 1);
      },
      ::testing::ExitedWithCode(42), "");
}

TEST_F(TestRunOfTc, ErrorsCarryTheKernelsErrno) {
  const TestRunFault fault([](int, bpf_test_run_opts*) { return -E2BIG; });
  const Result<TestRunOutcome> outcome = counting().run(1);
  ASSERT_THAT(outcome, ErrorIs(ErrorKind::kSystem, HasSubstr("BPF_PROG_TEST_RUN: ")));
  EXPECT_EQ(outcome.error().errnum, E2BIG);
}

TEST(TestRunOfNothing, ClosedDescriptorIsASystemError) {
  const Result<TestRunOutcome> outcome = TestRun(-1, {}).run(1);
  ASSERT_THAT(outcome, ErrorIs(ErrorKind::kSystem, HasSubstr("BPF_PROG_TEST_RUN")));
  EXPECT_THAT(outcome.error().errnum, Ge(1));
}

}  // namespace
}  // namespace bpfmark
