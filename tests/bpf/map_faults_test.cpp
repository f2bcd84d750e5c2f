// SPDX-License-Identifier: BSD-2-Clause
// Wrong worlds shown to map_op: every kind of proof must refuse its own.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/map_load.h"
#include "fixtures/cgroup.h"
#include "fixtures/free_memory.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_map.h"
#include "tests/bpf/own_variable.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class MapFault : public LoadedCase {};

// A key as a map with keys of 8 bytes has it.
std::uint64_t wide(std::uint32_t key) { return key; }

TEST_F(MapFault, UpdateRefusesATableThatLostAnEntry) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:update/type:hash/keys:sequential/entries:1024/key:8/value:8/fill:100"));
  if (IsSkipped()) return;
  const std::uint64_t key = wide(7);
  ASSERT_EQ(bpf_map_delete_elem(own_map("table").get(), &key), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
  EXPECT_THAT(run(Arm::kFloor), IsOk());
}

TEST_F(MapFault, UpdateRefusesAValueThatDidNotStay) {
  ASSERT_NO_FATAL_FAILURE(load("map_op/op:update/type:array/keys:same/entries:1024/key:4/value:8"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    const std::uint64_t other = 1;
    for (std::uint32_t key = 0; key < 1024; ++key) {
      bpf_map_update_elem(table.get(), &key, &other, BPF_ANY);
    }
    return err;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("under the last key")));
}

TEST_F(MapFault, InsertRefusesAKeyThatIsThereAlready) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:insert_delete/type:hash/keys:sequential/entries:1024/key:8/value:8/fill:50"));
  if (IsSkipped()) return;
  const std::uint64_t key = wide(512), value = 1;
  ASSERT_EQ(bpf_map_update_elem(own_map("table").get(), &key, &value, BPF_NOEXIST), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
}

TEST_F(MapFault, InsertRefusesAKeyThatWasNotDeleted) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:insert_delete/type:hash/keys:same/entries:1024/key:8/value:8/fill:50"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    const std::uint64_t key = wide(512 + 256), value = 1;
    bpf_map_update_elem(table.get(), &key, &value, BPF_ANY);
    return err;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("still holds the last key")));
}

TEST_F(MapFault, TrieRefusesAPrefixThatIsGone) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:lookup/type:lpm_trie/keys:same/entries:32/key:8/value:8/depth:8"));
  if (IsSkipped()) return;
  const std::uint32_t key[2] = {8, 0};
  ASSERT_EQ(bpf_map_delete_elem(own_map("table").get(), key), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
}

TEST_F(MapFault, InnerLookupRefusesAMapThatIsNotTheKeysOwn) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:lookup/type:array_of_maps/keys:uniform/entries:1024/key:4/value:4"));
  if (IsSkipped()) return;
  const UniqueFd other(bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, nullptr));
  const int value = other.get();
  const UniqueFd table = own_map("table");
  for (std::uint32_t key = 0; key < 4; ++key) {
    ASSERT_EQ(bpf_map_update_elem(table.get(), &key, &value, BPF_ANY), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
}

TEST_F(MapFault, SocketLookupRefusesASocketThatIsGone) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:lookup/type:sockmap/keys:uniform/entries:1024/key:4/value:8"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("table");
  for (std::uint32_t key = 0; key < 16; ++key) {
    ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
}

TEST_F(MapFault, PopRefusesWhatWasNotPushed) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:push_pop/type:queue/keys:uniform/entries:1024/key:0/value:8"));
  if (IsSkipped()) return;
  const std::uint64_t value = 1'000'000;
  ASSERT_EQ(bpf_map_update_elem(own_map("table").get(), nullptr, &value, BPF_ANY), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
}

TEST_F(MapFault, RingBufferRefusesRecordsTooMany) {
  for (const char* const op : {"output", "reserve_submit"}) {
    SCOPED_TRACE(op);
    ASSERT_NO_FATAL_FAILURE(load(std::string("map_op/op:") + op +
                                 "/type:ringbuf/keys:uniform/entries:1048576/key:0/value:8"));
    if (IsSkipped()) return;
    const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
      const int err = TestRunFault::real(prog_fd, options);
      return err != 0 ? err : TestRunFault::real(prog_fd, options);
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("records came")));
  }
}

TEST_F(MapFault, RingBufferThatIsFullIsRefused) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:output/type:ringbuf/keys:uniform/entries:1048576/key:0/value:256"));
  if (IsSkipped()) return;
  EXPECT_THAT(load_->run(Arm::kSubject, 8192), refused(HasSubstr("hits")));
}

TEST_F(MapFault, DrainRefusesARingWithoutRecords) {
  ASSERT_NO_FATAL_FAILURE(
      load("map_op/op:drain/type:user_ringbuf/keys:uniform/entries:262144/key:0/value:8"));
  if (IsSkipped()) return;
  const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    return err != 0 ? err : TestRunFault::real(prog_fd, options);
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 hits")));
}

// --- arena

