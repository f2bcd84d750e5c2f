// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ci/judge/result_parser.h"
#include "harness/result.h"

// What the exporters have in common.
namespace bpfmark {

// A case as a tracker may see it: one value, under its stable name.
struct ExportedCase {
  std::string name;
  std::size_t repetitions = 0;
  double raw_ns = 0;  // as all below: the median over the repetitions
  double net_ns = 0;  // above 0
  std::optional<double> net_lo_ns, net_hi_ns;
  std::map<std::string, double, std::less<>> metrics;
};

struct ExportedCases {
  std::vector<ExportedCase> cases;
  std::vector<Absence> left_out;  // cases with numbers that are no finding
};

// Leaves out a case of which a repetition was disturbed or not resolved, or whose net is not above
// 0: a tracker would take it for a time.
ExportedCases exported_cases(const Launch& launch);

// As above. Errors: kWrongResult, naming the file, where nothing would be left: readers take an
// empty list for a broken run, or for one without a regression.
Result<ExportedCases> some_exported_cases(const Launch& launch);

// What can be exported of several launches together.
struct CommonCases {
  std::vector<std::map<std::string, double>> net_ns;  // of each launch, by case
  std::vector<std::string> names;    // in every launch, in the order in which they first occur
  std::vector<std::string> partial;  // only in some
};
CommonCases common_cases(const std::vector<Launch>& launches);

// The median of the rows' numbers, by metric.
std::map<std::string, double, std::less<>> medians_of(const std::vector<const ResultRow*>& rows);

// The rows of each case, cases in the order of the file.
std::vector<std::vector<const ResultRow*>> rows_by_case(const Launch& launch);

// The value of a key in a benchmark's name, or nothing: "openat" for "call" in "x/call:openat".
std::optional<std::string> value_of_key(std::string_view name, std::string_view key);

// A field of the identity, or of the stock context, or "".
std::string identity_field(const Launch& launch, std::string_view field);
std::string stock_field(const Launch& launch, std::string_view field);

// The time of the run in seconds since 1970, or nothing if the file's date is not ISO 8601.
std::optional<double> run_time_s(const Launch& launch);

// `text` with every character that is white space, a control character or in `others` replaced by
// '_'.
std::string without(std::string_view text, std::string_view others);

}  // namespace bpfmark
