// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fixtures/skeleton.h"
#include "hook_entry.skel.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

struct Hook {
  const char* stem;
  int verdict;
};

constexpr std::array kHooks{
    Hook{"xdp", XDP_PASS},      Hook{"tc", 0},        Hook{"sock_filter", 0}, Hook{"cgroup_skb", 1},
    Hook{"flow_dis", 0},        Hook{"lwt_in", 0},    Hook{"lwt_out", 0},     Hook{"lwt_xmit", 0},
    Hook{"sk_lookup", SK_PASS}, Hook{"netfilter", 1}, Hook{"raw_tp", 0},      Hook{"syscall", 0},
};

using Code = std::vector<bpf_insn>;

bool equal(const Code& one, const Code& other) {
  return one.size() == other.size() &&
         std::memcmp(one.data(), other.data(), one.size() * sizeof(bpf_insn)) == 0;
}

// r0 = verdict; exit.
Result<void> check_empty_body(const Code& code, int verdict) {
  const Code expected = {{.code = BPF_ALU | BPF_MOV | BPF_K, .imm = verdict},
                         {.code = BPF_JMP | BPF_EXIT}};
  if (code.size() != 2) return wrong_result(fmt::format("{} instructions", code.size()));
  if (!equal(code, expected)) return wrong_result("not the return of the verdict");
  return {};
}

// The one place where the counter bodies of two types may differ.
Code without_verdict(Code code) {
  for (bpf_insn& insn : code) {
    const bool sets_r0 = insn.code == (BPF_ALU | BPF_MOV | BPF_K) && insn.dst_reg == BPF_REG_0;
    if (sets_r0) insn.imm = 0;
  }
  return code;
}

Result<void> check_counter_body(const Code& code, const Code& reference, int verdict) {
  if (!equal(without_verdict(code), without_verdict(reference))) {
    return wrong_result("another sequence of instructions");
  }
  if (code.size() < 2 || code[code.size() - 2].imm != verdict) {
    return wrong_result("another verdict");
  }
  return {};
}

class HookEntryBytecode : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(skeleton_, IsOk()); }

  Code code_of(const std::string& name) const {
    const bpf_program* const program =
        bpf_object__find_program_by_name((*skeleton_)->obj, name.c_str());
    EXPECT_NE(program, nullptr) << name;
    if (program == nullptr) return {};
    const bpf_insn* const first = bpf_program__insns(program);
    return {first, first + bpf_program__insn_cnt(program)};
  }
  Code empty(const Hook& hook) const { return code_of(fmt::format("{}_empty", hook.stem)); }
  Code counter(const Hook& hook) const { return code_of(fmt::format("{}_counter", hook.stem)); }

  const Result<Skeleton<hook_entry_bpf>> skeleton_ = Skeleton<hook_entry_bpf>::open();
};

TEST_F(HookEntryBytecode, HasAnEmptyAndACounterBodyForEveryHookAndNothingElse) {
  std::size_t programs = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, (*skeleton_)->obj)++ programs;
  EXPECT_EQ(programs, 2 * kHooks.size());
}

TEST_F(HookEntryBytecode, EmptyBodyReturnsItsVerdictAndDoesNothingElse) {
  for (const Hook& hook : kHooks) {
    EXPECT_THAT(check_empty_body(empty(hook), hook.verdict), IsOk()) << hook.stem;
  }
}

TEST_F(HookEntryBytecode, CounterBodyIsTheSameForEveryTypeUpToTheVerdict) {
  const Code reference = counter(kHooks[0]);
  for (const Hook& hook : kHooks) {
    EXPECT_THAT(check_counter_body(counter(hook), reference, hook.verdict), IsOk()) << hook.stem;
  }
}

TEST_F(HookEntryBytecode, CounterBodyIsOneLoadOneAdditionAndOneStore) {
  for (const Hook& hook : kHooks) {
    SCOPED_TRACE(hook.stem);
    const Code code = counter(hook);
    ASSERT_THAT(code, SizeIs(7)) << "the address takes two of them";
    EXPECT_EQ(code[0].code, BPF_LD | BPF_IMM | BPF_DW);
    EXPECT_EQ(code[2].code, BPF_LDX | BPF_MEM | BPF_DW);
    EXPECT_EQ(code[3].code, BPF_ALU64 | BPF_ADD | BPF_K);
    EXPECT_EQ(code[3].imm, 1);
    EXPECT_EQ(code[4].code, BPF_STX | BPF_MEM | BPF_DW) << "a plain store, no atomic";
  }
}

TEST_F(HookEntryBytecode, NoProgramLoadsUnlessAskedTo) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, (*skeleton_)->obj) {
    EXPECT_FALSE(bpf_program__autoload(program)) << bpf_program__name(program);
  }
}

TEST_F(HookEntryBytecode, PlantedFaultACounterIsNoEmptyBody) {
  EXPECT_THAT(check_empty_body(counter(kHooks[0]), kHooks[0].verdict),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("7 instructions")));
}

TEST_F(HookEntryBytecode, PlantedFaultAnotherVerdictIsRefused) {
  EXPECT_THAT(check_empty_body(empty(kHooks[0]), XDP_DROP),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("verdict")));
  EXPECT_THAT(check_counter_body(counter(kHooks[0]), counter(kHooks[1]), XDP_DROP),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("verdict")));
}

TEST_F(HookEntryBytecode, PlantedFaultAnAtomicCounterIsRefused) {
  Code atomic = counter(kHooks[0]);
  atomic[4].code = BPF_STX | BPF_ATOMIC | BPF_DW;
  EXPECT_THAT(check_counter_body(atomic, counter(kHooks[1]), kHooks[0].verdict),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("sequence")));
}

}  // namespace
}  // namespace bpfmark
