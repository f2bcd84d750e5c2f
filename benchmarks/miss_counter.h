// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "harness/capability.h"
#include "harness/findings.h"
#include "harness/paired.h"
#include "harness/result.h"

namespace bpfmark {

// Cache misses by packet, for the row of a case: the counters "cache_misses" and
// "floor_cache_misses", or why there are none. One for each load.
class MissCounter {
 public:
  // Misses so far.
  using Count = std::function<Result<std::uint64_t>()>;

  // By the hardware of the caller's CPU.
  static MissCounter of_this_cpu();

  // By `count`, or without one for a reason.
  explicit MissCounter(Result<Count> count);

  // What follows counts.
  void start() { sums_ = {}; }

  void before_batch() { before_ = read(); }
  void after_batch(Arm arm, std::uint64_t packets);

  // The mean over all loads so far, of which those before this one had `earlier` packets in each
  // arm. Where one of them could not count, there is no mean.
  void report(Findings& findings, double earlier) const;

 private:
  struct Sum {
    std::uint64_t misses = 0;
    std::uint64_t packets = 0;
  };

  std::uint64_t read();

  Result<Count> count_;
  std::uint64_t before_ = 0;
  std::array<Sum, 2> sums_{};  // subject, floor
};

// Adds "hw_cache_misses".
void add_miss_capability(Capabilities& capabilities);

}  // namespace bpfmark
