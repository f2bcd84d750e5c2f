// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "bpf/shared/batch.h"
#include "bpf/shared/clock.h"
#include "bpf/shared/histogram.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code_test.h"
#include "tests/support/result_matchers.h"
// The skeleton uses the shared structs.
#include "clock.skel.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct ClockProgram {
  const char* name;
  bpf_func_id helper;
  std::size_t reads_per_pass;
};

constexpr std::array kClocks{
    ClockProgram{"clock_ktime", BPF_FUNC_ktime_get_ns, BPFMARK_UNROLL},
    ClockProgram{"clock_boot", BPF_FUNC_ktime_get_boot_ns, BPFMARK_UNROLL},
    ClockProgram{"clock_tai", BPF_FUNC_ktime_get_tai_ns, BPFMARK_UNROLL},
    ClockProgram{"clock_coarse", BPF_FUNC_ktime_get_coarse_ns, BPFMARK_UNROLL},
    ClockProgram{"clock_jiffies", BPF_FUNC_jiffies64, BPFMARK_UNROLL},
    ClockProgram{"clock_pair", BPF_FUNC_ktime_get_ns, 2 * BPFMARK_UNROLL},
};

struct ShapedProgram {
  const char* name;
  LoopShape shape;
};

constexpr std::array kShapes{
    ShapedProgram{"loop_bounded", LoopShape::kBounded},
    ShapedProgram{"loop_bpf_loop", LoopShape::kBpfLoop},
    ShapedProgram{"loop_iter_num", LoopShape::kIterator},
    ShapedProgram{"loop_may_goto", LoopShape::kMayGoto},
};

using ClockBytecode = ObjectCodeTest<clock_bpf>;

// How often the outcome of a comparison is counted: once per operation, in subject and floor.
std::size_t comparisons(const Function& body) {
  return static_cast<std::size_t>(std::ranges::count_if(body.code, [](const Instruction& i) {
    return BPF_CLASS(i.raw.code) == BPF_JMP && BPF_SRC(i.raw.code) == BPF_X &&
           BPF_OP(i.raw.code) != BPF_CALL && BPF_OP(i.raw.code) != BPF_EXIT &&
           BPF_OP(i.raw.code) != BPF_JA;
  }));
}

TEST_F(ClockBytecode, EveryProgramReadsItsOwnClockOncePerOperation) {
  for (const ClockProgram& clock : kClocks) {
    SCOPED_TRACE(clock.name);
    const auto body = timed_body(*code_, clock.name);
    ASSERT_THAT(body, IsOk());
    EXPECT_THAT(check_calls_only(**body, clock.helper, clock.reads_per_pass), IsOk());
  }
}

TEST_F(ClockBytecode, FloorReadsNoClock) {
  const auto body = timed_body(*code_, "clock_floor");
  ASSERT_THAT(body, IsOk());
  EXPECT_THAT(check_calls_nothing(**body), IsOk());
}

TEST_F(ClockBytecode, FloorComparesAsOftenAsItsSubjects) {
  const auto floor = timed_body(*code_, "clock_floor");
  ASSERT_THAT(floor, IsOk());
  EXPECT_EQ(comparisons(**floor), std::size_t{BPFMARK_UNROLL});
  for (const ClockProgram& clock : kClocks) {
    SCOPED_TRACE(clock.name);
    const auto body = timed_body(*code_, clock.name);
    ASSERT_THAT(body, IsOk());
    EXPECT_EQ(comparisons(**body), comparisons(**floor));
  }
}

TEST_F(ClockBytecode, HistogramTakesOnePairAPassAndIsNotTimed) {
  EXPECT_EQ(count_helper_calls(function("pair_histogram_body"), BPF_FUNC_ktime_get_ns), 2u);
  EXPECT_EQ(count_helper_calls(function("clock_pair_hist"), BPF_FUNC_ktime_get_ns), 0u);
  EXPECT_EQ(count_helper_calls(function("clock_pair_hist"), BPF_FUNC_loop), 1u);
}

TEST_F(ClockBytecode, NopIsNothingButAReturn) {
  EXPECT_EQ(function("clock_nop").code.size(), 2u);
  EXPECT_THAT(check_calls_nothing(function("clock_nop")), IsOk());
}

TEST_F(ClockBytecode, EveryLoopHasTheShapeItIsNamedAfter) {
  for (const ShapedProgram& p : kShapes) {
    EXPECT_THAT(check_loop_shape(function(p.name), p.shape), IsOk()) << p.name;
  }
}

TEST_F(ClockBytecode, BpfLoopRunsACallbackThatCallsNothing) {
  const auto body = timed_body(*code_, "loop_bpf_loop");
  ASSERT_THAT(body, IsOk());
  EXPECT_THAT(check_calls_nothing(**body), IsOk());
}

TEST_F(ClockBytecode, PlantedFaultALoopOfAnotherShapeIsRefused) {
  for (const ShapedProgram& p : kShapes) {
    for (const ShapedProgram& other : kShapes) {
      if (p.shape == other.shape) continue;
      EXPECT_THAT(check_loop_shape(function(p.name), other.shape),
                  ErrorIs(ErrorKind::kWrongResult, HasSubstr("wrong shape")))
          << p.name << " taken for " << other.name;
    }
  }
}

TEST_F(ClockBytecode, PlantedFaultALoopThatTheCompilerUnrolledAwayIsRefused) {
  Function straight = function("loop_bounded");
  for (Instruction& i : straight.code) {
    if (i.jumps_backward()) i.raw = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
  }
  EXPECT_THAT(check_loop_shape(straight, LoopShape::kBounded),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("backward jump")));
}

TEST_F(ClockBytecode, PlantedFaultTheFloorIsNoSubject) {
  const auto floor = timed_body(*code_, "clock_floor");
  ASSERT_THAT(floor, IsOk());
  for (const ClockProgram& clock : kClocks) {
    EXPECT_THAT(check_calls_only(**floor, clock.helper, clock.reads_per_pass), Not(IsOk()));
  }
}

TEST_F(ClockBytecode, PlantedFaultAnotherClockIsRefused) {
  const auto boot = timed_body(*code_, "clock_boot");
  ASSERT_THAT(boot, IsOk());
  EXPECT_THAT(check_calls_only(**boot, BPF_FUNC_ktime_get_ns, BPFMARK_UNROLL),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("0 times instead of 8")));
}

TEST_F(ClockBytecode, PlantedFaultAThirdReadingOfTheClockIsRefused) {
  Function program_with_three = function("clock_ktime");
  program_with_three.code.push_back(
      {.raw = {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns}, .symbol = ""});
  EXPECT_THAT(timed_callback(program_with_three),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("3 times instead of twice")));
}

TEST_F(ClockBytecode, PlantedFaultWorkOutsideTheReadingsIsRefused) {
  Function late = function("clock_ktime");
  late.code.push_back(
      {.raw = {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_prandom_u32}, .symbol = ""});
  EXPECT_THAT(timed_callback(late),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("outside of its readings")));
}

}  // namespace
}  // namespace bpfmark
