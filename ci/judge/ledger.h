// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ci/judge/result_parser.h"
#include "harness/statistics.h"

// Do the costs of single operations add up? A composite does several of them in one program; what
// it costs is predicted from its parts, each measured by a case of its own. Pure functions.
namespace bpfmark {

// In ns an operation. The interval is 95 %; absent where a result has none.
struct Cost {
  double ns = 0;
  std::optional<Interval> interval;
};

// The net of a case that was read with kLedgerMetrics, or nothing.
std::optional<Cost> cost_of(const CaseMedians& measured);

enum class LedgerVerdict {
  kAgrees,       // measured and predicted differ by no more than the tolerance
  kUndecided,    // by more, but the interval of the difference reaches into the tolerance
  kDiffers,      // by more, for certain
  kPartMissing,  // the result has no number for a part
};

const char* ledger_verdict_name(LedgerVerdict verdict);

struct LedgerRules {
  double tolerance_ns = 3;
  double tolerance = 0.05;   // of what was measured; the larger of the two counts
  double least_share = 0.9;  // of the composites that must agree
};

// One composite.
struct LedgerRow {
  std::string name;
  std::vector<std::string> parts;
  Cost measured;
  std::optional<Cost> predicted;   // absent where a part is missing
  std::optional<Cost> difference;  // measured less predicted
  LedgerVerdict verdict = LedgerVerdict::kPartMissing;
  std::string missing;  // name of the first part without a number
};

struct Ledger {
  std::string path;
  LedgerRules rules;
  std::vector<LedgerRow> rows;  // in the order of the file

  std::size_t count(LedgerVerdict verdict) const;
  std::size_t judged() const;  // all but those with a part missing
  // Whether enough of the judged composites agree.
  bool balances() const;
};

// What cases cost in sequence: sums, and intervals by the square root of the sum of squares on each
// side, as errors of separate measurements are independent (GUM, JCGM 100:2008, 5.1.2).
Cost cost_in_sequence(const std::vector<Cost>& parts);

// Difference of two costs that were measured separately.
Cost cost_difference(const Cost& minuend, const Cost& subtrahend);

// Needs kLedgerMetrics and details. Errors (kWrongResult): no composite, or not one whose parts
// are all there.
Result<Ledger> make_ledger(const Launch& launch, const LedgerRules& rules);

inline constexpr const char* kLedgerMetrics[] = {"net_ns", "net_lo_ns", "net_hi_ns"};

}  // namespace bpfmark
