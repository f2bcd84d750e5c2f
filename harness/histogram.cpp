// SPDX-License-Identifier: BSD-2-Clause
#include "harness/histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string_view>

namespace bpfmark {
namespace {

// Row 0 holds the zeroes, row r the values from 2^(r-1) to 2^r - 1, the last one the overflow.
constexpr std::size_t kRows = BPFMARK_HISTOGRAM_RANGE_BITS + 2;

std::string power_of_two(std::size_t exponent) {
  constexpr std::string_view kUnits = " KMG";
  const std::size_t unit = exponent / 10;
  const auto number = 1U << (exponent % 10);
  return unit == 0 ? fmt::format("{}", number) : fmt::format("{}{}", number, kUnits[unit]);
}

std::string row_label(std::size_t row) {
  if (row == 0) return "[0]";
  if (row == 1) return "[1]";
  if (row == kRows - 1) return fmt::format("[{}, ...)", power_of_two(row - 1));
  return fmt::format("[{}, {})", power_of_two(row - 1), power_of_two(row));
}

}  // namespace

Histogram::Histogram() : data_(std::make_unique<bpfmark_histogram>()) {}

void Histogram::record(std::uint64_t value_ns) { bpfmark_histogram_record(data_.get(), value_ns); }

void Histogram::merge(const bpfmark_histogram& copy) {
  if (copy.count == 0) return;
  data_->min = data_->count == 0 ? copy.min : std::min(data_->min, copy.min);
  data_->max = std::max(data_->max, copy.max);
  data_->count += copy.count;
  data_->sum += copy.sum;
  data_->overflow += copy.overflow;
  for (std::size_t i = 0; i < std::size(copy.buckets); ++i) data_->buckets[i] += copy.buckets[i];
}

void Histogram::merge(const Histogram& other) { merge(*other.data_); }

std::uint64_t Histogram::count() const { return data_->count; }

std::uint64_t Histogram::overflow() const { return data_->overflow; }

std::optional<std::uint64_t> Histogram::min_ns() const {
  if (data_->count == 0) return std::nullopt;
  return data_->min;
}

std::optional<std::uint64_t> Histogram::max_ns() const {
  if (data_->count == 0) return std::nullopt;
  return data_->max;
}

std::optional<double> Histogram::mean_ns() const {
  if (data_->count == 0 || data_->overflow != 0) return std::nullopt;
  return static_cast<double>(data_->sum) / static_cast<double>(data_->count);
}

std::optional<double> Histogram::quantile_ns(double q) const {
  if (data_->count == 0 || !(q >= 0 && q <= 1)) return std::nullopt;
  // One representable number down, so that 0.07 of 100 samples is rank 7 and not 7.000...1 -> 8.
  const double product = std::nextafter(q * static_cast<double>(data_->count), 0.0);
  const std::uint64_t rank =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(product)));
  if (data_->count - rank < kMinSamplesAbove) return std::nullopt;
  std::uint64_t seen = 0;
  for (std::uint32_t bucket = 0; bucket < BPFMARK_HISTOGRAM_BUCKETS; ++bucket) {
    seen += data_->buckets[bucket];
    if (seen < rank) continue;
    const double middle = (static_cast<double>(bpfmark_histogram_lowest(bucket)) +
                           static_cast<double>(bpfmark_histogram_highest(bucket))) /
                          2;
    return std::max(static_cast<double>(data_->min),
                    std::min(middle, static_cast<double>(data_->max)));
  }
  return std::nullopt;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
  std::vector<Bucket> filled;
  for (std::uint32_t bucket = 0; bucket < BPFMARK_HISTOGRAM_BUCKETS; ++bucket) {
    if (data_->buckets[bucket] == 0) continue;
    filled.push_back({.lower_ns = bpfmark_histogram_lowest(bucket),
                      .upper_ns = bpfmark_histogram_highest(bucket) + 1,
                      .count = data_->buckets[bucket]});
  }
  return filled;
}

std::string Histogram::to_text() const {
  constexpr std::uint64_t kBarWidth = 52;
  std::array<std::uint64_t, kRows> rows{};
  for (const Bucket& bucket : buckets()) {
    rows[static_cast<std::size_t>(std::bit_width(bucket.lower_ns))] += bucket.count;
  }
  rows.back() = data_->overflow;

  const auto filled = [](std::uint64_t samples) { return samples != 0; };
  const auto first = std::ranges::find_if(rows, filled);
  const auto last = std::find_if(rows.rbegin(), rows.rend(), filled).base();
  const std::uint64_t largest = std::ranges::max(rows);
  std::string text;
  for (auto row = first; row < last; ++row) {
    const std::string bar(*row * kBarWidth / largest, '@');
    fmt::format_to(std::back_inserter(text), "{:<12} {:>10} |{:<{}}|\n",
                   row_label(static_cast<std::size_t>(row - rows.begin())), *row, bar, kBarWidth);
  }
  return text;
}

}  // namespace bpfmark
