// SPDX-License-Identifier: BSD-2-Clause
// The families whose operation is code of their own: chains, exits, kernels, shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "bpf/shared/batch.h"
#include "bpf/shared/compute.h"
#include "bpf/shared/shape.h"
#include "chain.skel.h"
#include "compute_v1.skel.h"
#include "compute_v2.skel.h"
#include "compute_v3.skel.h"
#include "compute_v4.skel.h"
#include "exit.skel.h"
#include "shape.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

template <class S>
ObjectCode code_of() {
  auto code = ObjectCode::of_skeleton<S>();
  EXPECT_THAT(code, IsOk());
  return std::move(*code);
}

std::size_t count_if(const Function& function, bool (*predicate)(const Instruction&)) {
  return static_cast<std::size_t>(std::ranges::count_if(function.code, predicate));
}

std::size_t calls(const Function& function) {
  return count_if(function, [](const Instruction& i) { return i.calls_function(); });
}

bool loops(const Function& function) {
  return count_if(function, [](const Instruction& i) { return i.jumps_backward(); }) > 0;
}

// How many functions are entered, one from the other, below this one; each must call one at most.
std::size_t nesting(const ObjectCode& code, const Function& function) {
  for (const Instruction& i : function.code) {
    if (!i.calls_function()) continue;
    const Function* const next = code.find(i.symbol);
    return 1 + (next == nullptr ? 0 : nesting(code, *next));
  }
  return 0;
}

TEST(ChainBytecode, FunctionsNestAsDeepAsTheNameSays) {
  const ObjectCode code = code_of<chain_bpf>();
  for (const char* const kind : {"static", "global"}) {
    for (const std::size_t depth : {1u, 2u, 4u, 7u}) {
      const std::string name = std::string("chain_") + kind + "_" + std::to_string(depth);
      ASSERT_NE(code.find(name), nullptr) << name;
      EXPECT_EQ(nesting(code, *code.find(name)), depth) << name;
    }
  }
}

TEST(ChainBytecode, InlineChainsCallNothingAndGrowByTheLink) {
  const ObjectCode code = code_of<chain_bpf>();
  const std::size_t one = code.find("chain_inline_1")->code.size();
  const std::size_t two = code.find("chain_inline_2")->code.size();
  for (const std::size_t depth : {1u, 2u, 4u, 7u, 8u, 16u, 32u}) {
    const Function& chain = *code.find("chain_inline_" + std::to_string(depth));
    EXPECT_THAT(check_calls_nothing(chain), IsOk());
    EXPECT_EQ(chain.code.size(), one + (depth - 1) * (two - one)) << depth;
  }
  EXPECT_GT(two, one);
}

TEST(ChainBytecode, TailCallsAreInTheSubjectsAndNotInTheFloor) {
  const ObjectCode code = code_of<chain_bpf>();
  for (const char* const name :
       {"link_tail_con", "chain_tail_con", "link_tail_dyn", "chain_tail_dyn"}) {
    EXPECT_EQ(count_helper_calls(*code.find(name), BPF_FUNC_tail_call), 1u) << name;
  }
  const Function& floor = *code.find("chain_tail_floor");
  EXPECT_EQ(count_helper_calls(floor), 0u);
  EXPECT_TRUE(loops(floor));
}

// The last write to the register of the third argument before the call.
bool index_is_constant(const Function& function) {
  bool constant = false;
  for (const Instruction& i : function.code) {
    if (i.calls_helper(BPF_FUNC_tail_call)) return constant;
    const int kind = BPF_CLASS(i.raw.code);
    if (i.raw.dst_reg == 3 && kind != BPF_ST && kind != BPF_STX) {
      constant = BPF_SRC(i.raw.code) == BPF_K && (kind == BPF_ALU || kind == BPF_ALU64);
    }
  }
  return false;
}

