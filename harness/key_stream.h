// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace bpfmark {

enum class KeyPattern {
  kSame,        // one key, again and again
  kSequential,  // 0, 1, 2 ... and round
  kUniform,     // independent, all equally likely
  kZipf,        // the k-th most frequent key has probability proportional to 1/k
};

const char* key_pattern_name(KeyPattern pattern);

// Keys in [0, entries), `length` of them, the same for the same arguments on every machine. The
// ranks of the Zipf pattern are spread over the key space, so that frequent keys are no neighbours.
// `entries` must be a power of two for that.
std::vector<std::uint32_t> draw_keys(KeyPattern pattern, std::uint32_t entries,
                                     std::uint32_t length);

// The same for any exponent: probability proportional to 1/k^exponent, and with 0 all equally
// likely.
std::vector<std::uint32_t> draw_zipf_keys(std::uint32_t entries, std::uint32_t length,
                                          double exponent);

// Sums over windows of a stream that wraps, in constant time and modulo 2^64: what a batch that
// reads `value_of(key)` for each key must have added up.
class WindowSums {
 public:
  explicit WindowSums(const std::vector<std::uint64_t>& values);

  // Sum of `count` values from place `first` on; both may exceed the length.
  std::uint64_t sum(std::uint64_t first, std::uint64_t count) const;

 private:
  std::vector<std::uint64_t> prefix_;  // prefix_[i]: sum of the first i values
};

}  // namespace bpfmark
