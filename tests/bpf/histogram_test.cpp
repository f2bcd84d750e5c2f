// SPDX-License-Identifier: BSD-2-Clause
#include "bpf/shared/histogram.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <vector>
// The skeleton uses the shared struct.
#include "histogram.skel.h"

namespace bpfmark {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;

struct Destroy {
  void operator()(histogram_bpf* skeleton) const { histogram_bpf__destroy(skeleton); }
};

class HistogramBpf : public ::testing::Test {
 protected:
  void SetUp() override {
    skeleton_.reset(histogram_bpf__open());
    ASSERT_NE(skeleton_, nullptr) << "open: errno " << errno;
    const int error = histogram_bpf__load(skeleton_.get());
    if (error == -EPERM) GTEST_SKIP() << "histogram: program load refused (EPERM) - run as root";
    ASSERT_EQ(error, 0);
  }

  // Records in the kernel and in user space.
  void record(std::span<const std::uint64_t> values) {
    auto& bss = *skeleton_->bss;
    ASSERT_LE(values.size(), std::size(bss.values));
    std::ranges::copy(values, std::begin(bss.values));
    bss.value_count = static_cast<__u32>(values.size());
    LIBBPF_OPTS(bpf_test_run_opts, options);
    ASSERT_EQ(bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.histogram_record), &options),
              0);
    ASSERT_EQ(options.retval, values.size());
    for (const std::uint64_t value : values) bpfmark_histogram_record(expected_.get(), value);
  }

  const bpfmark_histogram& recorded() const { return skeleton_->bss->recorded; }
  const bpfmark_histogram& expected() const { return *expected_; }

  void expect_equal_twins() const {
    EXPECT_EQ(recorded().count, expected().count);
    EXPECT_EQ(recorded().sum, expected().sum);
    EXPECT_EQ(recorded().min, expected().min);
    EXPECT_EQ(recorded().max, expected().max);
    EXPECT_EQ(recorded().overflow, expected().overflow);
    EXPECT_THAT(recorded().buckets, ElementsAreArray(expected().buckets));
  }

 private:
  std::unique_ptr<histogram_bpf, Destroy> skeleton_;
  std::unique_ptr<bpfmark_histogram> expected_ = std::make_unique<bpfmark_histogram>();
};

TEST_F(HistogramBpf, PutsBothEndsOfEveryBucketWhereUserSpaceDoes) {
  std::vector<std::uint64_t> values;
  for (std::uint32_t bucket = 0; bucket < BPFMARK_HISTOGRAM_BUCKETS; ++bucket) {
    values.push_back(bpfmark_histogram_lowest(bucket));
    values.push_back(bpfmark_histogram_highest(bucket));
  }
  record(values);
  EXPECT_THAT(recorded().buckets, Each(2u));
  expect_equal_twins();
}

TEST_F(HistogramBpf, CountsValuesOutOfRangeAsOverflowOnly) {
  record(std::vector<std::uint64_t>{BPFMARK_HISTOGRAM_LIMIT, BPFMARK_HISTOGRAM_LIMIT * 2 - 1,
                                    std::numeric_limits<std::uint64_t>::max()});
  EXPECT_EQ(recorded().overflow, 3u);
  EXPECT_THAT(recorded().buckets, Each(0u));
  expect_equal_twins();
}

TEST_F(HistogramBpf, AddsUpOverSeveralRuns) {
  record(std::vector<std::uint64_t>{700, 3, 123456789});
  record(std::vector<std::uint64_t>{5, 700});
  EXPECT_EQ(recorded().buckets[700], 2u);
  expect_equal_twins();
}

TEST_F(HistogramBpf, WithoutValuesStaysAllZero) {
  record({});
  expect_equal_twins();
}

}  // namespace
}  // namespace bpfmark
