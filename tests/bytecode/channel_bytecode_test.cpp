// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bpf/shared/channel.h"
#include "channel.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code_test.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

constexpr const char* kPrograms[] = {"send_nothing", "send_ringbuf", "send_perfbuf", "send_slot",
                                     "send_arena"};

using ChannelBytecode = ObjectCodeTest<channel_bpf>;

// One record calls these once each, and for its time the clock.
Result<void> check_record(const Function& body, const std::vector<bpf_func_id>& helpers) {
  for (const bpf_func_id helper : helpers) {
    if (count_helper_calls(body, helper) != 1) {
      return wrong_result(body.name + " does not call helper " + std::to_string(helper) + " once");
    }
  }
  if (count_helper_calls(body, BPF_FUNC_ktime_get_ns) != 1 ||
      count_helper_calls(body) != helpers.size() + 1) {
    return wrong_result(body.name + " calls something else than the clock and its channel");
  }
  return {};
}

TEST_F(ChannelBytecode, LoopOfEveryProgramIsTimed) {
  for (const std::string name : kPrograms) {
    EXPECT_THAT(timed_callback(function(name)), IsOkAndHolds(name + "_one"));
  }
}

TEST_F(ChannelBytecode, RecordUsesItsChannelOnce) {
  EXPECT_THAT(
      check_record(function("send_ringbuf_one"),
                   {BPF_FUNC_ringbuf_reserve, BPF_FUNC_ringbuf_query, BPF_FUNC_ringbuf_submit}),
      IsOk());
  EXPECT_THAT(check_record(function("send_perfbuf_one"), {BPF_FUNC_perf_event_output}), IsOk());
  EXPECT_THAT(check_record(function("send_slot_one"), {BPF_FUNC_map_lookup_elem}), IsOk());
  EXPECT_THAT(check_record(function("send_arena_one"), {}), IsOk());
  EXPECT_THAT(check_record(function("send_frame"), {BPF_FUNC_redirect_map}), IsOk());
}

TEST_F(ChannelBytecode, FloorPutsTogetherAndSendsNothing) {
  EXPECT_THAT(check_record(function("send_nothing_one"), {}), IsOk());
  EXPECT_THAT(check_record(function("send_no_frame"), {}), IsOk());
}

TEST_F(ChannelBytecode, PlantedFaultAChannelIsNoFloor) {
  EXPECT_THAT(check_record(function("send_slot_one"), {}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("something else")));
  EXPECT_THAT(check_record(function("send_frame"), {}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("something else")));
  EXPECT_THAT(check_record(function("send_nothing_one"), {BPF_FUNC_ringbuf_submit}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("does not call")));
}

}  // namespace
}  // namespace bpfmark
