// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "bpf/shared/batch.h"
#include "bpf/shared/map_lookup.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code_test.h"
#include "tests/support/result_matchers.h"
// The skeleton uses the shared structs.
#include "map_lookup.skel.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kStackPointer = BPF_REG_10;

// What a loop body does besides looking up.
struct Work {
  std::vector<int> key_offsets;  // of the keys that are loaded from the stream
  std::size_t key_stores = 0;    // to the stack
  std::size_t state_loads = 0;   // of the loop's state
  std::size_t state_stores = 0;
  std::size_t value_loads = 0;  // through the pointer that the lookup returned
  std::size_t null_checks = 0;

  bool operator==(const Work&) const = default;
};

void PrintTo(const Work& work, std::ostream* out) {
  *out << fmt::format(
      "{{keys loaded from {}, {} stored; state loaded {}, stored {}; values loaded {}; "
      "null checks {}}}",
      fmt::join(work.key_offsets, " "), work.key_stores, work.state_loads, work.state_stores,
      work.value_loads, work.null_checks);
}

Work work_of(const Function& body) {
  Work work;
  bool mask_seen = false;
  std::string pointer;
  for (const Instruction& i : body.code) {
    const auto is = [&i](int code) { return i.raw.code == code; };
    if (is(BPF_LD | BPF_IMM | BPF_DW)) pointer = i.symbol;
    const bool word = is(BPF_LDX | BPF_MEM | BPF_W) && i.raw.src_reg != kStackPointer;
    // The first word that is loaded is the length of the stream.
    if (word && !mask_seen && pointer == "key_mask") {
      mask_seen = true;
      continue;
    }
    if (word) work.key_offsets.push_back(i.raw.off);
    work.key_stores += is(BPF_STX | BPF_MEM | BPF_W) && i.raw.dst_reg == kStackPointer;
    const bool double_word = is(BPF_LDX | BPF_MEM | BPF_DW) && i.raw.src_reg != kStackPointer;
    work.value_loads += double_word && i.raw.src_reg == BPF_REG_0;
    work.state_loads += double_word && i.raw.src_reg != BPF_REG_0;
    work.state_stores += is(BPF_STX | BPF_MEM | BPF_DW) && i.raw.dst_reg != kStackPointer;
    work.null_checks += (is(BPF_JMP | BPF_JEQ | BPF_K) || is(BPF_JMP | BPF_JNE | BPF_K)) &&
                        i.raw.dst_reg == BPF_REG_0 && i.raw.imm == 0;
  }
  std::ranges::sort(work.key_offsets);
  return work;
}

// A subject and its floor differ by the lookups and by nothing else.
Result<void> check_pair(const Function& subject, const Function& floor) {
  if (Result<void> calls = check_calls_only(subject, BPF_FUNC_map_lookup_elem, BPFMARK_UNROLL);
      !calls) {
    return calls;
  }
  if (Result<void> calls = check_calls_nothing(floor); !calls) return calls;
  Work of_subject = work_of(subject);
  const Work of_floor = work_of(floor);
  if (of_subject.value_loads != BPFMARK_UNROLL || of_subject.null_checks != BPFMARK_UNROLL) {
    return wrong_result(fmt::format("{} values are read after {} checks, not one for each lookup",
                                    of_subject.value_loads, of_subject.null_checks));
  }
  of_subject.value_loads = of_subject.null_checks = 0;
  if (of_subject != of_floor) {
    return wrong_result("subject and floor differ by more than the lookup: " +
                        ::testing::PrintToString(of_subject) + " against " +
                        ::testing::PrintToString(of_floor));
  }
  return {};
}

class MapLookupBytecode : public ObjectCodeTest<map_lookup_bpf> {
 protected:
  // A copy, so that a test may break it.
  Function body_of(const std::string& program) {
    const Result<const Function*> body = timed_body(*code_, program);
    EXPECT_THAT(body, IsOk());
    return body ? **body : Function{};
  }
};

TEST_F(MapLookupBytecode, SubjectLooksUpOncePerOperationAndItsFloorNever) {
  EXPECT_THAT(check_calls_only(body_of("map_lookup"), BPF_FUNC_map_lookup_elem, BPFMARK_UNROLL),
              IsOk());
  EXPECT_THAT(check_calls_nothing(body_of("map_floor")), IsOk());
}

