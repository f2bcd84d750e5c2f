// SPDX-License-Identifier: BSD-2-Clause
// Wrong worlds shown to registered cases from outside: every one of them must refuse.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "bpf/shared/clock.h"
#include "bpf/shared/map_lookup.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_map.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class PlantedFault : public LoadedCase {};

// --- map_lookup

constexpr const char* kSequentialHash =
    "map_lookup/type:hash/access:hit/keys:sequential/entries:1024/value:8";

TEST_F(PlantedFault, LookupRefusesATableThatLostAnEntry) {
  ASSERT_NO_FATAL_FAILURE(load(kSequentialHash));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  const std::uint32_t key = 512;
  ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
  EXPECT_THAT(run(Arm::kFloor), IsOk());
}

TEST_F(PlantedFault, LookupRefusesATableThatLostAllEntries) {
  ASSERT_NO_FATAL_FAILURE(load(kSequentialHash));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  for (std::uint32_t key = 0; key < 1024; ++key) {
    ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 hits")));
}

TEST_F(PlantedFault, LookupRefusesAValueThatIsNotTheKeysOwn) {
  ASSERT_NO_FATAL_FAILURE(load(kSequentialHash));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  const std::uint32_t key = 3, other = 4;
  std::uint64_t value = 0;
  ASSERT_EQ(bpf_map_lookup_elem(table.get(), &other, &value), 0);
  ASSERT_EQ(bpf_map_update_elem(table.get(), &key, &value, BPF_EXIST), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
}

TEST_F(PlantedFault, LookupThatMustMissRefusesAHit) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_lookup/type:hash/access:miss/keys:uniform/entries:1024/value:8"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  // Keys from 1024 on are the ones asked for; the table is full, so one makes room first.
  for (std::uint32_t key = 0; key < 64; ++key) {
    const std::uint32_t asked_for = 1024 + key;
    const std::uint64_t value = 1;
    ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
    ASSERT_EQ(bpf_map_update_elem(table.get(), &asked_for, &value, BPF_ANY), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
}

// --- map_lookup_table3

TEST_F(PlantedFault, Table3RefusesAMissingEntry) {
  ASSERT_NO_FATAL_FAILURE(load("map_lookup_table3/map:hash/key_bytes:8"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("one_entry");
  const std::uint64_t key = 0;
  ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 hits in 100000")));
  EXPECT_FALSE(finish().has_value());
}

TEST_F(PlantedFault, Table3RefusesAStoreThatIsNotInTheMap) {
  ASSERT_NO_FATAL_FAILURE(load("map_lookup_table3/map:hash/key_bytes:8"));
  if (IsSkipped()) return;
  ASSERT_THAT(run(Arm::kSubject), IsOk());
  ASSERT_THAT(finish(), IsOk());
  const UniqueFd table = own_map("one_entry");
  const std::uint64_t key = 0;
  std::vector<std::uint8_t> value(BPFMARK_TABLE3_VALUE_BYTES);
  ASSERT_EQ(bpf_map_lookup_elem(table.get(), &key, value.data()), 0);
  ++value[BPFMARK_TABLE3_STORED_BYTE];
  ASSERT_EQ(bpf_map_update_elem(table.get(), &key, value.data(), BPF_EXIST), 0);
  EXPECT_THAT(finish(), refused(HasSubstr("not in the map")));
}

// --- hook_entry

TEST_F(PlantedFault, HookRefusesAVerdictThatIsNotThePrograms) {
  for (const char* const type : {"xdp", "tc", "cgroup_skb", "sk_lookup", "raw_tp", "syscall"}) {
    SCOPED_TRACE(type);
    ASSERT_NO_FATAL_FAILURE(load(std::string("hook_entry/type:") + type + "/body:empty"));
    if (IsSkipped()) return;
    const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
      const int err = TestRunFault::real(prog_fd, options);
      ++options->retval;
      return err;
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("returned")));
  }
}

TEST_F(PlantedFault, HookRefusesOneRunTooFewOrTooMany) {
  for (const int difference : {-1, 1}) {
    SCOPED_TRACE(difference);
    ASSERT_NO_FATAL_FAILURE(load("hook_entry/type:tc/body:counter"));
    if (IsSkipped()) return;
    const TestRunFault fault([difference](int prog_fd, bpf_test_run_opts* options) {
      options->repeat += difference;
      return TestRunFault::real(prog_fd, options);
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("counted")));
    EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("counted")));
  }
}

TEST_F(PlantedFault, HookRefusesACounterThatSomebodyElseMoves) {
  ASSERT_NO_FATAL_FAILURE(load("hook_entry/type:tc/body:counter"));
  if (IsSkipped()) return;
  const UniqueFd counters = own_map("hook_ent.bss");
  ASSERT_TRUE(counters);
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    const std::uint32_t key = 0;
    std::uint64_t runs = 0;
    bpf_map_lookup_elem(counters.get(), &key, &runs);
    ++runs;
    bpf_map_update_elem(counters.get(), &key, &runs, BPF_ANY);
    return err;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("counted")));
}