TEST(ChainBytecode, IndexIsAConstantOrComesFromMemory) {
  const ObjectCode code = code_of<chain_bpf>();
  for (const char* const name : {"link_tail_con", "chain_tail_con"}) {
    EXPECT_TRUE(index_is_constant(*code.find(name))) << name;
  }
  for (const char* const name : {"link_tail_dyn", "chain_tail_dyn"}) {
    EXPECT_FALSE(index_is_constant(*code.find(name))) << name;
  }
}

TEST(ChainBytecode, KfuncIsCalledOncePerLinkAndNotInTheFloor) {
  const ObjectCode code = code_of<chain_bpf>();
  for (const std::size_t depth : {1u, 4u, 8u, 32u}) {
    EXPECT_EQ(calls(*code.find("chain_kfunc_" + std::to_string(depth))), depth);
    EXPECT_EQ(calls(*code.find("kfunc_floor_" + std::to_string(depth))), 0u);
  }
}

TEST(ExitBytecode, EndsComeAsDeepAsTheNameSaysInSubjectAndFloor) {
  const ObjectCode code = code_of<exit_bpf>();
  for (const char* const kind : {"return", "throw", "die"}) {
    // An end that is a call of its own is one more.
    const std::size_t end = std::string(kind) == "return" ? 0 : 1;
    for (const std::size_t depth : {1u, 4u, 8u}) {
      const std::string name = std::string("exit_") + kind + "_" + std::to_string(depth);
      ASSERT_NE(code.find(name), nullptr) << name;
      EXPECT_EQ(nesting(code, *code.find(name)), depth - 1 + end) << name;
    }
    EXPECT_TRUE(loops(*code.find(std::string("exit_") + kind + "_1"))) << "the work";
  }
  EXPECT_FALSE(loops(*code.find("exit_empty")));
}

// --- compute

template <class S>
void expect_kernels_kept() {
  const ObjectCode code = code_of<S>();
  for (const char* const kernel : {"floor", "fib", "byte_sum", "ip_checksum", "sieve", "memcpy"}) {
    SCOPED_TRACE(kernel);
    const auto body = timed_body(code, std::string("compute_") + kernel);
    ASSERT_THAT(body, IsOk());
    EXPECT_EQ(calls(**body), std::size_t{BPFMARK_UNROLL});
    const Function* const work = code.find(std::string("do_") + kernel);
    ASSERT_NE(work, nullptr);
    EXPECT_THAT(check_calls_nothing(*work), IsOk());
    EXPECT_EQ(loops(*work), std::string(kernel) != "floor");
  }
  EXPECT_LE(code.find("do_floor")->code.size(), 2u);
  // Unrolled or not, one loop reads a block: of bytes, of half-words.
  const auto reads = [&](const char* name, int size) {
    const Function& work = *code.find(name);
    return static_cast<std::size_t>(std::ranges::count_if(
        work.code, [&](const Instruction& i) { return i.raw.code == (BPF_LDX | BPF_MEM | size); }));
  };
  EXPECT_GE(reads("do_byte_sum", BPF_B), 1u);
  EXPECT_GE(reads("do_ip_checksum", BPF_H), 1u);
}

TEST(ComputeBytecode, EveryVersionKeepsTheLoopOfEveryKernel) {
  expect_kernels_kept<compute_v1_bpf>();
  expect_kernels_kept<compute_v2_bpf>();
  expect_kernels_kept<compute_v3_bpf>();
  expect_kernels_kept<compute_v4_bpf>();
}

template <class S>
std::size_t jumps_of_32_bits() {
  const ObjectCode code = code_of<S>();
  std::size_t count = 0;
  for (const Function& function : code.functions()) {
    count +=
        count_if(function, [](const Instruction& i) { return BPF_CLASS(i.raw.code) == BPF_JMP32; });
  }
  return count;
}

TEST(ComputeBytecode, OnlyVersionsFromTheThirdHaveJumpsOf32Bits) {
  EXPECT_EQ(jumps_of_32_bits<compute_v1_bpf>(), 0u);
  EXPECT_EQ(jumps_of_32_bits<compute_v2_bpf>(), 0u);
  EXPECT_GT(jumps_of_32_bits<compute_v3_bpf>(), 0u);
  EXPECT_GT(jumps_of_32_bits<compute_v4_bpf>(), 0u);
}

