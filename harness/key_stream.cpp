// SPDX-License-Identifier: BSD-2-Clause
#include "harness/key_stream.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace bpfmark {
namespace {

constexpr std::uint64_t kSeed = 0x62706d61726bu;

// Maps ranks to keys one to one: multiplication by an odd number modulo a power of two.
std::uint32_t spread(std::uint32_t rank, std::uint32_t entries) {
  return (rank * 0x9E3779B1u) & (entries - 1);
}

// A double in [0, 1) from the upper 53 bits; std::uniform_real_distribution differs between
// libraries.
double unit(std::mt19937_64& generator) { return static_cast<double>(generator() >> 11) * 0x1p-53; }

}  // namespace

std::vector<std::uint32_t> draw_zipf_keys(std::uint32_t entries, std::uint32_t length,
                                          double exponent) {
  std::vector<double> cumulative(entries);
  double total = 0;
  for (std::uint32_t rank = 0; rank < entries; ++rank)
    cumulative[rank] = total += 1.0 / std::pow(rank + 1.0, exponent);
  std::mt19937_64 generator(kSeed);
  std::vector<std::uint32_t> keys(length);
  for (std::uint32_t& key : keys) {
    const auto found = std::ranges::upper_bound(cumulative, unit(generator) * total);
    const auto rank = static_cast<std::uint32_t>(found - cumulative.begin());
    key = spread(std::min(rank, entries - 1), entries);
  }
  return keys;
}

const char* key_pattern_name(KeyPattern pattern) {
  switch (pattern) {
    case KeyPattern::kSame:
      return "same";
    case KeyPattern::kSequential:
      return "sequential";
    case KeyPattern::kUniform:
      return "uniform";
    case KeyPattern::kZipf:
      return "zipf";
  }
  return "unknown";
}

std::vector<std::uint32_t> draw_keys(KeyPattern pattern, std::uint32_t entries,
                                     std::uint32_t length) {
  if (pattern == KeyPattern::kZipf) return draw_zipf_keys(entries, length, 1);
  std::vector<std::uint32_t> keys(length, entries / 2);
  if (pattern == KeyPattern::kSequential) {
    for (std::uint32_t i = 0; i < length; ++i) keys[i] = i % entries;
  } else if (pattern == KeyPattern::kUniform) {
    std::mt19937_64 generator(kSeed);
    // The high half of a product maps 32 random bits to [0, entries) without a division.
    for (std::uint32_t& key : keys) {
      key = static_cast<std::uint32_t>(((generator() >> 32) * entries) >> 32);
    }
  }
  return keys;
}

WindowSums::WindowSums(const std::vector<std::uint64_t>& values) : prefix_(values.size() + 1, 0) {
  for (std::size_t i = 0; i < values.size(); ++i) prefix_[i + 1] = prefix_[i] + values[i];
}

std::uint64_t WindowSums::sum(std::uint64_t first, std::uint64_t count) const {
  const std::uint64_t length = prefix_.size() - 1;
  const auto up_to = [&](std::uint64_t place) {
    return (place / length) * prefix_.back() + prefix_[place % length];
  };
  return up_to(first + count) - up_to(first);
}

}  // namespace bpfmark