// The empty program leaves no trace of its own: the kernel's count of runs is what proves it.
TEST_F(PlantedFault, HookRefusesAnEmptyProgramThatDidNotRun) {
  for (const char* const type : {"tc", "raw_tp"}) {
    SCOPED_TRACE(type);
    ASSERT_NO_FATAL_FAILURE(load(std::string("hook_entry/type:") + type + "/body:empty"));
    if (IsSkipped()) return;
    ASSERT_THAT(finish(), IsOk());
    const TestRunFault fault(pretend_to_run);
    EXPECT_THAT(finish(), refused(HasSubstr("the kernel counted 0 runs")));
  }
}

TEST_F(PlantedFault, HookFloorThatIsNotRefusedIsNoFloor) {
  ASSERT_NO_FATAL_FAILURE(load("hook_entry/type:raw_tp/body:counter"));
  if (IsSkipped()) return;
  const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
    options->repeat = 0;
    return TestRunFault::real(prog_fd, options);
  });
  const Result<Batch> batch = run(Arm::kFloor);
  ASSERT_FALSE(batch.has_value());
  EXPECT_THAT(batch.error().what, HasSubstr("must be refused"));
}

// --- clock

TEST_F(PlantedFault, BoundedLoopRefusesMorePassesThanItsBound) {
  ASSERT_NO_FATAL_FAILURE(load("clock/loop:bounded"));
  if (IsSkipped()) return;
  EXPECT_THAT(load_->run(Arm::kSubject, BPFMARK_BOUNDED_LOOP_MAX), IsOk());
  EXPECT_THAT(load_->run(Arm::kSubject, BPFMARK_BOUNDED_LOOP_MAX + 1),
              refused(HasSubstr("16384 operations were done instead of 16385")));
}

TEST_F(PlantedFault, ClockHistogramRefusesSamplesThatWereNotTaken) {
  ASSERT_NO_FATAL_FAILURE(load("clock/read:ktime_pair"));
  if (IsSkipped()) return;
  const TestRunFault fault(pretend_to_run);
  EXPECT_THAT(finish(), refused(HasSubstr("0 operations were done instead of 100000")));
}

// --- all of them

// Cases whose work is done by a test-run. Those on live hooks have tests of their own, and those
// with nothing attached ask a program for no more than the number of our process.
std::vector<const Case*> default_cases_by_test_run() {
  std::vector<const Case*> cases = registered_cases().select("", Suite::kDefault).value();
  std::erase_if(cases, [](const Case* c) {
    const auto needs = [c](std::string_view prefix) {
      return std::ranges::any_of(c->needs, [&](const auto& n) { return n.starts_with(prefix); });
    };
    return !needs("test_run_") || needs("attach_") || c->name.contains("/body:none");
  });
  return cases;
}

class EveryVerifier : public PlantedFault, public ::testing::WithParamInterface<const Case*> {};

TEST_P(EveryVerifier, RefusesWhatDidNotRunAndHandsOnErrors) {
  ASSERT_NO_FATAL_FAILURE(load(GetParam()->name));
  if (IsSkipped()) return;
  {
    const TestRunFault fault(pretend_to_run);
    const Result<Batch> batch = run(Arm::kSubject);
    const Result<void> refusal = batch ? finish() : Result<void>(std::unexpected(batch.error()));
    EXPECT_THAT(refusal, refused(HasSubstr("instead of")));
  }
  const TestRunFault fault([](int, bpf_test_run_opts*) { return -ENOMEM; });
  for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
    const Result<Batch> batch = run(arm);
    ASSERT_THAT(batch, ErrorIs(ErrorKind::kSystem, HasSubstr("Cannot allocate memory")));
    EXPECT_EQ(batch.error().errnum, ENOMEM);
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryVerifier,
                         ::testing::ValuesIn(default_cases_by_test_run()), test_name);

}  // namespace
}  // namespace bpfmark
