// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_formats.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

#include "ci/judge/compare_report.h"
#include "ci/judge/junit.h"
#include "harness/csv.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;

const char* scale_name(const Row& row) { return row.as_ratio ? "ratio" : "difference"; }

ordered_json side_json(const Side& side) {
  ordered_json identity = ordered_json::object();
  for (const auto& [field, value] : side.identity) identity[field] = value;
  return {{"path", side.path}, {"launches", side.launches}, {"identity", std::move(identity)}};
}

template <class T>
void add(ordered_json& to, const char* key, const std::optional<T>& value) {
  if (value) to[key] = *value;
}

ordered_json row_json(const Row& row) {
  ordered_json entry = {{"name", row.name}, {"metric", row.metric.name}};
  if (!row.old_label.empty()) {
    entry["old_label"] = row.old_label;
    entry["new_label"] = row.new_label;
  }
  entry.update({{"better", row.metric.higher_is_better ? "higher" : "lower"},
                {"exact", row.metric.exact},
                {"old_n", row.old_n},
                {"new_n", row.new_n},
                {"old_median", row.old_median},
                {"new_median", row.new_median},
                {"scale", scale_name(row)},
                {"estimate", row.estimate}});
  if (row.interval) {
    entry["estimate_lo"] = row.interval->lo;
    entry["estimate_hi"] = row.interval->hi;
  }
  add(entry, "p", row.p);
  add(entry, "p_holm", row.p_holm);
  if (row.cliffs_delta) {
    entry["cliffs_delta"] = *row.cliffs_delta;
    entry["cliffs_delta_class"] = cliffs_delta_class(*row.cliffs_delta);
  }
  if (!row.metric.exact) {
    entry["noise_floor"] = row.noise_floor;
    entry["noise_source"] = row.noise_source;
  }
  add(entry, "noise_aa", row.noise_aa);
  if (row.confirmation) {
    entry["confirmation"] = {{"confirmed", row.confirmation->agrees},
                             {"verdict", change_name(row.confirmation->change)},
                             {"estimate", row.confirmation->estimate}};
    if (row.confirmation->interval) {
      entry["confirmation"]["estimate_lo"] = row.confirmation->interval->lo;
      entry["confirmation"]["estimate_hi"] = row.confirmation->interval->hi;
    }
  }
  entry["verdict"] = change_name(row.change);
  if (!row.reason.empty()) entry["reason"] = row.reason;
  add(entry, "minimum_detectable", row.detectable);
  return entry;
}

template <class T>
std::string csv_number(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "";
}

// A row without a number: all cells between the name and the verdict are empty.
std::string csv_empty_row(const std::string& name, std::string_view verdict,
                          const std::string& reason) {
  return fmt::format("{},,,,,,,,,,,,,,,,,{},,{}\n", csv_cell(name), verdict, csv_cell(reason));
}

std::string estimate_text(const Row& row) {
  std::string text = fmt::format("{} {:.4g}", scale_name(row), row.estimate);
  if (row.interval) text += fmt::format(" [{:.4g}, {:.4g}]", row.interval->lo, row.interval->hi);
  if (row.p_holm) text += fmt::format(", p {:.2g}", *row.p_holm);
  return text;
}

}  // namespace