// --- shapes

TEST(ShapeBytecode, OnlyTheSubjectsReadTheArrayAndOnlyOneCompares) {
  const ObjectCode code = code_of<shape_bpf>();
  const auto body = [&](const char* name) -> const Function& {
    return *code.find(std::string(name) + "_body");
  };
  const auto byte_reads = [](const Function& f) {
    return count_if(f,
                    [](const Instruction& i) { return i.raw.code == (BPF_LDX | BPF_MEM | BPF_B); });
  };
  const auto comparisons = [](const Function& f) {
    return count_if(f, [](const Instruction& i) {
      return BPF_CLASS(i.raw.code) == BPF_JMP && BPF_OP(i.raw.code) != BPF_JA &&
             BPF_OP(i.raw.code) != BPF_EXIT;
    });
  };
  EXPECT_EQ(byte_reads(body("bound_type")) - byte_reads(body("bound_f_type")),
            std::size_t{BPFMARK_UNROLL});
  EXPECT_EQ(byte_reads(body("bound_f_check")), 0u);
  for (const char* const name : {"bound_compare", "bound_mask"}) {
    EXPECT_EQ(byte_reads(body(name)), std::size_t{BPFMARK_UNROLL}) << name;
  }
  EXPECT_EQ(comparisons(body("bound_compare")), std::size_t{BPFMARK_UNROLL});
  for (const char* const name : {"bound_type", "bound_mask", "bound_f_type", "bound_f_check"}) {
    EXPECT_EQ(comparisons(body(name)), 0u) << name;
  }
}

TEST(ShapeBytecode, ObjectsAreClearedWholeOrNotAtAll) {
  const ObjectCode code = code_of<shape_bpf>();
  const auto stores = [&](const std::string& name) {
    return count_if(*code.find(name + "_body"), [](const Instruction& i) {
      return i.raw.code == (BPF_STX | BPF_MEM | BPF_DW) ||
             i.raw.code == (BPF_ST | BPF_MEM | BPF_DW);
    });
  };
  for (const std::string where : {"stack", "array", "percpu", "global"}) {
    EXPECT_GE(stores("scr_" + where + "_z"),
              stores("scr_" + where) + BPFMARK_UNROLL * BPFMARK_OBJECT_BYTES / 8)
        << where;
  }
  EXPECT_EQ(count_helper_calls(*code.find("scratch_floor_body")), 0u);
  for (const std::string where : {"array", "percpu"}) {
    EXPECT_EQ(count_helper_calls(*code.find("scr_" + where + "_body"), BPF_FUNC_map_lookup_elem),
              std::size_t{BPFMARK_UNROLL});
  }
}

TEST(ShapeBytecode, InnerLoopsHaveTheShapeTheyAreNamedAfter) {
  const ObjectCode code = code_of<shape_bpf>();
  EXPECT_FALSE(loops(*code.find("counted_at_once")));
  EXPECT_FALSE(loops(*code.find("unrolled_64")));
  EXPECT_EQ(
      count_if(*code.find("unrolled_64"),
               [](const Instruction& i) { return i.raw.code == (BPF_STX | BPF_MEM | BPF_DW); }),
      std::size_t{BPFMARK_INNER_MAX});
  EXPECT_TRUE(loops(*code.find("bounded")));
  EXPECT_TRUE(loops(*code.find("iterated")));
  EXPECT_EQ(count_if(*code.find("may_gone"), [](const Instruction& i) { return i.is_may_goto(); }),
            1u);
  EXPECT_EQ(count_helper_calls(*code.find("called"), BPF_FUNC_loop), 1u);
  for (const char* const name :
       {"in_floor", "in_unrolled", "in_bounded", "in_iter_num", "in_may_goto", "in_bpf_loop"}) {
    EXPECT_EQ(calls(*code.find(std::string(name) + "_body")), std::size_t{BPFMARK_UNROLL}) << name;
  }
}

}  // namespace
}  // namespace bpfmark
