// SPDX-License-Identifier: BSD-2-Clause
#include "harness/in_kernel_batch.h"

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "bpf/shared/map_lookup.h"
#include "fixtures/map.h"
#include "fixtures/skeleton.h"
#include "harness/guards.h"
#include "harness/key_stream.h"
#include "harness/map_type.h"
#include "harness/program_type.h"
#include "tests/bpf/test_run_fault.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"
// The skeleton uses the shared structs.
#include "map_lookup.skel.h"

namespace bpfmark {
namespace {

using ::testing::Gt;
using ::testing::HasSubstr;

constexpr std::uint32_t kEntries = 1024;
constexpr std::uint32_t kStreamLength = 4096;

std::uint64_t word_of(std::uint32_t key) { return std::uint64_t{key} * key + 7; }

// A table, a stream of keys and the two programs, with everything that can be wrong as a choice.
struct World {
  bpf_map_type type = BPF_MAP_TYPE_HASH;
  bool filled = true;
  KeyPattern pattern = KeyPattern::kUniform;
  std::uint32_t key_offset = 0;
  std::uint32_t key_mask = kStreamLength - 1;
};

class LookupWorld : public ::testing::Test {
 protected:
  void create(const World& world) {
    ASSERT_THAT(pin_to_cpu(allowed_cpus().back()), IsOk());  // as the program does
    auto opened = Skeleton<map_lookup_bpf>::open();
    ASSERT_THAT(opened, IsOk());
    skeleton_.emplace(std::move(*opened));
    auto& skeleton = *skeleton_;
    for (bpf_program* other :
         {skeleton->progs.t3_lookup, skeleton->progs.t3_stack, skeleton->progs.t3_empty}) {
      bpf_program__set_autoload(other, false);
    }
    bpf_map__set_type(skeleton->maps.table, world.type);
    bpf_map__set_max_entries(skeleton->maps.table, kEntries);
    skeleton->rodata->key_mask = world.key_mask;
    if (Result<void> loaded = skeleton.load(); !loaded) BPFMARK_SKIP_OR_FAIL(loaded.error());
    const bool per_cpu = world.type == BPF_MAP_TYPE_PERCPU_ARRAY ||
                         world.type == BPF_MAP_TYPE_PERCPU_HASH ||
                         world.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
    if (world.filled) {
      const MapShape shape = {.entries = kEntries, .per_cpu = per_cpu};
      ASSERT_THAT(fill_map(table(), shape, word_of), IsOk());
    }
    keys_ = draw_keys(world.pattern, kEntries, kStreamLength);
    for (std::uint32_t& key : keys_) key += world.key_offset;
    std::ranges::copy(keys_, skeleton->bss_keys->keys);
  }

  int table() { return bpf_map__fd((*skeleton_)->maps.table); }

  InKernelBatch batch_of(const bpf_program* program) {
    return {bpf_program__fd(program), find_program_type("tc")->input(), (*skeleton_)->bss->request,
            (*skeleton_)->bss->result};
  }
  InKernelBatch lookup() { return batch_of((*skeleton_)->progs.map_lookup); }
  InKernelBatch floor() { return batch_of((*skeleton_)->progs.map_floor); }

  // What a batch over the intended keys must add up to, worked out key by key.
  template <class Value>
  std::uint64_t sum_over_stream(std::uint64_t first, std::uint64_t ops, Value value) const {
    std::uint64_t sum = 0;
    for (std::uint64_t i = first; i < first + ops; ++i) sum += value(keys_[i % keys_.size()]);
    return sum;
  }

  // The verdict of the counts on a whole pass through the stream.
  Result<void> judge_whole_stream() {
    const InKernelBatch batch = lookup();
    if (Result<Batch> done = batch.run(kStreamLength); !done) {
      return std::unexpected(done.error());
    }
    return check_counts(batch.result(),
                        {.hits = kStreamLength, .sum = sum_over_stream(0, kStreamLength, word_of)});
  }

