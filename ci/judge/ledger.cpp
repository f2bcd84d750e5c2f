// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace bpfmark {

std::optional<Cost> cost_of(const CaseMedians& measured) {
  const auto value = [&measured](const char* metric) -> std::optional<double> {
    const auto found = measured.metrics.find(metric);
    if (found == measured.metrics.end()) return std::nullopt;
    return found->second;
  };
  const auto net = value("net_ns"), lo = value("net_lo_ns"), hi = value("net_hi_ns");
  if (!net) return std::nullopt;
  Cost cost{.ns = *net};
  if (lo && hi) cost.interval = Interval{.lo = *lo, .hi = *hi};
  return cost;
}

namespace {

LedgerVerdict judge(const LedgerRow& row, const LedgerRules& rules) {
  const double tolerance =
      std::max(rules.tolerance_ns, rules.tolerance * std::abs(row.measured.ns));
  if (std::abs(row.difference->ns) <= tolerance) return LedgerVerdict::kAgrees;
  const auto& interval = row.difference->interval;
  const bool beyond = !interval || interval->lo > tolerance || interval->hi < -tolerance;
  return beyond ? LedgerVerdict::kDiffers : LedgerVerdict::kUndecided;
}

}  // namespace

const char* ledger_verdict_name(LedgerVerdict verdict) {
  switch (verdict) {
    case LedgerVerdict::kAgrees:
      return "agrees";
    case LedgerVerdict::kUndecided:
      return "undecided";
    case LedgerVerdict::kDiffers:
      return "differs";
    case LedgerVerdict::kPartMissing:
      return "part missing";
  }
  return "";
}

std::size_t Ledger::count(LedgerVerdict verdict) const {
  return static_cast<std::size_t>(std::ranges::count(rows, verdict, &LedgerRow::verdict));
}

std::size_t Ledger::judged() const { return rows.size() - count(LedgerVerdict::kPartMissing); }

bool Ledger::balances() const {
  return static_cast<double>(count(LedgerVerdict::kAgrees)) >=
         rules.least_share * static_cast<double>(judged());
}

Cost cost_in_sequence(const std::vector<Cost>& parts) {
  Cost sum{.interval = Interval{}};
  double below = 0, above = 0;
  for (const Cost& part : parts) {
    sum.ns += part.ns;
    if (!part.interval) {
      sum.interval.reset();
      continue;
    }
    below = std::hypot(below, part.ns - part.interval->lo);
    above = std::hypot(above, part.interval->hi - part.ns);
  }
  if (sum.interval) sum.interval = Interval{.lo = sum.ns - below, .hi = sum.ns + above};
  return sum;
}

Cost cost_difference(const Cost& minuend, const Cost& subtrahend) {
  Cost negated{.ns = -subtrahend.ns};
  if (const auto& interval = subtrahend.interval) {
    negated.interval = Interval{.lo = -interval->hi, .hi = -interval->lo};
  }
  return cost_in_sequence({minuend, negated});
}

Result<Ledger> make_ledger(const Launch& launch, const LedgerRules& rules) {
  std::map<std::string_view, Cost> costs;
  for (const CaseMedians& measured : launch.cases) {
    if (const auto cost = cost_of(measured)) costs.emplace(measured.name, *cost);
  }
  Ledger ledger{.path = launch.path, .rules = rules};
  for (const CaseMedians& measured : launch.cases) {
    const auto own = costs.find(measured.name);
    if (measured.details.parts.empty() || own == costs.end()) continue;
    LedgerRow& row = ledger.rows.emplace_back();
    row.name = measured.name;
    row.parts = measured.details.parts;
    row.measured = own->second;
    std::vector<Cost> parts;
    for (const std::string& part : row.parts) {
      const auto found = costs.find(part);
      if (found != costs.end()) {
        parts.push_back(found->second);
      } else if (row.missing.empty()) {
        row.missing = part;
      }
    }
    if (!row.missing.empty()) continue;
    row.predicted = cost_in_sequence(parts);
    row.difference = cost_difference(row.measured, *row.predicted);
    row.verdict = judge(row, rules);
  }
  if (ledger.rows.empty()) {
    return wrong_result(
        fmt::format("{}: there is no composite; 'bench --benchmark_filter=...' "
                    "must select composites and their parts",
                    launch.path));
  }
  if (ledger.judged() == 0) {
    return wrong_result(fmt::format("{}: no composite has all its parts; the first one lacks {}",
                                    launch.path, ledger.rows.front().missing));
  }
  return ledger;
}

}  // namespace bpfmark
