// SPDX-License-Identifier: BSD-2-Clause
// Orders that hold on every machine, measured shortly. Only what is certainly the other way round
// fails: intervals that overlap say nothing, and a busy machine is no fault of the program.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "harness/identity.h"
#include "tests/bpf/registered_cases.h"
#include "tests/support/promised.h"

namespace bpfmark {
namespace {

// Each dearer than the one before it; the first dearer than its floor.
struct Order {
  std::string test;
  std::vector<std::string> cheapest_first;
};

void PrintTo(const Order& order, std::ostream* out) { *out << order.test; }

class HookOrder : public ::testing::TestWithParam<Order> {};

TEST_P(HookOrder, HoldsWhereIntervalsAreApart) {
  if (machine_is_emulated()) GTEST_SKIP() << "times mean nothing on an emulated machine";
  constexpr int kLoads = 6;  // the fewest that give an interval
  std::vector<Interval> intervals = {{.lo = 0, .hi = 0}};
  std::string shown = "floor";
  for (const std::string& name : GetParam().cheapest_first) {
    const Case* const c = find_case("hook_dispatch/" + name);
    ASSERT_NE(c, nullptr) << name;
    if (const auto load = load_case(*c); !load) BPFMARK_SKIP_OR_FAIL(load.error());
    Plan plan = c->plan;
    plan.loads = kLoads;
    const Result<Measurement> measured = measure(plan, c->load, {});
    ASSERT_TRUE(measured.has_value()) << name << ": " << measured.error().what;
    ASSERT_TRUE(measured->net_interval.has_value());
    if (measured->verdict != Verdict::kResolved) {
      GTEST_SKIP() << name << " is " << verdict_name(measured->verdict);
    }
    intervals.push_back(*measured->net_interval);
    shown +=
        fmt::format(" < {} ({:.0f} .. {:.0f})", name, intervals.back().lo, intervals.back().hi);
  }
  bool apart = true;
  for (std::size_t i = 1; i < intervals.size(); ++i) {
    EXPECT_GE(intervals[i].hi, intervals[i - 1].lo) << "the other way round: " << shown;
    apart = apart && intervals[i].lo > intervals[i - 1].hi;
  }
  if (!HasFailure() && !apart) GTEST_SKIP() << "not apart: " << shown;
}

INSTANTIATE_TEST_SUITE_P(
    Known, HookOrder,
    ::testing::Values(
        Order{"RawTracepointBeforeTracepoint",
              {"type:raw_tp/body:counter/driver:syscall", "type:tp/body:counter/driver:syscall"}},
        Order{"CounterBeforeHashBeforeRingBuffer",
              {"type:raw_tp/body:counter/driver:kernel", "type:raw_tp/body:hash/driver:kernel",
               "type:raw_tp/body:ringbuf/driver:kernel"}},
        Order{"UprobeBeforeUretprobe",
              {"type:uprobe_nop/body:counter", "type:uretprobe_nop/body:counter"}}),
    [](const auto& order) { return order.param.test; });

}  // namespace
}  // namespace bpfmark
