// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bpf/shared/page_fault.h"
#include "page_fault.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

// Loads of the context's address and instruction, and the two helpers of a monitor.
Result<void> check_monitor(const Function& function) {
  for (const int offset : {8, 16}) {
    const bool read = std::ranges::any_of(function.code, [&](const Instruction& i) {
      return i.raw.code == (BPF_LDX | BPF_MEM | BPF_DW) && i.raw.off == offset;
    });
    if (!read) return wrong_result("does not read the event at offset " + std::to_string(offset));
  }
  if (count_helper_calls(function, BPF_FUNC_get_current_pid_tgid) != 1 ||
      count_helper_calls(function, BPF_FUNC_get_current_comm) != 1 ||
      count_helper_calls(function) != 2) {
    return wrong_result("does not look up process and name, and nothing else");
  }
  return {};
}

TEST(PageFaultBytecode, MonitorReadsTheEventProcessAndNameAndPrintsNothing) {
  const Result<ObjectCode> code = ObjectCode::of_skeleton<page_fault_bpf>();
  ASSERT_THAT(code, IsOk());
  const Function* const monitor = code->find("note_fault");
  ASSERT_NE(monitor, nullptr);
  EXPECT_THAT(check_monitor(*monitor), IsOk());

  Function blind = *monitor;
  std::erase_if(blind.code, [](const Instruction& i) {
    return i.raw.code == (BPF_LDX | BPF_MEM | BPF_DW) && i.raw.off == 16;
  });
  EXPECT_THAT(check_monitor(blind), ErrorIs(ErrorKind::kWrongResult, HasSubstr("offset 16")));
  Function printing = *monitor;
  printing.code.push_back(
      {.raw = {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_trace_printk}, .symbol = ""});
  EXPECT_THAT(check_monitor(printing), ErrorIs(ErrorKind::kWrongResult, HasSubstr("nothing else")));
}

}  // namespace
}  // namespace bpfmark
