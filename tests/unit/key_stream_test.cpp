// SPDX-License-Identifier: BSD-2-Clause
#include "harness/key_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <vector>

namespace bpfmark {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Lt;
using ::testing::SizeIs;

constexpr std::array kPatterns{KeyPattern::kSame, KeyPattern::kSequential, KeyPattern::kUniform,
                               KeyPattern::kZipf};

constexpr std::uint32_t kEntries = 1024;
constexpr std::uint32_t kLength = 1u << 20;

std::vector<std::uint32_t> counts_by_key(const std::vector<std::uint32_t>& keys) {
  std::vector<std::uint32_t> counts(kEntries, 0);
  for (const std::uint32_t key : keys) ++counts[key];
  return counts;
}

// FNV-1a over the keys.
std::uint64_t hash_of(const std::vector<std::uint32_t>& keys) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::uint32_t key : keys) hash = (hash ^ key) * 0x100000001b3u;
  return hash;
}

TEST(DrawKeys, GivesAsManyAsAskedForAndAllInRange) {
  for (const KeyPattern pattern : kPatterns) {
    for (const std::uint32_t entries : {1u, 2u, 1024u, 1u << 20}) {
      SCOPED_TRACE(key_pattern_name(pattern));
      const auto keys = draw_keys(pattern, entries, 5000);
      EXPECT_THAT(keys, SizeIs(5000));
      EXPECT_THAT(keys, Each(Lt(entries)));
    }
  }
}

TEST(DrawKeys, GivesTheSameKeysForTheSameArguments) {
  for (const KeyPattern pattern : kPatterns) {
    EXPECT_EQ(draw_keys(pattern, kEntries, 5000), draw_keys(pattern, kEntries, 5000));
  }
}

// A result of today and one of next year must have asked for the same keys.
TEST(DrawKeys, GivesTheKeysItAlwaysGave) {
  EXPECT_EQ(hash_of(draw_keys(KeyPattern::kUniform, kEntries, 5000)), 18108860301309865968u);
  EXPECT_EQ(hash_of(draw_keys(KeyPattern::kZipf, kEntries, 5000)), 15905721494235563457u);
}

TEST(DrawKeys, SameIsOneKey) {
  const auto keys = draw_keys(KeyPattern::kSame, kEntries, 100);
  EXPECT_THAT(keys, Each(keys.front()));
}

TEST(DrawKeys, SequentialGoesRound) {
  EXPECT_THAT(draw_keys(KeyPattern::kSequential, 4, 10), ElementsAre(0, 1, 2, 3, 0, 1, 2, 3, 0, 1));
}

TEST(DrawKeys, UniformKeysAreAllEquallyLikely) {
  const auto counts = counts_by_key(draw_keys(KeyPattern::kUniform, kEntries, kLength));
  const double expected = static_cast<double>(kLength) / kEntries;
  double chi_square = 0;
  for (const std::uint32_t count : counts) {
    chi_square += (count - expected) * (count - expected) / expected;
  }
  // 1023 degrees of freedom: mean 1023, standard deviation 45. Too even is as wrong as too uneven.
  EXPECT_GT(chi_square, 1023 - 4 * 45.2);
  EXPECT_LT(chi_square, 1023 + 4 * 45.2);
}

TEST(DrawKeys, UniformKeysDoNotForetellTheNext) {
  const auto keys = draw_keys(KeyPattern::kUniform, kEntries, kLength);
  // Correlation of neighbours; its standard deviation is 1 / sqrt(length), 0.001.
  const double middle = (kEntries - 1) / 2.0;
  double product = 0, square = 0;
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    product += (keys[i] - middle) * (keys[i + 1] - middle);
    square += (keys[i] - middle) * (keys[i] - middle);
  }
  EXPECT_NEAR(product / square, 0, 0.005);
}

