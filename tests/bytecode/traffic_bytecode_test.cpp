// SPDX-License-Identifier: BSD-2-Clause
// What the programs on the way of packets call, and that their floors do not: an operation that the
// compiler dropped, or a floor that has it too, would give a number all the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "bpf/shared/batching.h"
#include "bpf/shared/histogram.h"
#include "bpf/shared/map_under_traffic.h"
#include "bpf/shared/tcp_connect.h"
#include "bpf/shared/time_to_hook.h"
#include "bpf/shared/traffic.h"
#include "drop.skel.h"
#include "interference.skel.h"
#include "map_under_traffic.skel.h"
#include "packet_size.skel.h"
#include "passthrough.skel.h"
#include "request_batching.skel.h"
#include "tcp_connect.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"
#include "time_to_hook.skel.h"
#include "traffic_source.skel.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

// The helpers that a program calls, as often as they are named, and no other.
struct Calls {
  const char* program;
  std::vector<bpf_func_id> helpers;
};

Result<void> check_calls(const Function& function, const Calls& calls) {
  for (const bpf_func_id helper : calls.helpers) {
    const auto times = static_cast<std::size_t>(std::ranges::count(calls.helpers, helper));
    if (count_helper_calls(function, helper) != times) {
      return wrong_result(function.name + " does not call helper " + std::to_string(helper) + " " +
                          std::to_string(times) + " times");
    }
  }
  if (count_helper_calls(function) != calls.helpers.size()) {
    return wrong_result(function.name + " calls something else");
  }
  return {};
}

template <class S>
void expect_calls(const std::vector<Calls>& programs) {
  const Result<ObjectCode> code = ObjectCode::of_skeleton<S>();
  ASSERT_THAT(code, IsOk());
  for (const Calls& calls : programs) {
    SCOPED_TRACE(calls.program);
    const Function* const function = code->find(calls.program);
    ASSERT_NE(function, nullptr);
    EXPECT_THAT(check_calls(*function, calls), IsOk());
  }
}

TEST(TrafficBytecode, SourceRedirectsAndItsFloorDoesNot) {
  expect_calls<traffic_source_bpf>(
      {{"traffic_send", {BPF_FUNC_redirect_map}}, {"traffic_discard", {}}});
}

TEST(TrafficBytecode, DropsAndPassesCallNothing) {
  expect_calls<drop_bpf>({{"drop_xdp", {}}, {"drop_tc", {}}, {"drop_sk_skb", {}}});
  expect_calls<passthrough_bpf>({{"pass_xdp", {}},
                                 {"pass_tc", {}},
                                 {"pass_cgroup", {}},
                                 {"pass_socket", {}},
                                 {"pass_sk_skb", {}}});
  expect_calls<tcp_connect_bpf>(
      {{"connect_cgroup4", {}}, {"connect_sockops", {}}, {"connect_lookup", {}}});
}

TEST(TrafficBytecode, OneLookupAPacket) {
  expect_calls<map_under_traffic_bpf>(
      {{"number_lookup", {BPF_FUNC_map_lookup_elem}}, {"key_lookup", {BPF_FUNC_map_lookup_elem}}});
}

TEST(TrafficBytecode, ClockIsReadOnceAtEachEndOfTheWayAndOnceMoreByTheFloor) {
  expect_calls<time_to_hook_bpf>(
      {{"stamp_pass", {BPF_FUNC_ktime_get_ns, BPF_FUNC_ktime_get_ns}},
       {"stamp_redirect", {BPF_FUNC_ktime_get_ns, BPF_FUNC_ktime_get_ns, BPF_FUNC_redirect_map}},
       {"arrive_tc", {BPF_FUNC_ktime_get_ns, BPF_FUNC_skb_load_bytes}},
       {"arrive_cgroup", {BPF_FUNC_ktime_get_ns, BPF_FUNC_skb_load_bytes}},
       {"arrive_sk_skb", {BPF_FUNC_ktime_get_ns, BPF_FUNC_skb_load_bytes}}});
}

TEST(TrafficBytecode, JoinGrowsTheLastRequestAndWritesIntoIt) {
  expect_calls<request_batching_bpf>(
      {{"batching_xdp", {BPF_FUNC_xdp_adjust_tail, BPF_FUNC_xdp_store_bytes}},
       {"batching_tc", {BPF_FUNC_skb_change_tail, BPF_FUNC_skb_store_bytes}},
       {"batching_sk_skb",
        {BPF_FUNC_probe_read_kernel, BPF_FUNC_skb_pull_data, BPF_FUNC_skb_change_tail,
         BPF_FUNC_skb_store_bytes}}});
}

// The steps are there: a backward jump, and no call.
TEST(TrafficBytecode, AggressorBurnsItsStepsInALoop) {
  const Result<ObjectCode> code = ObjectCode::of_skeleton<interference_bpf>();
  ASSERT_THAT(code, IsOk());
  const Function* const function = code->find("interfere");
  ASSERT_NE(function, nullptr);
  EXPECT_THAT(check_calls_nothing(*function), IsOk());
  const auto is_multiply = [](const Instruction& i) {
    return i.raw.code == (BPF_ALU64 | BPF_MUL | BPF_X);
  };
  EXPECT_EQ(std::ranges::count_if(function->code, is_multiply), 1);
  EXPECT_EQ(std::ranges::count_if(function->code, &Instruction::jumps_backward), 1);
}

TEST(TrafficBytecode, CutTakesItsSizeFromTheMap) {
  expect_calls<packet_size_bpf>(
      {{"size_cut", {BPF_FUNC_map_lookup_elem, BPF_FUNC_xdp_adjust_tail}}});
}

TEST(TrafficBytecode, MissingAndForeignCallsAreFound) {
  const Result<ObjectCode> code = ObjectCode::of_skeleton<map_under_traffic_bpf>();
  ASSERT_THAT(code, IsOk());
  const Function& lookup = *code->find("key_lookup");
  EXPECT_THAT(check_calls(lookup, {"key_lookup", {BPF_FUNC_redirect_map}}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("does not call helper 51 1 times")));
  EXPECT_THAT(check_calls(lookup, {"key_lookup", {}}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("calls something else")));
}

}  // namespace
}  // namespace bpfmark
