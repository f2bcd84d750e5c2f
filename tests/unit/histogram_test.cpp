// SPDX-License-Identifier: BSD-2-Clause
#include "harness/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace bpfmark {
namespace {

using ::testing::DoubleNear;
using ::testing::Optional;

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

void record_range(Histogram& histogram, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t value = first; value <= last; ++value) histogram.record(value);
}

TEST(HistogramBuckets, HoldOneValueEachBelow2048) {
  for (std::uint32_t value = 0; value < 2048; ++value) {
    ASSERT_EQ(bpfmark_histogram_bucket(value), value);
    ASSERT_EQ(bpfmark_histogram_lowest(value), value);
    ASSERT_EQ(bpfmark_histogram_highest(value), value);
  }
}

TEST(HistogramBuckets, AreWiderByTwoAtEveryPowerOfTwo) {
  EXPECT_EQ(bpfmark_histogram_bucket(2048), 2048u);
  EXPECT_EQ(bpfmark_histogram_bucket(2049), 2048u);
  EXPECT_EQ(bpfmark_histogram_bucket(2050), 2049u);
  EXPECT_EQ(bpfmark_histogram_bucket(4095), 3071u);
  EXPECT_EQ(bpfmark_histogram_bucket(4096), 3072u);
  EXPECT_EQ(bpfmark_histogram_bucket(4099), 3072u);
  EXPECT_EQ(bpfmark_histogram_bucket(4100), 3073u);
}

TEST(HistogramBuckets, MeetWithoutGapOrOverlapOverTheWholeRange) {
  ASSERT_EQ(bpfmark_histogram_lowest(0), 0u);
  for (std::uint32_t bucket = 0; bucket < BPFMARK_HISTOGRAM_BUCKETS; ++bucket) {
    const std::uint64_t lowest = bpfmark_histogram_lowest(bucket);
    const std::uint64_t highest = bpfmark_histogram_highest(bucket);
    ASSERT_EQ(bpfmark_histogram_bucket(lowest), bucket);
    ASSERT_EQ(bpfmark_histogram_bucket(highest), bucket);
    if (bucket > 0) {
      ASSERT_EQ(bpfmark_histogram_bucket(lowest - 1), bucket - 1);
    }
    if (bucket + 1 < BPFMARK_HISTOGRAM_BUCKETS) {
      ASSERT_EQ(bpfmark_histogram_lowest(bucket + 1), highest + 1);
    }
  }
  EXPECT_EQ(bpfmark_histogram_highest(BPFMARK_HISTOGRAM_BUCKETS - 1), BPFMARK_HISTOGRAM_LIMIT - 1);
}

TEST(HistogramBuckets, AreNeverWiderThanA1024thOfTheirValue) {
  for (std::uint32_t bucket = 1; bucket < BPFMARK_HISTOGRAM_BUCKETS; ++bucket) {
    const std::uint64_t lowest = bpfmark_histogram_lowest(bucket);
    ASSERT_LE((bpfmark_histogram_highest(bucket) - lowest) * 1024, lowest) << bucket;
  }
}

TEST(HistogramRecord, CountsEachValueOnceInItsBucket) {
  const auto data = std::make_unique<bpfmark_histogram>();
  for (const std::uint64_t value : {0u, 5u, 5u, 2049u}) bpfmark_histogram_record(data.get(), value);
  EXPECT_EQ(data->buckets[0], 1u);
  EXPECT_EQ(data->buckets[5], 2u);
  EXPECT_EQ(data->buckets[2048], 1u);
  EXPECT_EQ(data->count, 4u);
  EXPECT_EQ(data->sum, 2059u);
  EXPECT_EQ(data->overflow, 0u);
}

TEST(HistogramRecord, PutsTheFirstValueOutOfRangeIntoOverflowOnly) {
  const auto data = std::make_unique<bpfmark_histogram>();
  bpfmark_histogram_record(data.get(), BPFMARK_HISTOGRAM_LIMIT - 1);
  bpfmark_histogram_record(data.get(), BPFMARK_HISTOGRAM_LIMIT);
  EXPECT_EQ(data->buckets[BPFMARK_HISTOGRAM_BUCKETS - 1], 1u);
  EXPECT_EQ(data->overflow, 1u);
  EXPECT_EQ(data->count, 2u);
  EXPECT_EQ(data->sum, BPFMARK_HISTOGRAM_LIMIT - 1);
  EXPECT_EQ(data->max, BPFMARK_HISTOGRAM_LIMIT);
}

