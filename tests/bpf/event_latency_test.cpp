// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_variable.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

std::string route(const char* channel, const char* wakeup, const char* cpu) {
  return std::string("event_latency/channel:") + channel + "/wakeup:" + wakeup + "/cpu:" + cpu;
}

class EventLatency : public LoadedCase {
 protected:
  std::uint64_t batch() const { return case_->plan.ops_per_batch; }
};

TEST_F(EventLatency, EveryEventOfTheSubjectIsInTheHistogram) {
  for (const std::string& name :
       {route("ringbuf", "each", "same"), route("ringbuf", "nth_16", "split"),
        route("ringbuf", "busy_poll", "split"), route("perfbuf", "each", "split"),
        route("perfbuf", "nth_16", "same"), route("user_ringbuf", "each", "same"),
        route("user_ringbuf", "busy_poll", "split")}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    ASSERT_THAT(run(Arm::kSubject), IsOk());
    Findings findings;
    ASSERT_THAT(load_->finish(findings), IsOk());
    EXPECT_EQ(findings.histogram("latency").count(), 2 * batch());
    EXPECT_GT(findings.histogram("latency").min_ns(), 0u);
    EXPECT_EQ(findings.counters["lost"], 0);
  }
}

TEST_F(EventLatency, RefusesAnEventThatWasNeverProduced) {
  for (const char* const channel : {"ringbuf", "perfbuf"}) {
    SCOPED_TRACE(channel);
    ASSERT_NO_FATAL_FAILURE(load(route(channel, "each", "same")));
    if (IsSkipped()) return;
    int calls = 0;
    const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
      return ++calls == 7 ? pretend_to_run(prog_fd, options) : TestRunFault::real(prog_fd, options);
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("6 events were produced instead of 7")));
  }
}

TEST_F(EventLatency, RefusesAnEventThatComesTwice) {
  for (const char* const channel : {"ringbuf", "perfbuf"}) {
    SCOPED_TRACE(channel);
    ASSERT_NO_FATAL_FAILURE(load(route(channel, "busy_poll", "same")));
    if (IsSkipped()) return;
    const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
      TestRunFault::real(prog_fd, options);
      return TestRunFault::real(prog_fd, options);
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("2 events were produced instead of 1")));
  }
}

// The program's own words for "no room": the event is produced, and lost.
TEST_F(EventLatency, LostEventIsCountedAndShown) {
  ASSERT_NO_FATAL_FAILURE(load(route("ringbuf", "busy_poll", "same")));
  if (IsSkipped()) return;
  const OwnVariable produced("event_la.bss", "produced"), lost("event_la.bss", "lost");
  ASSERT_NE(produced.get(), nullptr);
  ASSERT_NE(lost.get(), nullptr);
  {
    int calls = 0;
    const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
      if (++calls != 7) return TestRunFault::real(prog_fd, options);
      ++*produced.get();
      ++*lost.get();
      return pretend_to_run(prog_fd, options);
    });
    ASSERT_THAT(run(Arm::kSubject), IsOk());
  }
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["lost"], 1);
  EXPECT_EQ(findings.histogram("latency").count(), 2 * batch() - 1);
}

TEST_F(EventLatency, RefusesAnEventThatGotLostUnnoticed) {
  ASSERT_NO_FATAL_FAILURE(load(route("ringbuf", "busy_poll", "same")));
  if (IsSkipped()) return;
  const OwnVariable produced("event_la.bss", "produced");
  ASSERT_NE(produced.get(), nullptr);
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    ++*produced.get();
    return pretend_to_run(prog_fd, options);
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 events arrived instead of 1")));
  EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("0 events arrived instead of 1")));
}

TEST_F(EventLatency, RefusesAnEventFromTheFuture) {
  ASSERT_NO_FATAL_FAILURE(load(route("ringbuf", "busy_poll", "same")));
  if (IsSkipped()) return;
  const OwnVariable slot_time("event_la.bss", "slot");
  ASSERT_NE(slot_time.get(), nullptr);
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    slot_time.get()[1] += 3'600'000'000'000;
    return err;
  });
  EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("from the future")));
}

TEST_F(EventLatency, RefusesADrainThatDoesNothing) {
  ASSERT_NO_FATAL_FAILURE(load(route("user_ringbuf", "nth_16", "same")));
  if (IsSkipped()) return;
  const TestRunFault fault(pretend_to_run);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 events arrived instead of 16")));
}

TEST_F(EventLatency, ConsumerThatFailsEndsTheBatchWithItsError) {
  ASSERT_NO_FATAL_FAILURE(load(route("user_ringbuf", "busy_poll", "split")));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kFloor), IsOk());  // so that the subject's consumer starts anew
  const TestRunFault fault([](int, bpf_test_run_opts*) { return -ENOMEM; });
  EXPECT_THAT(run(Arm::kSubject), ErrorIs(ErrorKind::kSystem, HasSubstr("Cannot allocate")));
}

}  // namespace
}  // namespace bpfmark
