// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "fixtures/unique_fd.h"
#include "harness/guards.h"
#include "harness/map_type.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

std::uint64_t word_of(std::uint32_t key) { return 0x1234'5678'0000'0000u + key; }

class FillMap : public ::testing::TestWithParam<MapType> {
 protected:
  void create(const MapShape& shape) {
    ASSERT_THAT(pin_to_cpu(allowed_cpus().back()), IsOk());  // each CPU of an LRU map has its lot
    map_ = UniqueFd(bpf_map_create(GetParam().type, "bpfmark_fill", sizeof(std::uint32_t),
                                   shape.value_bytes, shape.entries, nullptr));
    if (!map_) {
      BPFMARK_SKIP_OR_FAIL(
          system_error(errno, "create a map of type " + std::string(GetParam().name)).error());
    }
  }

  static std::vector<std::uint32_t> entry_counts() {
    const bool evicts =
        GetParam().type == BPF_MAP_TYPE_LRU_HASH || GetParam().type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
    return evicts ? std::vector<std::uint32_t>{1, 1024, 8192}
                  : std::vector<std::uint32_t>{1, 1000, 5000};
  }

  MapShape shape_of(std::uint32_t entries, std::uint32_t value_bytes) const {
    return {.entries = entries, .value_bytes = value_bytes, .per_cpu = GetParam().per_cpu};
  }

  // Every CPU's copy of a value, as 8-byte words; nothing where there is no entry.
  std::vector<std::vector<std::uint64_t>> copies_of(std::uint32_t key,
                                                    std::uint32_t value_bytes) const {
    const auto copies =
        static_cast<std::size_t>(GetParam().per_cpu ? libbpf_num_possible_cpus() : 1);
    const std::size_t words = value_bytes / sizeof(std::uint64_t);
    std::vector<std::uint64_t> flat(copies * words);
    if (bpf_map_lookup_elem(map_.get(), &key, flat.data()) != 0) return {};
    std::vector<std::vector<std::uint64_t>> split;
    for (auto begin = flat.begin(); begin != flat.end(); begin += static_cast<long>(words)) {
      split.emplace_back(begin, begin + static_cast<long>(words));
    }
    return split;
  }

  UniqueFd map_;
};

// More than 4096 keys take more than one system call. An LRU map hands out its free entries in lots
// of up to 128, and evicts instead of handing out a smaller lot: its sizes are powers of two.
TEST_P(FillMap, EveryKeyHasItsWordOnEveryCpuAndZeroesBehindIt) {
  for (const std::uint32_t entries : entry_counts()) {
    for (const std::uint32_t value_bytes : {8u, 24u}) {
      SCOPED_TRACE(::testing::Message() << entries << " entries of " << value_bytes << " bytes");
      const MapShape shape = shape_of(entries, value_bytes);
      ASSERT_NO_FATAL_FAILURE(create(shape));
      if (IsSkipped()) return;
      ASSERT_THAT(fill_map(map_.get(), shape, word_of), IsOk());
      for (std::uint32_t key = 0; key < entries; ++key) {
        std::vector<std::uint64_t> expected(value_bytes / sizeof(std::uint64_t), 0);
        expected[0] = word_of(key);
        const auto copies = copies_of(key, value_bytes);
        ASSERT_FALSE(copies.empty()) << "no entry under key " << key;
        ASSERT_THAT(copies, Each(expected)) << "key " << key;
      }
    }
  }
}

TEST_P(FillMap, FillsAgainOverWhatIsThere) {
  const MapShape shape = shape_of(16, 8);
  ASSERT_NO_FATAL_FAILURE(create(shape));
  if (IsSkipped()) return;
  ASSERT_THAT(fill_map(map_.get(), shape, [](std::uint32_t) { return 1u; }), IsOk());
  ASSERT_THAT(fill_map(map_.get(), shape, word_of), IsOk());
  EXPECT_THAT(copies_of(7, 8), Each(std::vector<std::uint64_t>{word_of(7)}));
}

INSTANTIATE_TEST_SUITE_P(MapTypes, FillMap, ::testing::ValuesIn(map_types()),
                         [](const auto& type) { return std::string(type.param.name); });

TEST(FillMapErrors, MapThatIsTooSmallIsNamedWithTheKeyThatDidNotFit) {
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_HASH, "bpfmark_fill", 4, 8, 10, nullptr));
  if (!map) BPFMARK_SKIP_OR_FAIL(system_error(errno, "create a hash map").error());
  const Result<void> filled = fill_map(map.get(), {.entries = 11}, word_of);
  ASSERT_THAT(filled, ErrorIs(ErrorKind::kSystem, HasSubstr("fill map at key 10")));
  EXPECT_EQ(filled.error().errnum, E2BIG);
}

TEST(FillMapErrors, ClosedDescriptorIsASystemError) {
  EXPECT_THAT(fill_map(-1, {.entries = 1}, word_of),
              ErrorIs(ErrorKind::kSystem, HasSubstr("fill map at key")));
}

}  // namespace
}  // namespace bpfmark
