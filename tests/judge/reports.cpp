// SPDX-License-Identifier: BSD-2-Clause
#include "tests/judge/reports.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "ci/judge/report_command.h"
#include "tests/judge/histories.h"

namespace bpfmark {

nlohmann::ordered_json hostile_result(double factor) {
  nlohmann::ordered_json result = empty_result();
  nlohmann::ordered_json& ours = result["context"]["bpfmark"];
  ours["label"] = kHostile;
  ours["arguments"] = {"bench", "--label", kHostile};
  ours["kernel"]["release"] = kHostile;
  double net_ns = 40;
  for (const char* const type : {"hash", "array", "lru_hash"}) {
    for (const char* const access : {"hit", "miss"}) {
      net_ns = net_ns * 0.8 + 1;
      auto entry = entry_of(std::string("map_lookup/type:") + type + "/access:" + access,
                            {{"net_ns", net_ns * factor},
                             {"net_lo_ns", net_ns * factor * 0.98},
                             {"net_hi_ns", net_ns * factor * 1.02},
                             {"floor_ns", 1.4}});
      entry["verdict"] = net_ns < 18 ? "not resolved" : "resolved";
      entry["loads"] = {{{"net_ns", net_ns}}, {{"net_ns", net_ns}}};
      entry["programs"] = {{{"role", "subject"}, {"name", kHostile}}};
      result["benchmarks"].push_back(std::move(entry));
    }
  }
  result["benchmarks"][0]["histograms"] = {
      {{"name", kHostile}, {"buckets", {{1000, 1100, 900}, {1100, 1300, 90}, {1300, 9000, 30}}}}};
  nlohmann::ordered_json& first = result["benchmarks"][0];
  for (const auto& [metric, value] : Metrics{{"samples", 1020},
                                             {"p50_ns", 1050},
                                             {"p90_ns", 1200},
                                             {"p99_ns", 8990},
                                             {"max_ns", 9000},
                                             {"lost", 3}}) {
    first[metric] = value;
  }
  for (const char* const filter : {"raw", "iqr"}) {
    for (const int trial : {1, 2}) {
      first["trials"].push_back({{"trial", trial},
                                 {"clock", kHostile},
                                 {"filter", filter},
                                 {"avg_ns", 1000 + 100 * trial},
                                 {"count", 510}});
    }
  }
  first["trial_checks"] = {{{"check", "iqr_kept"},
                            {"clock", kHostile},
                            {"value_pct", 70},
                            {"limit_pct", 80},
                            {"verdict", "failed"}}};
  first["foreign_programs"] = {
      {{"id", 7}, {"type", "xdp"}, {"name", kHostile}, {"tag", "c0ffee"}, {"attach", kHostile}}};
  result["benchmarks"].push_back(
      entry_of(std::string("evil/name:") + kHostile, {{"net_ns", 9}, {"net_lo_ns", 8}}));
  result["skips"].push_back({{"name", "hook_entry/type:fentry"},
                             {"capability", "fentry"},
                             {"support", "not permitted"},
                             {"cause", kHostile},
                             {"remedy", kHostile}});
  return result;
}

MadeUpReport::MadeUpReport() {
  for (const char* const side : {"old", "new"}) {
    std::filesystem::create_directory(directory_.path() / side);
    const double change = side[0] == 'n' ? 1.1 : 1;
    for (int i = 0; i < 6; ++i) {
      write_text(directory_.file(std::string(side) + "/" + std::to_string(i) + ".json"),
                 hostile_result(change * (1 + 0.001 * i)).dump());
    }
  }
  std::string lines;
  const auto values = series_of({{20, 100}, {20, 110}, {12, 130}}, 0.005);
  for (std::size_t i = 0; i < values.size(); ++i) {
    TrackedRun run = run_number(i);
    if (i >= 40) run.environment["kernel.release"] = kHostile;
    lines += history_line(run, {{kHostile, {{"net_ns", values[i]}}}}) + "\n";
  }
  write_text(directory_.file("h.jsonl"), lines);
  std::ostringstream out, err;
  const int status = run_report({.results = {directory_.file("new")},
                                 .compare = directory_.file("old"),
                                 .history = directory_.file("h.jsonl"),
                                 .out_path = page_path()},
                                out, err);
  EXPECT_EQ(status, 0) << err.str();
}

}  // namespace bpfmark
