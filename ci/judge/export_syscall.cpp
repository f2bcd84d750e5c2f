// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"
#include "ci/judge/trials.h"
#include "harness/csv.h"

namespace bpfmark {
namespace {

constexpr std::array<std::string_view, 7> kFigures = {"avg_ns", "p50_ns", "p99_ns",   "min_ns",
                                                      "max_ns", "count",  "stddev_ns"};

struct SyscallTrial {
  std::string label, syscall, filter;
  int trial = 0;  // from 1, over all repetitions of a case
  const DetailRecord* statistics = nullptr;
};

// Readers split at commas: quoted only where that would go wrong.
std::string plain_cell(std::string_view text) {
  return text.find_first_of(",\"\r\n") == std::string_view::npos ? std::string(text)
                                                                 : csv_cell(text);
}

// The condition under which the calls were measured. What the run was labelled stands for the
// machine as it is; a monitor of ours is a condition of its own.
std::string condition(const std::string& label, const std::string& monitor, bool has_external) {
  const bool as_it_is = monitor == "external" || (monitor == "none" && !has_external);
  if (label.empty()) return monitor == "none" ? "vanilla" : monitor;
  return as_it_is || monitor.empty() ? label : fmt::format("{}/{}", label, monitor);
}

bool has_external_monitor(const Launch& launch) {
  return std::ranges::any_of(launch.rows, [](const ResultRow& row) {
    return value_of_key(row.name, "monitor") == "external";
  });
}

// Errors: no trial of that clock; two cases that the format cannot tell apart.
Result<std::vector<SyscallTrial>> syscall_trials(const ExportInput& input) {
  std::vector<SyscallTrial> trials;
  std::map<std::tuple<std::string, std::string>, std::string> owners;
  for (const Launch& launch : input.launches) {
    const bool has_external = has_external_monitor(launch);
    for (const auto& rows : rows_by_case(launch)) {
      const std::string& name = rows.front()->name;
      const auto call = value_of_key(name, "call");
      if (!call) continue;
      const std::string label = condition(identity_field(launch, "label"),
                                          value_of_key(name, "monitor").value_or(""), has_external);
      std::map<std::string, int> seen;  // by filter
      for (const ResultRow* row : rows) {
        for (const DetailRecord& trial : row->details.trials) {
          if (trial.text("clock") != input.trial_clock) continue;
          const std::string filter = trial.text("filter");
          trials.push_back({label, *call, filter, ++seen[filter], &trial});
        }
      }
      if (seen.empty()) continue;
      const std::string owner = fmt::format("{}: {}", launch.path, name);
      const auto [other, is_new] = owners.try_emplace({label, *call}, owner);
      if (!is_new) {
        return wrong_result(
            fmt::format("{} and {} would both be label '{}', syscall '{}': give "
                        "the runs a --label each",
                        other->second, owner, label, *call));
      }
    }
  }
  if (trials.empty()) {
    return wrong_result(fmt::format("{}: no case has trials of a system call by the clock '{}'",
                                    input.launches.front().path, input.trial_clock));
  }
  return trials;
}

}  // namespace

// The columns, and whole numbers, of the document that defined them.
Result<std::string> export_syscall_csv(const ExportInput& input) {
  const auto trials = syscall_trials(input);
  if (!trials) return std::unexpected(trials.error());
  std::string text = fmt::format("label,syscall,trial,filter,{}\n", fmt::join(kFigures, ","));
  for (const SyscallTrial& trial : *trials) {
    text += fmt::format("{},{},{},{}", plain_cell(trial.label), plain_cell(trial.syscall),
                        trial.trial, plain_cell(trial.filter));
    for (const std::string_view name : kFigures) {
      const auto value = figure_of(*trial.statistics, name);
      text += value ? fmt::format(",{:.0f}", *value) : ",";
    }
    text += "\n";
  }
  return text;
}

// Mean and population deviation, over the trials, of the trials' own statistics.
Result<std::string> export_syscall_stats(const ExportInput& input) {
  const auto trials = syscall_trials(input);
  if (!trials) return std::unexpected(trials.error());
  using Key = std::tuple<std::string, std::string, std::string>;
  std::vector<Key> order;
  std::map<Key, TrialGroup> groups;
  for (const SyscallTrial& trial : *trials) {
    const Key key = {trial.label, trial.syscall, trial.filter};
    TrialGroup& group = groups[key];
    if (group.empty()) order.push_back(key);
    group.push_back(trial.statistics);
  }
  std::string text =
      "label,syscall,trials,filter,avg_p50,std_p50,avg_p99,std_p99,avg_mean,std_mean,avg_count,"
      "std_count\n";
  for (const Key& key : order) {
    const auto& [label, syscall, filter] = key;
    const TrialGroup& group = groups[key];
    text += fmt::format("{},{},{},{}", plain_cell(label), plain_cell(syscall), group.size(),
                        plain_cell(filter));
    for (const std::string_view name : {"p50_ns", "p99_ns", "avg_ns", "count"}) {
      const auto all = over_trials(group, name);
      text += all ? fmt::format(",{:.1f},{:.1f}", all->mean, all->deviation) : ",,";
    }
    text += "\n";
  }
  return text;
}

}  // namespace bpfmark
