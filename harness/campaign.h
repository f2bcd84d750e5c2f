// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/registry.h"
#include "harness/run_log.h"
#include "harness/run_options.h"

namespace bpfmark {

// The places 0 to count-1, shuffled by the seed: the same on every machine.
std::vector<std::size_t> shuffled_places(std::size_t count, std::uint64_t seed);

// Measures all cases and writes what became of each into `log`, once per repetition.
//
// The loads of one case are spread over the repetition: first load of every case, second load of
// every case, and so on. What other tenants of the machine do comes in bursts of seconds; a case
// measured in one go would take a burst for its own cost, and one that is spread shows it as
// spread.
//
// With an order seed the cases are shuffled, anew for every repetition: what a case inherits from
// the one before it (caches, branch history, memory) is then not the same in every launch.
//
// A stop signal ends it early: cases with a load behind them are concluded from what there is, the
// others end as kInterrupted.
void run_campaign(const std::vector<const Case*>& cases, const RunOptions& options, RunLog& log);

}  // namespace bpfmark
