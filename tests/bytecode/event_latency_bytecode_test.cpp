// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bpf/shared/event_latency.h"
#include "bpf/shared/histogram.h"
#include "event_latency.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code_test.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

using EventLatencyBytecode = ObjectCodeTest<event_latency_bpf>;

// The helpers that a function calls, in their order.
std::vector<int> helpers_of(const Function& function) {
  std::vector<int> helpers;
  for (const Instruction& instruction : function.code) {
    if (instruction.calls_helper()) helpers.push_back(instruction.raw.imm);
  }
  return helpers;
}

TEST_F(EventLatencyBytecode, TimeIsTakenLastBeforeTheRecordGoes) {
  EXPECT_THAT(helpers_of(function("event_ringbuf")),
              ::testing::ElementsAre(BPF_FUNC_ringbuf_reserve, BPF_FUNC_ktime_get_ns,
                                     BPF_FUNC_ringbuf_submit));
  EXPECT_THAT(helpers_of(function("event_perfbuf")),
              ::testing::ElementsAre(BPF_FUNC_ktime_get_ns, BPF_FUNC_perf_event_output));
}

TEST_F(EventLatencyBytecode, FloorsReadTheClockAndUseNoChannel) {
  for (const char* const floor : {"event_slot", "event_look"}) {
    EXPECT_THAT(check_calls_only(function(floor), BPF_FUNC_ktime_get_ns, 1), IsOk()) << floor;
  }
}

TEST_F(EventLatencyBytecode, DrainCallsBackARecordAtATime) {
  EXPECT_THAT(check_calls_only(function("event_drain"), BPF_FUNC_user_ringbuf_drain, 1), IsOk());
  EXPECT_THAT(helpers_of(function("take_record")),
              ::testing::ElementsAre(BPF_FUNC_dynptr_read, BPF_FUNC_ktime_get_ns));
}

TEST_F(EventLatencyBytecode, PlantedFaultAChannelIsNoFloor) {
  EXPECT_THAT(check_calls_only(function("event_perfbuf"), BPF_FUNC_ktime_get_ns, 1),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("event_perfbuf")));
}

}  // namespace
}  // namespace bpfmark
