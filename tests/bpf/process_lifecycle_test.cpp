// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <thread>

#include "bpf/shared/process_lifecycle.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_links.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

std::atomic<bool> children_die = false;

// Every fork() of this process runs it in the child; it cannot be taken back.
void die_if_told_to() {
  if (children_die) std::raise(SIGKILL);
}

class ProcessLifecycle : public LoadedCase {
 protected:
  static void SetUpTestSuite() { pthread_atfork(nullptr, nullptr, die_if_told_to); }

  // All children were reaped.
  void TearDown() override {
    load_.reset();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
  }
};

TEST_F(ProcessLifecycle, ChildThatDiesEarlyIsRefused) {
  for (const char* const op : {"fork_exit", "fork_touch_exit", "fork_exec"}) {
    SCOPED_TRACE(op);
    ASSERT_NO_FATAL_FAILURE(load(std::string("process_lifecycle/op:") + op + "/probe:none"));
    if (IsSkipped()) return;
    children_die = true;
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("a child was ended by signal 9")));
    children_die = false;
    EXPECT_THAT(run(Arm::kSubject), IsOk());
  }
}

TEST_F(ProcessLifecycle, DeadChildLeavesNothingAttached) {
  ASSERT_NO_FATAL_FAILURE(load("process_lifecycle/op:fork_exec/probe:exec_exit_ringbuf"));
  if (IsSkipped()) return;
  children_die = true;
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("a child was ended by signal 9")));
  children_die = false;
  load_.reset();
  EXPECT_THAT(own_links(), IsEmpty());
}

TEST_F(ProcessLifecycle, ProbesAreAttachedForTheSubjectOnly) {
  ASSERT_NO_FATAL_FAILURE(load("process_lifecycle/op:fork_exit/probe:exec_exit_ringbuf"));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  EXPECT_THAT(own_links(), SizeIs(2));
  ASSERT_THAT(load_->prepare(Arm::kFloor), IsOk());
  EXPECT_THAT(own_links(), IsEmpty());
}

// A process of our own that the case did not make: what a filter that lets too much through sees.
TEST_F(ProcessLifecycle, LifeThatWasNotMadeIsRefused) {
  for (const char* const probe : {"fork", "exec_exit_ringbuf"}) {
    SCOPED_TRACE(probe);
    ASSERT_NO_FATAL_FAILURE(load(std::string("process_lifecycle/op:fork_exit/probe:") + probe));
    if (IsSkipped()) return;
    std::atomic<bool> stop = false;
    std::atomic<int> made = 0;
    std::jthread intruder([&] {
      while (!stop) {
        std::jthread([] {}).join();
        ++made;
      }
    });
    while (made == 0) std::this_thread::yield();
    // A hundred times as many as usual, so that the other thread gets its turn.
    EXPECT_THAT(load_->run(Arm::kSubject, 400),
                refused(AllOf(HasSubstr("instead of"), HasSubstr("400"))));
    stop = true;
  }
}

TEST_F(ProcessLifecycle, ProbeThatSeesNothingIsRefused) {
  for (const auto& [probe, complaint] :
       {std::pair{"fork", "0 forks were counted instead of 4"},
        std::pair{"exec_exit_ringbuf", "0 execs, 0 exits and 0 strange records arrived"}}) {
    SCOPED_TRACE(probe);
    ASSERT_NO_FATAL_FAILURE(load(std::string("process_lifecycle/op:fork_exit/probe:") + probe));
    if (IsSkipped()) return;
    ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
    detach_own_links();
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr(complaint)));
  }
}

TEST_F(ProcessLifecycle, RecordsThatFindNoRoomAreCountedAsLost) {
  ASSERT_NO_FATAL_FAILURE(load("process_lifecycle/op:thread_create/probe:exec_exit_ringbuf"));
  if (IsSkipped()) return;
  constexpr std::uint64_t kRing_bytes = 1024 * 1024;
  constexpr std::uint64_t kRoom = (kRing_bytes - 1) / (sizeof(bpfmark_process_event) + 8);
  ASSERT_THAT(load_->run(Arm::kSubject, kRoom + 100), IsOk());
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  // Before 6.16 a thread that was joined may yet have to exit, and finds a ring that has been read.
  EXPECT_THAT(findings.counters["lost"], AllOf(Ge(99), Le(100)));
}

TEST_F(ProcessLifecycle, ProbesOfOthersAreNamed) {
  ASSERT_NO_FATAL_FAILURE(load("process_lifecycle/op:fork_exit/probe:exec_exit_ringbuf"));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  const auto other = load_case(*find_case("process_lifecycle/op:fork_exit/probe:none"));
  ASSERT_THAT(other, IsOk());
  Findings findings;
  ASSERT_THAT((*other)->finish(findings), IsOk());
  for (const char* const event : {"exec", "exit"}) {
    EXPECT_THAT(findings.foreign_programs,
                Contains(AllOf(
                    Field(&ForeignProgram::name, std::string("send_") + event),
                    Field(&ForeignProgram::attach, std::string("raw_tp sched_process_") + event))));
  }
}

}  // namespace
}  // namespace bpfmark
