// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/object_code.h"

#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bpf/shared/histogram.h"
#include "fixtures/skeleton.h"
#include "tests/support/result_matchers.h"
// The skeleton uses the shared struct.
#include "histogram.skel.h"

namespace bpfmark {
namespace {

using ::testing::_;
using ::testing::HasSubstr;

Instruction instruction(bpf_insn insn) { return {.raw = insn, .symbol = ""}; }

TEST(ObjectCode, AgreesWithLibbpfOnEveryProgram) {
  const auto code = ObjectCode::of_skeleton<histogram_bpf>();
  ASSERT_THAT(code, IsOk());
  const auto skeleton = Skeleton<histogram_bpf>::open();
  ASSERT_THAT(skeleton, IsOk());
  std::size_t programs = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, (*skeleton)->obj) {
    const Function* const function = code->find(bpf_program__name(program));
    ASSERT_NE(function, nullptr) << bpf_program__name(program);
    ASSERT_EQ(function->code.size(), bpf_program__insn_cnt(program));
    for (std::size_t i = 0; i < function->code.size(); ++i) {
      EXPECT_EQ(
          std::memcmp(&function->code[i].raw, bpf_program__insns(program) + i, sizeof(bpf_insn)),
          0);
    }
    ++programs;
  }
  EXPECT_EQ(programs, 1u);
}

TEST(ObjectCode, ShowsTheSubprogramsThatLibbpfDoesNot) {
  const auto code = ObjectCode::of_skeleton<histogram_bpf>();
  ASSERT_THAT(code, IsOk());
  EXPECT_NE(code->find("record_value"), nullptr);
  EXPECT_EQ(code->find("no such function"), nullptr);
}

TEST(ObjectCode, NamesTheCallbackThatAProgramPassesOn) {
  const auto code = ObjectCode::of_skeleton<histogram_bpf>();
  ASSERT_THAT(code, IsOk());
  std::vector<std::string> symbols;
  for (const Instruction& each : code->find("histogram_record")->code) {
    if (!each.symbol.empty()) symbols.push_back(each.symbol);
  }
  EXPECT_THAT(symbols, ::testing::UnorderedElementsAre("value_count", "record_value"));
}

TEST(ObjectCode, RefusesWhatIsNoBpfObject) {
  const std::string text = "no ELF file, but long enough to be looked at";
  EXPECT_THAT(ObjectCode::parse(text.data(), text.size()),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("no BPF object")));
  EXPECT_THAT(ObjectCode::parse(text.data(), 0), ErrorIs(ErrorKind::kWrongResult, _));
}

TEST(Instruction, KnowsBackwardJumps) {
  EXPECT_TRUE(instruction({.code = BPF_JMP | BPF_JA, .off = -2}).jumps_backward());
  EXPECT_TRUE(instruction({.code = BPF_JMP | BPF_JLT | BPF_X, .off = -2}).jumps_backward());
  EXPECT_TRUE(instruction({.code = BPF_JMP32 | BPF_JLT | BPF_X, .off = -2}).jumps_backward());
  EXPECT_TRUE(instruction({.code = BPF_JMP32 | BPF_JA, .imm = -2}).jumps_backward());
  EXPECT_FALSE(instruction({.code = BPF_JMP | BPF_JA, .off = 2}).jumps_backward());
  EXPECT_FALSE(instruction({.code = BPF_JMP | BPF_CALL, .imm = -1}).jumps_backward());
  EXPECT_FALSE(instruction({.code = BPF_JMP | BPF_EXIT}).jumps_backward());
  EXPECT_FALSE(instruction({.code = BPF_LDX | BPF_MEM | BPF_W, .off = -4}).jumps_backward());
}

TEST(Instruction, KnowsHelpersFromFunctions) {
  const auto helper = instruction({.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns});
  const auto function =
      instruction({.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 5});
  EXPECT_TRUE(helper.calls_helper(BPF_FUNC_ktime_get_ns));
  EXPECT_FALSE(helper.calls_helper(BPF_FUNC_loop));
  EXPECT_FALSE(helper.calls_function());
  EXPECT_FALSE(function.calls_helper());
  EXPECT_TRUE(function.calls_function());
}

}  // namespace
}  // namespace bpfmark
