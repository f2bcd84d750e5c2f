// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/miss_counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>

#include "fixtures/mapping.h"
#include "fixtures/perf_event.h"
#include "harness/guards.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

// A batch of an arm in which `misses` happen to `packets`.
void run_batch(MissCounter& counter, std::uint64_t& total, Arm arm, std::uint64_t misses,
               std::uint64_t packets) {
  counter.before_batch();
  total += misses;
  counter.after_batch(arm, packets);
}

TEST(MissCounter, MeanOfAllLoadsIsByPacketAndByArm) {
  Findings findings;
  std::uint64_t total = 1000;
  const auto load = [&](std::uint64_t misses, double earlier) {
    MissCounter counter([&]() -> Result<std::uint64_t> { return total; });
    run_batch(counter, total, Arm::kSubject, 77, 10);  // warm-up
    counter.start();
    total += 5;  // between batches
    run_batch(counter, total, Arm::kSubject, misses, 10);
    run_batch(counter, total, Arm::kFloor, 1, 10);
    run_batch(counter, total, Arm::kFloor, 3, 10);
    run_batch(counter, total, Arm::kSubject, misses, 10);
    counter.report(findings, earlier);
  };
  load(20, 0);
  EXPECT_DOUBLE_EQ(findings.counters["cache_misses"], 2);
  load(50, 20);
  EXPECT_DOUBLE_EQ(findings.counters["cache_misses"], 3.5);
  load(20, 40);
  EXPECT_DOUBLE_EQ(findings.counters["cache_misses"], 3);
  EXPECT_DOUBLE_EQ(findings.counters["floor_cache_misses"], 0.2);
  EXPECT_THAT(findings.missing, IsEmpty());
}

TEST(MissCounter, LoadThatCouldNotCountLeavesNoNumber) {
  Findings findings;
  std::uint64_t total = 0;
  for (const bool taken_away : {false, true, false}) {
    MissCounter counter([&]() -> Result<std::uint64_t> {
      if (taken_away && total % 7 == 0) return system_error(EBUSY, "read an event");
      return total;
    });
    run_batch(counter, total, Arm::kSubject, 7, 10);
    counter.report(findings, 0);
  }
  EXPECT_THAT(findings.counters, IsEmpty());
  ASSERT_THAT(findings.missing, SizeIs(1));
  EXPECT_EQ(findings.missing[0].what, "cache_misses");
  EXPECT_EQ(findings.missing[0].why.kind, ErrorKind::kUnknown);
  EXPECT_EQ(findings.missing[0].why.capability, "hw_cache_misses");
}

// Faults of pages are events that every machine counts.
void count_faults() {
  ASSERT_THAT(pin_to_cpu(allowed_cpus().back()), IsOk());
  const Result<PerfEvent> faults =
      PerfEvent::of_cpu(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS, ::sched_getcpu());
  if (!faults) BPFMARK_SKIP_OR_FAIL(faults.error());
  constexpr std::size_t kPages = 64;
  const std::size_t page_bytes = Mapping::whole_pages(1);
  const Result<Mapping> memory = Mapping::anonymous(kPages * page_bytes, page_bytes);
  ASSERT_THAT(memory, IsOk());
  const Result<std::uint64_t> before = faults->count();
  ASSERT_THAT(before, IsOk());
  std::memset(memory->data(), 1, memory->size());
  const Result<std::uint64_t> after = faults->count();
  ASSERT_THAT(after, IsOk());
  EXPECT_GE(*after - *before, kPages);
}

// On a thread of its own, for other tests are to have all CPUs.
TEST(PerfEvent, CountsWhatHappensOnItsCpu) { std::jthread(count_faults).join(); }

TEST(PerfEvent, RefusesWhatIsNoEvent) {
  EXPECT_THAT(PerfEvent::of_cpu(PERF_TYPE_SOFTWARE, ~0u, 0),
              ErrorIs(ErrorKind::kSystem, ::testing::HasSubstr("open event")));
}

}  // namespace
}  // namespace bpfmark