TEST(Histogram, EmptyHasNoValues) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min_ns(), std::nullopt);
  EXPECT_EQ(histogram.max_ns(), std::nullopt);
  EXPECT_EQ(histogram.mean_ns(), std::nullopt);
  EXPECT_EQ(histogram.quantile_ns(0.5), std::nullopt);
  EXPECT_EQ(histogram.to_text(), "");
}

TEST(Histogram, MinMaxAndMeanAreExact) {
  Histogram histogram;
  for (const std::uint64_t value : {1000001u, 7u, 500001u}) histogram.record(value);
  EXPECT_THAT(histogram.min_ns(), Optional(7u));
  EXPECT_THAT(histogram.max_ns(), Optional(1000001u));
  EXPECT_THAT(histogram.mean_ns(), Optional(500003.0));
}

TEST(Histogram, OneZeroIsNotAnEmptyHistogram) {
  Histogram histogram;
  histogram.record(0);
  histogram.record(3);
  EXPECT_THAT(histogram.min_ns(), Optional(0u));
  EXPECT_THAT(histogram.mean_ns(), Optional(1.5));
}

TEST(Histogram, AValueOutOfRangeReachesTheMaximumAndVoidsTheMean) {
  Histogram histogram;
  histogram.record(10);
  histogram.record(kHuge);
  EXPECT_THAT(histogram.max_ns(), Optional(kHuge));
  EXPECT_EQ(histogram.overflow(), 1u);
  EXPECT_EQ(histogram.mean_ns(), std::nullopt);
}

TEST(HistogramQuantile, IsTheSampleOfNearestRank) {
  Histogram histogram;
  record_range(histogram, 1, 100);
  EXPECT_THAT(histogram.quantile_ns(0.0), Optional(1.0));
  EXPECT_THAT(histogram.quantile_ns(0.5), Optional(50.0));
  EXPECT_THAT(histogram.quantile_ns(0.501), Optional(51.0));
  EXPECT_THAT(histogram.quantile_ns(0.9), Optional(90.0));
}

TEST(HistogramQuantile, IsNotLedAstrayByTheProductsRounding) {
  Histogram histogram;
  record_range(histogram, 1, 100);
  EXPECT_THAT(histogram.quantile_ns(0.07), Optional(7.0));  // 0.07 * 100 is 7.000...1 in doubles.
}

TEST(HistogramQuantile, WithFewerThanTenSamplesAboveIsAbsent) {
  Histogram histogram;
  record_range(histogram, 1, 99);
  EXPECT_EQ(histogram.quantile_ns(0.9), std::nullopt);
  histogram.record(100);
  EXPECT_THAT(histogram.quantile_ns(0.9), Optional(90.0));
  EXPECT_EQ(histogram.quantile_ns(0.901), std::nullopt);
  EXPECT_EQ(histogram.quantile_ns(1.0), std::nullopt);
}

TEST(HistogramQuantile, P999NeedsTenThousandSamples) {
  Histogram histogram;
  record_range(histogram, 1, 9999);
  EXPECT_EQ(histogram.quantile_ns(0.999), std::nullopt);
  histogram.record(10000);
  EXPECT_THAT(histogram.quantile_ns(0.999), Optional(DoubleNear(9990, 9990 / 2048.0)));
}

TEST(HistogramQuantile, IsWithinHalfABucketOfTheSample) {
  Histogram histogram;
  for (std::uint64_t i = 1; i <= 1000; ++i) histogram.record(i * 1234567);
  for (const double q : {0.1, 0.25, 0.5, 0.75, 0.99}) {
    const double sample = q * 1000 * 1234567;
    EXPECT_THAT(histogram.quantile_ns(q), Optional(DoubleNear(sample, sample / 2048))) << q;
  }
}

TEST(HistogramQuantile, OfEqualValuesIsThatValueAtEitherEndOfABucket) {
  for (const std::uint64_t value : {1u << 20, (1u << 20) - 1}) {
    Histogram histogram;
    for (int i = 0; i < 20; ++i) histogram.record(value);
    EXPECT_THAT(histogram.quantile_ns(0.5), Optional(static_cast<double>(value)));
  }
}

TEST(HistogramQuantile, AmongTheOverflowIsAbsent) {
  Histogram histogram;
  record_range(histogram, 1, 10);
  for (int i = 0; i < 20; ++i) histogram.record(BPFMARK_HISTOGRAM_LIMIT);
  EXPECT_THAT(histogram.quantile_ns(0.3), Optional(9.0));
  EXPECT_EQ(histogram.quantile_ns(0.5), std::nullopt);
}