std::string comparison_json(const Comparison& comparison, const ExitRules& rules) {
  ordered_json document = {{"format", "bpfmark-comparison"},
                           {"schema_version", kComparisonSchemaVersion},
                           {"old", side_json(comparison.old_side)},
                           {"new", side_json(comparison.new_side)},
                           {"rules",
                            {{"threshold", comparison.rules.threshold},
                             {"floor_ns", comparison.rules.floor_ns},
                             {"alpha", comparison.rules.alpha},
                             {"resamples", kResamples},
                             {"min_launches", kMinLaunches}}}};
  if (comparison.is_column_comparison()) document["column"] = comparison.column_key;
  document["forced"] = comparison.forced;
  document["differences"] = ordered_json::array();
  for (const Difference& d : comparison.notable) {
    document["differences"].push_back(
        {{"field", d.field}, {"old", d.old_value}, {"new", d.new_value}});
  }
  document["rows"] = ordered_json::array();
  for (const Row& row : comparison.rows) document["rows"].push_back(row_json(row));
  document["missing"] = ordered_json::array();
  for (const MissingRow& m : comparison.missing) {
    document["missing"].push_back({{"name", m.name},
                                   {"side", m.side},
                                   {"reason", m.reason},
                                   {"failed_in_new", m.failed_in_new}});
  }
  document["unmeasured"] = ordered_json::array();
  for (const Absence& a : comparison.unmeasured) {
    document["unmeasured"].push_back({{"name", a.name}, {"reason", a.reason}});
  }
  document["summary"] = {{"rows", comparison.rows.size()},
                         {"regression", comparison.count(Change::kRegression)},
                         {"improvement", comparison.count(Change::kImprovement)},
                         {"same", comparison.count(Change::kSame)},
                         {"inconclusive", comparison.count(Change::kInconclusive)},
                         {"missing", comparison.missing.size()},
                         {"unmeasured", comparison.unmeasured.size()}};
  document["exit_status"] = exit_status(comparison, rules);
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string comparison_csv(const Comparison& comparison) {
  std::string text =
      "name,metric,old_label,new_label,old_n,new_n,old_median,new_median,scale,estimate,"
      "estimate_lo,estimate_hi,p,p_holm,cliffs_delta,cliffs_delta_class,noise_floor,verdict,"
      "minimum_detectable,reason\n";
  for (const Row& row : comparison.rows) {
    std::optional<double> lo, hi, noise_floor;
    if (row.interval) lo = row.interval->lo, hi = row.interval->hi;
    if (!row.metric.exact) noise_floor = row.noise_floor;
    text += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_cell(row.name),
        csv_cell(row.metric.name), csv_cell(row.old_label), csv_cell(row.new_label), row.old_n,
        row.new_n, row.old_median, row.new_median, scale_name(row), row.estimate, csv_number(lo),
        csv_number(hi), csv_number(row.p), csv_number(row.p_holm), csv_number(row.cliffs_delta),
        row.cliffs_delta ? cliffs_delta_class(*row.cliffs_delta) : "", csv_number(noise_floor),
        change_name(row.change), csv_number(row.detectable), csv_cell(row.reason));
  }
  for (const MissingRow& m : comparison.missing) {
    text += csv_empty_row(m.name, "missing", fmt::format("{}: {}", m.side, m.reason));
  }
  for (const Absence& a : comparison.unmeasured) {
    text += csv_empty_row(a.name, "unmeasured", a.reason);
  }
  return text;
}

std::string comparison_junit(const Comparison& comparison, const ExitRules& rules) {
  JunitCases cases;
  for (const Row& row : comparison.rows) {
    const bool is_failure = row.change == Change::kRegression && !comparison.is_column_comparison();
    cases.add(
        shown_name(row),
        is_failure                            ? JunitOutcome::kFailed
        : row.change == Change::kInconclusive ? JunitOutcome::kSkipped
                                              : JunitOutcome::kPassed,
        is_failure ? fmt::format("{}: {}", shown_change(row), estimate_text(row)) : row.reason);
  }
  for (const MissingRow& m : comparison.missing) {
    const bool excused = rules.allow_missing && !m.failed_in_new;
    cases.add(m.name, excused ? JunitOutcome::kSkipped : JunitOutcome::kFailed,
              fmt::format("no number in {}: {}", m.side, m.reason));
  }
  for (const Absence& a : comparison.unmeasured)
    cases.add(a.name, JunitOutcome::kSkipped, a.reason);
  std::vector<JunitProperty> properties;
  for (const std::string& forced : comparison.forced) properties.push_back({"forced", forced});
  return junit_document("bench compare", properties, cases);
}

}  // namespace bpfmark