TEST(DrawKeys, ZipfFollowsItsDistribution) {
  auto counts = counts_by_key(draw_keys(KeyPattern::kZipf, kEntries, kLength));
  std::ranges::sort(counts, std::greater());
  double harmonic = 0;
  for (std::uint32_t rank = 1; rank <= kEntries; ++rank) harmonic += 1.0 / rank;
  double theory = 0, drawn = 0;
  for (std::uint32_t rank = 1; rank <= kEntries; ++rank) {
    theory += 1.0 / rank / harmonic;
    drawn += static_cast<double>(counts[rank - 1]) / kLength;
    ASSERT_NEAR(drawn, theory, 0.005) << "the " << rank << " most frequent keys";
  }
  EXPECT_NEAR(counts[0], 2.0 * counts[1], 0.02 * counts[0]);
}

TEST(DrawZipfKeys, FollowTheirDistributionForEveryExponent) {
  for (const double exponent : {0.0, 0.5, 1.5, 2.0}) {
    SCOPED_TRACE(exponent);
    auto counts = counts_by_key(draw_zipf_keys(kEntries, kLength, exponent));
    std::ranges::sort(counts, std::greater());
    double total = 0;
    for (std::uint32_t rank = 1; rank <= kEntries; ++rank) total += std::pow(rank, -exponent);
    double theory = 0, drawn = 0;
    for (std::uint32_t rank = 1; rank <= kEntries; ++rank) {
      theory += std::pow(rank, -exponent) / total;
      drawn += static_cast<double>(counts[rank - 1]) / kLength;
      // Sorting lifts the head of an even distribution by the luck of the draw.
      ASSERT_NEAR(drawn, theory, 0.02) << "the " << rank << " most frequent keys";
    }
  }
}

TEST(DrawZipfKeys, WithExponentOneAreThePattern) {
  EXPECT_EQ(draw_zipf_keys(kEntries, 5000, 1), draw_keys(KeyPattern::kZipf, kEntries, 5000));
}

TEST(DrawKeys, ZipfSpreadsItsFrequentKeys) {
  const auto counts = counts_by_key(draw_keys(KeyPattern::kZipf, kEntries, kLength));
  std::vector<int> keys(kEntries);
  std::iota(keys.begin(), keys.end(), 0);
  std::ranges::sort(keys, std::greater(),
                    [&](int key) { return counts[static_cast<std::size_t>(key)]; });
  // 16 keys of 4 bytes are a cache line.
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < i; ++j) {
      EXPECT_GT(std::abs(keys[static_cast<std::size_t>(i)] - keys[static_cast<std::size_t>(j)]),
                16);
    }
  }
}

TEST(DrawKeys, ZipfReachesEveryKey) {
  EXPECT_THAT(counts_by_key(draw_keys(KeyPattern::kZipf, kEntries, kLength)),
              Each(::testing::Gt(0u)));
}

TEST(KeyPatternName, IsWhatBenchmarkNamesHold) {
  EXPECT_STREQ(key_pattern_name(KeyPattern::kSame), "same");
  EXPECT_STREQ(key_pattern_name(KeyPattern::kSequential), "sequential");
  EXPECT_STREQ(key_pattern_name(KeyPattern::kUniform), "uniform");
  EXPECT_STREQ(key_pattern_name(KeyPattern::kZipf), "zipf");
}

TEST(WindowSums, AgreeWithAddingUpOneByOne) {
  std::vector<std::uint64_t> values;
  for (std::uint64_t i = 0; i < 13; ++i) values.push_back(i * 0x9E3779B97F4A7C15u + 1);
  const WindowSums sums(values);
  for (std::uint64_t first = 0; first < 40; ++first) {
    std::uint64_t naive = 0;
    for (std::uint64_t count = 0; count < 60; ++count) {
      ASSERT_EQ(sums.sum(first, count), naive) << first << " + " << count;
      naive += values[(first + count) % values.size()];
    }
  }
}

TEST(WindowSums, OfOneValueAreMultiplesOfIt) {
  const WindowSums sums({7});
  EXPECT_EQ(sums.sum(0, 0), 0u);
  EXPECT_EQ(sums.sum(12345, 1'000'000), 7'000'000u);
}

}  // namespace
}  // namespace bpfmark