TEST(HistogramQuantile, RefusesAQOutsideZeroToOne) {
  Histogram histogram;
  record_range(histogram, 1, 100);
  for (const double q : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(histogram.quantile_ns(q), std::nullopt) << q;
  }
}

TEST(HistogramMerge, EqualsRecordingAllInOne) {
  Histogram all;
  Histogram even;
  Histogram odd;
  std::uint64_t value = 1;
  for (int i = 0; i < 1000; ++i) {
    value = value * 6364136223846793005u + 1442695040888963407u;
    const std::uint64_t sample = value >> (20 + i % 44);
    all.record(sample);
    (i % 2 == 0 ? even : odd).record(sample);
  }
  Histogram merged;
  merged.merge(odd);
  merged.merge(even);
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.overflow(), all.overflow());
  EXPECT_EQ(merged.min_ns(), all.min_ns());
  EXPECT_EQ(merged.max_ns(), all.max_ns());
  EXPECT_EQ(merged.mean_ns(), all.mean_ns());
  EXPECT_EQ(merged.to_text(), all.to_text());
  for (const double q : {0.01, 0.1, 0.3, 0.5, 0.9}) {
    EXPECT_EQ(merged.quantile_ns(q), all.quantile_ns(q)) << q;
  }
}

TEST(HistogramMerge, OfACopyAddsItsBuckets) {
  const auto copy = std::make_unique<bpfmark_histogram>();
  for (int i = 0; i < 20; ++i) bpfmark_histogram_record(copy.get(), 8);
  Histogram histogram;
  histogram.merge(*copy);
  histogram.merge(*copy);
  EXPECT_EQ(histogram.count(), 40u);
  EXPECT_THAT(histogram.min_ns(), Optional(8u));
  EXPECT_THAT(histogram.mean_ns(), Optional(8.0));
  EXPECT_THAT(histogram.quantile_ns(0.5), Optional(8.0));
}

TEST(HistogramMerge, OfAnEmptyOneKeepsTheMinimum) {
  Histogram histogram;
  histogram.record(9);
  histogram.merge(Histogram());
  EXPECT_THAT(histogram.min_ns(), Optional(9u));
}

TEST(HistogramMove, KeepsTheSamples) {
  Histogram source;
  source.record(3);
  const Histogram target = std::move(source);
  EXPECT_EQ(target.count(), 1u);
}

TEST(Histogram, BucketsAreThoseWithSamplesInOrder) {
  Histogram histogram;
  for (const std::uint64_t value : {4096, 3, 3, 0}) histogram.record(value);
  histogram.record(kHuge);
  const auto buckets = histogram.buckets();
  ASSERT_EQ(buckets.size(), 3u) << "what is out of range has no bucket";
  EXPECT_EQ(buckets[0].lower_ns, 0u);
  EXPECT_EQ(buckets[0].upper_ns, 1u);
  EXPECT_EQ(buckets[1].count, 2u);
  EXPECT_EQ(buckets[2].lower_ns, 4096u);
  EXPECT_EQ(buckets[2].upper_ns, 4100u);
}

TEST(HistogramText, ShowsEveryPowerOfTwoBetweenSmallestAndLargest) {
  Histogram histogram;
  for (int i = 0; i < 4; ++i) histogram.record(2);
  histogram.record(9);
  EXPECT_EQ(histogram.to_text(),
            "[2, 4)                4 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|\n"
            "[4, 8)                0 |                                                    |\n"
            "[8, 16)               1 |@@@@@@@@@@@@@                                       |\n");
}

TEST(HistogramText, NamesTheEndsOfTheRange) {
  Histogram histogram;
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1024}, kHuge}) {
    histogram.record(value);
  }
  const auto text = histogram.to_text();
  EXPECT_THAT(text, ::testing::StartsWith("[0]                   1 |@"));
  EXPECT_THAT(text, ::testing::HasSubstr("\n[1]                   1 |@"));
  EXPECT_THAT(text, ::testing::HasSubstr("\n[512, 1K)             0 | "));
  EXPECT_THAT(text, ::testing::HasSubstr("\n[1K, 2K)              1 |@"));
  EXPECT_THAT(text, ::testing::HasSubstr("\n[32G, 64G)            0 | "));
  EXPECT_THAT(text, ::testing::HasSubstr("\n[64G, ...)            1 |@"));
  EXPECT_EQ(std::ranges::count(text, '\n'), 38);
}

}  // namespace
}  // namespace bpfmark
