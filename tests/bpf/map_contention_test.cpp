// SPDX-License-Identifier: BSD-2-Clause
// Wrong worlds shown to map_contention: maps that do not hold what both CPUs did, and another CPU
// that does not do it.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bpf/shared/map_contention.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_map.h"
#include "tests/bpf/own_variable.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MapContention : public LoadedCase {
 protected:
  void load_way(const std::string& by, const std::string& keys, int cpus) {
    load("map_contention/by:" + by + "/keys:" + keys + "/cpus:" + std::to_string(cpus));
  }
};

// Runs the program, and then `after`.
TestRunFault::Answer then(std::function<void()> after) {
  return [after = std::move(after)](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    after();
    return err;
  };
}

// Adds one to the count under key 0, to the first CPU's own where each has one.
void increment(const UniqueFd& map) {
  const std::uint32_t key = 0;
  std::vector<std::uint64_t> value(BPFMARK_CELL_BYTES / 8 *
                                   static_cast<std::size_t>(libbpf_num_possible_cpus()));
  ASSERT_EQ(bpf_map_lookup_elem(map.get(), &key, value.data()), 0);
  ++value[0];
  ASSERT_EQ(bpf_map_update_elem(map.get(), &key, value.data(), BPF_EXIST), 0);
}

TEST_F(MapContention, CountThatIsOneTooHighIsRefusedInSubjectAndFloor) {
  const std::pair<const char*, const char*> ways[] = {{"spin_lock", "locked"},
                                                      {"res_spin_lock", "resilient"},
                                                      {"atomic", "bare"},
                                                      {"percpu", "percpu"}};
  for (const auto& [by, table] : ways) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load_way(by, "same", 1));
    if (IsSkipped()) return;
    const UniqueFd map = own_map(table);
    const TestRunFault fault(then([&] { increment(map); }));
    for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
      EXPECT_THAT(run(arm), refused(HasSubstr("the map holds")));
    }
  }
}

TEST_F(MapContention, EntryOfAHashThatSomebodyElseWroteOrLeftIsRefused) {
  const std::uint32_t key = 0;
  const std::uint64_t value = 7;
  const std::pair<const char*, const char*> ways[] = {{"hash_update", "same"},
                                                      {"hash_insert_delete", "different"}};
  for (const auto& [by, keys] : ways) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load_way(by, keys, 1));
    if (IsSkipped()) return;
    const UniqueFd map = own_map("hash");
    const TestRunFault fault(then([&] { bpf_map_update_elem(map.get(), &key, &value, BPF_ANY); }));
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("the map holds 7 instead of")));
  }
}

// --- the other CPU

// Only what the other thread runs.
TestRunFault::Answer on_the_other_cpu(TestRunFault::Answer answer) {
  return [answer = std::move(answer), own = std::this_thread::get_id()](
             int prog_fd, bpf_test_run_opts* options) {
    return std::this_thread::get_id() == own ? TestRunFault::real(prog_fd, options)
                                             : answer(prog_fd, options);
  };
}

bpfmark_rival* rival_of(const OwnVariable& variable) {
  return reinterpret_cast<bpfmark_rival*>(variable.get());
}

TEST_F(MapContention, OperationsOfTheOtherCpuThatAreNotInTheMapAreRefused) {
  for (const char* const by : {"spin_lock", "res_spin_lock", "atomic"}) {
    for (const char* const keys : {"same", "different"}) {
      SCOPED_TRACE(std::string(by) + " " + keys);
      ASSERT_NO_FATAL_FAILURE(load_way(by, keys, 2));
      if (IsSkipped()) return;
      const OwnVariable rival("map_cont.bss", "rival");
      ASSERT_NE(rival.get(), nullptr);
      const TestRunFault fault(on_the_other_cpu(then([&] {
        ++rival_of(rival)->ops;
        ++rival_of(rival)->hits;
      })));
      EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("the map holds")));
      EXPECT_THAT(run(Arm::kFloor), IsOk());
    }
  }
}

TEST_F(MapContention, OperationOfTheOtherCpuThatFailedIsRefused) {
  for (const char* const by : {"hash_update", "spin_lock"}) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load_way(by, "same", 2));
    if (IsSkipped()) return;
    const OwnVariable rival("map_cont.bss", "rival");
    ASSERT_NE(rival.get(), nullptr);
    const TestRunFault fault(on_the_other_cpu(then([&] { --rival_of(rival)->hits; })));
    for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
      EXPECT_THAT(run(arm), refused(AllOf(HasSubstr("hits"), HasSubstr("of the other CPU"))));
    }
  }
}

TEST_F(MapContention, OtherCpuThatDoesNothingIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load_way("atomic", "same", 2));
  if (IsSkipped()) return;
  const OwnVariable rival("map_cont.bss", "rival");
  ASSERT_NE(rival.get(), nullptr);
  const TestRunFault fault(on_the_other_cpu([&](int prog_fd, bpf_test_run_opts* options) {
    rival_of(rival)->running = 1;
    return pretend_to_run(prog_fd, options);
  }));
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("the other CPU did 0 operations")));
}

TEST_F(MapContention, OtherCpuIsCalledOffWhenTheArmChanges) {
  ASSERT_NO_FATAL_FAILURE(load_way("spin_lock", "same", 2));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  ASSERT_THAT(load_->prepare(Arm::kFloor), IsOk());
  EXPECT_THAT(run(Arm::kFloor), IsOk());
  EXPECT_THAT(run(Arm::kSubject), IsOk());
}

TEST_F(MapContention, OtherCpuThatCannotRunIsASystemError) {
  ASSERT_NO_FATAL_FAILURE(load_way("atomic", "same", 2));
  if (IsSkipped()) return;
  const TestRunFault fault(on_the_other_cpu([](int, bpf_test_run_opts*) { return -ENOMEM; }));
  EXPECT_THAT(run(Arm::kSubject), ErrorIs(ErrorKind::kSystem, HasSubstr("Cannot allocate memory")));
}

}  // namespace
}  // namespace bpfmark
