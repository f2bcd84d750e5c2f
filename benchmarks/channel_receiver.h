// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bpf/shared/channel.h"
#include "harness/clock.h"
#include "harness/histogram.h"

namespace bpfmark {

// Looks at every record. Used by the consumer's thread; others read the counts.
class ChannelReceiver {
 public:
  explicit ChannelReceiver(std::uint32_t bytes) : bytes_(bytes) {
    for (std::size_t word = 2; word < bytes_ / 8; ++word) source_sum_ += source_word(word);
  }

  static std::uint64_t source_word(std::size_t word) { return (word + 1) * 0x9E3779B97F4A7C15u; }

  void take(const void* record, std::size_t bytes) {
    const auto* const at = static_cast<const std::byte*>(record);
    const std::uint64_t number = word_of(at, 0);
    const std::uint64_t time_ns = bytes_ > 8 ? word_of(at, 1) : 0;
    std::uint64_t sum = 0;
    for (std::size_t word = 2; word < bytes_ / 8; ++word) sum += word_of(at, word);
    std::uint64_t& last = last_sequence_[number % BPFMARK_CHANNEL_PRODUCERS];
    const std::uint64_t sequence = number / BPFMARK_CHANNEL_PRODUCERS;
    const bool in_order = sequence > last;
    last = sequence;
    const bool whole = sum == source_sum_ && bytes >= bytes_ && bytes < bytes_ + 8;
    if (time_ns != 0) {
      const std::uint64_t now = now_ns();
      if (time_ns <= now) latency_.record(now - time_ns);
    }
    if (!in_order) add_one(out_of_order_);
    if (!whole) add_one(damaged_);
    add_one(received_);
  }

  std::uint64_t received() const { return received_.load(std::memory_order_acquire); }
  std::uint64_t out_of_order() const { return out_of_order_.load(std::memory_order_acquire); }
  std::uint64_t damaged() const { return damaged_.load(std::memory_order_acquire); }
  // While nothing is on its way.
  const Histogram& latency() const { return latency_; }

 private:
  // A perf buffer aligns to 4 bytes only.
  static std::uint64_t word_of(const std::byte* record, std::size_t word) {
    std::uint64_t value = 0;
    std::memcpy(&value, record + word * sizeof(value), sizeof(value));
    return value;
  }
  // There is one writer.
  static void add_one(std::atomic<std::uint64_t>& count) {
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  std::uint32_t bytes_;
  std::uint64_t source_sum_ = 0;
  std::uint64_t last_sequence_[BPFMARK_CHANNEL_PRODUCERS] = {};
  std::atomic<std::uint64_t> received_ = 0;
  std::atomic<std::uint64_t> out_of_order_ = 0;
  std::atomic<std::uint64_t> damaged_ = 0;
  Histogram latency_;
};

}  // namespace bpfmark
