// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ci/judge/ledger.h"
#include "ci/judge/result_parser.h"

// Published tables beside what was measured here. Machines differ, so what is compared is the shape
// of a table: every value over that of its first row.
namespace bpfmark {

// One value as it was published.
struct PublishedRow {
  const char* label;
  double ns;                      // per operation; where the table has a rate, its inverse
  const char* text;               // as it stands there
  const char* name;               // of our case
  const char* counter = nullptr;  // of our case, that is meant instead of its time
};

struct PublishedTable {
  std::string id;  // "table 3", "figure 13"
  const char* title;
  bool raw;               // the published values are raw, loop included; else net is what compares
  const char* condition;  // how what was measured there differs from our cases
  std::vector<PublishedRow> rows;
  std::vector<const char*> known_errors;  // of the published values
};

// Tables 3 to 6 and figures 13 and 14 of doi 10.1145/3749216 (PACMNET 3, CoNEXT3, article 16).
std::span<const PublishedTable> published_tables();

// A row with what was measured here.
struct PaperRow {
  PublishedRow published;
  double published_ratio = 1;    // over the first row
  std::optional<double> raw_ns;  // or the counter
  std::optional<Cost> net;
  std::optional<double> ratio;  // over our first row, by what the table compares
  std::string absence;          // why there is no number
};

// `table` filled from a result that was read with kPaperMetrics.
std::vector<PaperRow> fill(const PublishedTable& table, const Launch& launch);

inline constexpr const char* kPaperMetrics[] = {"real_time", "net_ns", "net_lo_ns", "net_hi_ns",
                                                "consumer_cpu_ns"};

}  // namespace bpfmark
