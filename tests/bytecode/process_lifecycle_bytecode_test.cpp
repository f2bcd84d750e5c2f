// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "bpf/shared/process_lifecycle.h"
#include "process_lifecycle.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code_test.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

using LifecycleBytecode = ObjectCodeTest<process_lifecycle_bpf>;

// Two probes that do the same up to the type of their records.
Result<void> check_same_but_type(const Function& exec, const Function& exit) {
  if (exec.code.size() != exit.code.size()) return wrong_result("another number of instructions");
  for (std::size_t i = 0; i < exec.code.size(); ++i) {
    const bpf_insn& one = exec.code[i].raw;
    const bpf_insn& other = exit.code[i].raw;
    const bool types = one.imm == BPFMARK_PROCESS_EXEC && other.imm == BPFMARK_PROCESS_EXIT;
    if (!types && std::memcmp(&one, &other, sizeof(one)) != 0) {
      return wrong_result(fmt::format("another instruction {}", i));
    }
  }
  return {};
}

TEST_F(LifecycleBytecode, CountOfForksLooksAtItsProcessOnly) {
  EXPECT_THAT(check_calls_only(function("count_fork"), BPF_FUNC_get_current_pid_tgid, 1), IsOk());
}

TEST_F(LifecycleBytecode, RecordHasTimeAndNameAndGoesOnce) {
  for (const char* const name : {"send_exec", "send_exit"}) {
    const Function& send = function(name);
    for (const bpf_func_id helper :
         {BPF_FUNC_get_current_pid_tgid, BPF_FUNC_get_current_task_btf, BPF_FUNC_ringbuf_reserve,
          BPF_FUNC_ktime_get_ns, BPF_FUNC_get_current_comm, BPF_FUNC_ringbuf_submit}) {
      EXPECT_EQ(count_helper_calls(send, helper), 1u) << name << " helper " << helper;
    }
    EXPECT_EQ(count_helper_calls(send), 6u) << name;
  }
}

TEST_F(LifecycleBytecode, ExecAndExitDifferInTheTypeOnly) {
  EXPECT_THAT(check_same_but_type(function("send_exec"), function("send_exit")), IsOk());
  EXPECT_THAT(check_same_but_type(function("send_exec"), function("count_fork")),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("number of instructions")));
}

TEST_F(LifecycleBytecode, RecordIsThatOfTheReference) {
  EXPECT_EQ(sizeof(bpfmark_process_event), 40u);
}

TEST_F(LifecycleBytecode, PlantedFaultARecordIsNoCount) {
  EXPECT_THAT(check_calls_only(function("send_exit"), BPF_FUNC_get_current_pid_tgid, 1),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("send_exit")));
}

}  // namespace
}  // namespace bpfmark