TEST_F(MapLookupBytecode, EveryLookupIsOfTheTable) {
  std::size_t of_table = 0;
  for (const Instruction& i : body_of("map_lookup").code) of_table += i.symbol == "table";
  EXPECT_EQ(of_table, std::size_t{BPFMARK_UNROLL});
}

TEST_F(MapLookupBytecode, SubjectAndFloorDifferByTheLookupOnly) {
  EXPECT_THAT(check_pair(body_of("map_lookup"), body_of("map_floor")), IsOk());
}

TEST_F(MapLookupBytecode, BothReadTheNextKeyForEachOperation) {
  static_assert(BPFMARK_UNROLL == 8);
  for (const char* program : {"map_lookup", "map_floor"}) {
    const Work work = work_of(body_of(program));
    EXPECT_THAT(work.key_offsets, ElementsAre(0, 4, 8, 12, 16, 20, 24, 28)) << program;
    EXPECT_EQ(work.key_stores, std::size_t{BPFMARK_UNROLL}) << program;
  }
}

TEST_F(MapLookupBytecode, ProgramsAreAlikeUpToTheirBodies) {
  const Function* const subject = code_->find("map_lookup");
  const Function* const floor = code_->find("map_floor");
  ASSERT_TRUE(subject && floor);
  ASSERT_EQ(subject->code.size(), floor->code.size());
  for (std::size_t i = 0; i < subject->code.size(); ++i) {
    EXPECT_EQ(subject->code[i].raw.code, floor->code[i].raw.code) << "instruction " << i;
  }
}

TEST_F(MapLookupBytecode, PlantedFaultAFloorTakenForTheSubjectIsRefused) {
  const Function floor = body_of("map_floor");
  EXPECT_THAT(check_pair(floor, floor),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("0 times instead of 8")));
}

TEST_F(MapLookupBytecode, PlantedFaultASubjectTakenForTheFloorIsRefused) {
  const Function subject = body_of("map_lookup");
  EXPECT_THAT(check_pair(subject, subject),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("instead of none")));
}

TEST_F(MapLookupBytecode, PlantedFaultALookupThatTheCompilerDroppedIsRefused) {
  Function subject = body_of("map_lookup");
  const auto call =
      std::ranges::find_if(subject.code, [](const Instruction& i) { return i.calls_helper(); });
  ASSERT_NE(call, subject.code.end());
  call->raw = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
  EXPECT_THAT(check_pair(subject, body_of("map_floor")),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("7 times instead of 8")));
}

TEST_F(MapLookupBytecode, PlantedFaultAFloorThatReadsFewerKeysIsRefused) {
  Function floor = body_of("map_floor");
  const auto load =
      std::ranges::find_if(floor.code.rbegin(), floor.code.rend(), [](const Instruction& i) {
        return i.raw.code == (BPF_LDX | BPF_MEM | BPF_W) && i.raw.src_reg != kStackPointer;
      });
  ASSERT_NE(load, floor.code.rend());
  load->raw = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
  EXPECT_THAT(check_pair(body_of("map_lookup"), floor),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("by more than the lookup")));
}

// --- Table 3

std::size_t stores_of_the_byte(const Function& body) {
  return static_cast<std::size_t>(std::ranges::count_if(
      body.code, [](const Instruction& i) { return i.raw.code == (BPF_STX | BPF_MEM | BPF_B); }));
}

TEST_F(MapLookupBytecode, Table3LooksUpOnceAPass) {
  EXPECT_THAT(check_calls_only(body_of("t3_lookup"), BPF_FUNC_map_lookup_elem, 1), IsOk());
  EXPECT_THAT(check_calls_nothing(body_of("t3_stack")), IsOk());
  EXPECT_THAT(check_calls_nothing(body_of("t3_empty")), IsOk());
}

TEST_F(MapLookupBytecode, Table3StoresOneByteAPassButForTheEmptyLoop) {
  EXPECT_EQ(stores_of_the_byte(body_of("t3_lookup")), 1u);
  EXPECT_EQ(stores_of_the_byte(body_of("t3_stack")), 1u);
  EXPECT_EQ(stores_of_the_byte(body_of("t3_empty")), 0u);
}

}  // namespace
}  // namespace bpfmark