TEST_F(MapFault, ArenaRefusesWordsThatStandElsewhere) {
  const std::pair<const char*, const char*> cases[] = {{"read", "add up to"},
                                                       {"write", "at the last index"}};
  for (const auto& [op, complaint] : cases) {
    SCOPED_TRACE(op);
    ASSERT_NO_FATAL_FAILURE(
        load(fmt::format("map_op/op:{}/type:arena/keys:uniform/entries:1024/key:4/value:8", op)));
    if (IsSkipped()) return;
    const OwnVariable start("map_aren.bss", "arena_start");
    ASSERT_NE(start.get(), nullptr);
    *start.get() += sizeof(std::uint64_t);
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr(complaint)));
    EXPECT_THAT(run(Arm::kFloor), IsOk());
    load_.reset();
  }
}

TEST_F(MapFault, ArenaRefusesPagesThatWereNotThere) {
  ASSERT_NO_FATAL_FAILURE(load("map_op/op:alloc_free/type:arena/pages:1"));
  if (IsSkipped()) return;
  const OwnVariable result("map_aren.bss", "result");
  ASSERT_NE(result.get(), nullptr);
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    --reinterpret_cast<bpfmark_batch_result*>(result.get())->hits;
    return err;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
}

// What one operation leaves, the next must find: another run in between is noticed.
TEST_F(MapFault, ListRefusesAnObjectThatSomebodyElseWrote) {
  const std::pair<const char*, const char*> cases[] = {
      {"get", "task_storage"}, {"pop_push", "list"}, {"pop_push", "rbtree"}, {"take_put", "kptr"}};
  for (const auto& [op, type] : cases) {
    SCOPED_TRACE(type);
    ASSERT_NO_FATAL_FAILURE(load(fmt::format("map_op/op:{}/type:{}/entries:1/value:8", op, type)));
    if (IsSkipped()) return;
    const UniqueFd keys = own_map(".bss.keys");
    ASSERT_TRUE(keys);
    const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
      bpf_map_info info{};
      __u32 length = sizeof(info);
      bpf_map_get_info_by_fd(keys.get(), &info, &length);
      std::vector<std::byte> memory(info.value_size);
      const std::uint32_t first = 0;
      bpf_map_lookup_elem(keys.get(), &first, memory.data());
      // The stream is the largest variable; one of its words is found by what it holds.
      const std::uint32_t pair[] = {3, 4}, wrong[] = {3, 5};
      const auto bytes = std::as_bytes(std::span(pair));
      const auto found = std::ranges::search(memory, bytes);
      if (!found.empty()) std::memcpy(found.data(), wrong, sizeof(wrong));
      bpf_map_update_elem(keys.get(), &first, memory.data(), BPF_ANY);
      return TestRunFault::real(prog_fd, options);
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
  }
}

TEST(MapLoadError, MemoryThatIsShortIsASkipThatSaysHowMuchIsNeeded) {
  const TableSize size = {.entries = 1u << 20, .key_bytes = 4, .value_bytes = 60};
  const Error error = map_load_error({.errnum = ENOMEM, .what = "fill"}, size);
  EXPECT_EQ(error.kind, ErrorKind::kAbsent);
  EXPECT_EQ(error.capability, "memory");
  EXPECT_THAT(error.remedy, HasSubstr("129 MiB"));
  EXPECT_EQ(map_load_error({.errnum = EINVAL}, size).kind, ErrorKind::kSystem);
}

TEST(CheckMemory, LimitOfACgroupCountsBeforeTheTableIsMade) {
  const TableSize large = {.entries = 1u << 20, .key_bytes = 4, .value_bytes = 8};
  const TableSize smaller = {.entries = 1u << 17, .key_bytes = 4, .value_bytes = 8};
  const Result<Cgroup> cgroup = Cgroup::create_for_memory();
  if (!cgroup) BPFMARK_SKIP_OR_FAIL(cgroup.error());
  ASSERT_TRUE(std::ofstream(cgroup->path() + "/memory.limit_in_bytes") << (64 << 20));
  EXPECT_LE(free_memory_bytes(), 64u << 20);
  EXPECT_THAT(check_memory(smaller), IsOk());
  EXPECT_THAT(check_memory(large), ErrorIs(ErrorKind::kAbsent, HasSubstr("MiB are left")));
  EXPECT_THAT(check_memory(large).error().remedy, HasSubstr("needs about 141 MiB"));
}

// In MiB, as the skip says; of a table that no machine has room for.
unsigned long long needed(const TableSize& size) {
  const std::string text = check_memory(size).error().remedy;
  return std::stoull(text.substr(text.find_first_of("0123456789")));
}

TEST(CheckMemory, EveryCpuHasItsCopyOfAValue) {
  TableSize table = {.entries = 1ull << 40, .key_bytes = 4, .value_bytes = 256};
  const unsigned long long one = needed(table);
  table.per_cpu = true;
  const auto cpus = static_cast<unsigned long long>(libbpf_num_possible_cpus());
  EXPECT_EQ(needed(table) - one, (cpus - 1) * (256ull << 20));
}

TEST(CheckMemory, TrieTakesMoreThanAHashAndThatMoreThanAnArray) {
  const auto of = [](bpf_map_type type) {
    return needed({.type = type, .entries = 1ull << 40, .key_bytes = 8, .value_bytes = 8});
  };
  EXPECT_GT(of(BPF_MAP_TYPE_LPM_TRIE), of(BPF_MAP_TYPE_HASH));
  EXPECT_GT(of(BPF_MAP_TYPE_HASH), of(BPF_MAP_TYPE_ARRAY));
}

}  // namespace
}  // namespace bpfmark
