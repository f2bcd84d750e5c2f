// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bpf/shared/histogram.h"
#include "bpf/shared/syscall_latency.h"
#include "syscall_latency.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::SizeIs;

const Function& program(const std::string& name) {
  static const ObjectCode code = ObjectCode::of_skeleton<syscall_latency_bpf>().value();
  static const Function none{};
  const Function* const found = code.find(name);
  EXPECT_NE(found, nullptr) << name;
  return found == nullptr ? none : *found;
}

// The place of the first call of a helper, or the end.
std::size_t place_of(const Function& function, bpf_func_id helper) {
  std::size_t place = 0;
  while (place < function.code.size() && !function.code[place].calls_helper(helper)) ++place;
  return place;
}

TEST(SyscallLatencyBytecode, ObserverReadsTheClockOnceAtEachEnd) {
  for (const char* const name : {"observe_enter", "observe_exit"}) {
    EXPECT_EQ(count_helper_calls(program(name), BPF_FUNC_ktime_get_ns), 1u) << name;
    EXPECT_EQ(count_helper_calls(program(name), BPF_FUNC_get_current_pid_tgid), 1u) << name;
  }
}

// What the observer itself does lies outside of the time that it takes.
TEST(SyscallLatencyBytecode, ObserverKeepsItsOwnWorkOutside) {
  const Function& enter = program("observe_enter");
  EXPECT_GT(place_of(enter, BPF_FUNC_ktime_get_ns), place_of(enter, BPF_FUNC_get_current_pid_tgid));
  EXPECT_EQ(count_helper_calls(enter), 2u);
  const Function& exit = program("observe_exit");
  EXPECT_LT(place_of(exit, BPF_FUNC_ktime_get_ns), place_of(exit, BPF_FUNC_map_lookup_elem));
  EXPECT_LT(place_of(exit, BPF_FUNC_ktime_get_ns), exit.code.size());
}

TEST(SyscallLatencyBytecode, EmptyMonitorsAreAReturnOfZero) {
  for (const char* const name : {"monitor_tp_noop", "monitor_raw_noop"}) {
    const Function& empty = program(name);
    ASSERT_THAT(empty.code, SizeIs(2)) << name;
    EXPECT_EQ(empty.code[0].raw.code, BPF_ALU | BPF_MOV | BPF_K);
    EXPECT_EQ(empty.code[0].raw.imm, 0);
    EXPECT_EQ(empty.code[1].raw.code, BPF_JMP | BPF_EXIT);
  }
}

struct Expected {
  const char* program;
  bpf_func_id helper;
  std::size_t times;
};

TEST(SyscallLatencyBytecode, MonitorsDoWhatTheyAreNamedFor) {
  for (const Expected& expected : {Expected{"monitor_tp_count", BPF_FUNC_map_lookup_elem, 1},
                                   Expected{"monitor_tp_hash", BPF_FUNC_map_lookup_elem, 1},
                                   Expected{"monitor_raw_all", BPF_FUNC_map_lookup_elem, 1},
                                   Expected{"monitor_tp_ring", BPF_FUNC_ringbuf_reserve, 1},
                                   Expected{"monitor_tp_ring", BPF_FUNC_ringbuf_submit, 1},
                                   Expected{"monitor_tp_ring", BPF_FUNC_probe_read_user_str, 0},
                                   Expected{"monitor_argcopy", BPF_FUNC_ringbuf_reserve, 1},
                                   Expected{"monitor_argcopy", BPF_FUNC_ringbuf_submit, 1},
                                   Expected{"monitor_argcopy", BPF_FUNC_probe_read_user_str, 1},
                                   Expected{"monitor_argcopy", BPF_FUNC_probe_read_user, 1},
                                   Expected{"monitor_lsm", BPF_FUNC_map_lookup_elem, 0}}) {
    EXPECT_EQ(count_helper_calls(program(expected.program), expected.helper), expected.times)
        << expected.program;
  }
}

// The cheap ones must not read a clock, which costs as much as they do.
TEST(SyscallLatencyBytecode, CountingMonitorsReadNoClock) {
  for (const char* const name :
       {"monitor_tp_count", "monitor_tp_hash", "monitor_raw_all", "monitor_lsm"}) {
    EXPECT_EQ(count_helper_calls(program(name), BPF_FUNC_ktime_get_ns), 0u) << name;
  }
}

}  // namespace
}  // namespace bpfmark
