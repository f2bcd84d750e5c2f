// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>

#include "bpf/shared/batch.h"
#include "bpf/shared/composite.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"
// The skeleton uses the shared structs.
#include "composite.skel.h"

namespace bpfmark {
namespace {

// Every place of every step can do every part; which it does is decided at the load.
constexpr std::size_t kPlaces = std::size_t{BPFMARK_UNROLL} * BPFMARK_COMPOSITE_PARTS;

TEST(CompositeBytecode, SubjectKnowsEveryPartInEveryPlaceAndItsFloorNone) {
  const auto code = ObjectCode::of_skeleton<composite_bpf>();
  ASSERT_THAT(code, IsOk());
  const Result<const Function*> subject = timed_body(*code, "composite");
  const Result<const Function*> floor = timed_body(*code, "composite_floor");
  ASSERT_THAT(subject, IsOk());
  ASSERT_THAT(floor, IsOk());
  for (const bpf_func_id helper :
       {BPF_FUNC_ktime_get_ns, BPF_FUNC_get_prandom_u32, BPF_FUNC_map_update_elem,
        BPF_FUNC_spin_lock, BPF_FUNC_spin_unlock, BPF_FUNC_strncmp, BPF_FUNC_csum_diff}) {
    EXPECT_EQ(count_helper_calls(**subject, helper), kPlaces) << helper;
  }
  // The lock is looked up once a pass, in both.
  constexpr std::size_t kLookedUp = 6;
  EXPECT_EQ(count_helper_calls(**subject, BPF_FUNC_map_lookup_elem), kPlaces * kLookedUp + 1);
  EXPECT_THAT(check_calls_only(**floor, BPF_FUNC_map_lookup_elem, 1), IsOk());
  EXPECT_FALSE(check_calls_only(**subject, BPF_FUNC_map_lookup_elem, 1).has_value());
}

}  // namespace
}  // namespace bpfmark