 private:
  std::optional<Skeleton<map_lookup_bpf>> skeleton_;
  std::vector<std::uint32_t> keys_;
};

// --- exact counts, for every type of map

class MapLookupBatch : public LookupWorld, public ::testing::WithParamInterface<MapType> {};

TEST_P(MapLookupBatch, FindsEveryKeyAndReadsItsOwnValue) {
  ASSERT_NO_FATAL_FAILURE(create({.type = GetParam().type}));
  if (IsSkipped()) return;
  const InKernelBatch batch = lookup();
  struct Window {
    std::uint64_t first, ops;
  };
  for (const auto& [first, ops] : {Window{0, 8}, Window{8, 64}, Window{kStreamLength - 16, 64},
                                   Window{5 * kStreamLength + 24, 3 * kStreamLength}}) {
    SCOPED_TRACE(::testing::Message() << ops << " operations from place " << first);
    const Result<Batch> done = batch.run(ops, first);
    ASSERT_THAT(done, IsOk());
    EXPECT_THAT(done->elapsed_ns, Gt(0));
    EXPECT_THAT(done->user_elapsed_ns, Gt(done->elapsed_ns));
    EXPECT_EQ(batch.result().ops, ops);
    EXPECT_EQ(batch.result().hits, ops);
    EXPECT_EQ(batch.result().sum, sum_over_stream(first, ops, word_of));
  }
}

TEST_P(MapLookupBatch, FindsNothingUnderKeysThatAreNotThere) {
  ASSERT_NO_FATAL_FAILURE(create({.type = GetParam().type, .key_offset = kEntries}));
  if (IsSkipped()) return;
  const InKernelBatch batch = lookup();
  ASSERT_THAT(batch.run(kStreamLength), IsOk());
  EXPECT_THAT(check_counts(batch.result(), {.hits = 0, .sum = 0}), IsOk());
}

INSTANTIATE_TEST_SUITE_P(MapTypes, MapLookupBatch, ::testing::ValuesIn(map_types()),
                         [](const auto& type) { return std::string(type.param.name); });

TEST_F(LookupWorld, FloorAddsUpTheKeysThemselves) {
  ASSERT_NO_FATAL_FAILURE(create({}));
  if (IsSkipped()) return;
  const InKernelBatch batch = floor();
  ASSERT_THAT(batch.run(kStreamLength, 8), IsOk());
  const auto key_itself = [](std::uint32_t key) { return std::uint64_t{key}; };
  EXPECT_THAT(check_counts(batch.result(), {.hits = kStreamLength,
                                            .sum = sum_over_stream(8, kStreamLength, key_itself)}),
              IsOk());
}

TEST_F(LookupWorld, TheIntendedWorldIsAccepted) {
  for (const KeyPattern pattern :
       {KeyPattern::kSame, KeyPattern::kSequential, KeyPattern::kUniform, KeyPattern::kZipf}) {
    SCOPED_TRACE(key_pattern_name(pattern));
    ASSERT_NO_FATAL_FAILURE(create({.pattern = pattern}));
    if (IsSkipped()) return;
    EXPECT_THAT(judge_whole_stream(), IsOk());
  }
}

// --- planted faults: worlds that the counts must refuse

TEST_F(LookupWorld, EmptyTableIsRefused) {
  ASSERT_NO_FATAL_FAILURE(create({.filled = false}));
  if (IsSkipped()) return;
  EXPECT_THAT(judge_whole_stream(), ErrorIs(ErrorKind::kWrongResult, HasSubstr("0 hits in 4096")));
}

TEST_F(LookupWorld, KeyMaskThatCutsTheStreamShortIsRefused) {
  ASSERT_NO_FATAL_FAILURE(create({.key_mask = kStreamLength / 2 - 1}));
  if (IsSkipped()) return;
  EXPECT_THAT(judge_whole_stream(), ErrorIs(ErrorKind::kWrongResult, HasSubstr("add up to")));
}

TEST_F(LookupWorld, OneWrongValueIsRefused) {
  ASSERT_NO_FATAL_FAILURE(create({.pattern = KeyPattern::kSequential}));
  if (IsSkipped()) return;
  const std::uint32_t key = 77;
  const std::uint64_t value = word_of(key) + 1;
  ASSERT_EQ(bpf_map_update_elem(table(), &key, &value, BPF_EXIST), 0);
  EXPECT_THAT(judge_whole_stream(), ErrorIs(ErrorKind::kWrongResult, HasSubstr("add up to")));
}

TEST_F(LookupWorld, OneMissingEntryIsRefused) {
  ASSERT_NO_FATAL_FAILURE(create({.pattern = KeyPattern::kSequential}));
  if (IsSkipped()) return;
  const std::uint32_t key = 77;
  ASSERT_EQ(bpf_map_delete_elem(table(), &key), 0);
  EXPECT_THAT(judge_whole_stream(),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("4092 hits in 4096")));
}

TEST_F(LookupWorld, ResultOfAnEarlierBatchIsNotTakenForThisOne) {
  ASSERT_NO_FATAL_FAILURE(create({}));
  if (IsSkipped()) return;
  const InKernelBatch batch = lookup();
  ASSERT_THAT(batch.run(64), IsOk());
  const TestRunFault fault(pretend_to_run);
  EXPECT_THAT(batch.run(64),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("0 operations were done instead of 64")));
}

TEST_F(LookupWorld, OperationsThatAreNoWholePassAreRefused) {
  ASSERT_NO_FATAL_FAILURE(create({}));
  if (IsSkipped()) return;
  EXPECT_THAT(lookup().run(BPFMARK_UNROLL + 1),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("8 operations were done instead of 9")));
}

TEST_F(LookupWorld, ErrorOfTheCallIsHandedOn) {
  ASSERT_NO_FATAL_FAILURE(create({}));
  if (IsSkipped()) return;
  const TestRunFault fault([](int, bpf_test_run_opts*) { return -ENOMEM; });
  const Result<Batch> done = lookup().run(64);
  ASSERT_THAT(done, ErrorIs(ErrorKind::kSystem, HasSubstr("Cannot allocate memory")));
  EXPECT_EQ(done.error().errnum, ENOMEM);
}

// --- the verdict itself; needs no BPF

constexpr bpfmark_batch_result kCounted = {.elapsed_ns = 5, .ops = 64, .hits = 60, .sum = 1000};

TEST(CheckCounts, ExactCountsAreAccepted) {
  EXPECT_THAT(check_counts(kCounted, {.hits = 60, .sum = 1000}), IsOk());
}

TEST(CheckCounts, OneHitTooManyOrTooFewIsRefused) {
  for (const std::uint64_t expected : {59u, 61u}) {
    EXPECT_THAT(check_counts(kCounted, {.hits = expected, .sum = 1000}),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("60 hits in 64 operations")));
  }
}

TEST(CheckCounts, SumOffByOneIsRefused) {
  for (const std::uint64_t expected : {999u, 1001u}) {
    EXPECT_THAT(check_counts(kCounted, {.hits = 60, .sum = expected}),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("add up to 1000 instead of")));
  }
}

}  // namespace
}  // namespace bpfmark
