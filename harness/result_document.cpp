// SPDX-License-Identifier: BSD-2-Clause
#include "harness/result_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "harness/capability.h"
#include "harness/csv.h"
#include "harness/gbench_compat.h"
#include "harness/trial.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using Run = benchmark::BenchmarkReporter::Run;

#ifdef NDEBUG
constexpr const char* kLibraryBuildType = "release";
#else
constexpr const char* kLibraryBuildType = "debug";
#endif

// ISO 8601 with the offset written +02:00, which strftime cannot.
std::string local_date() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%FT%T", &local);
  const long minutes = local.tm_gmtoff / 60;
  return fmt::format("{}{}{:02}:{:02}", date.data(), minutes < 0 ? '-' : '+',
                     std::labs(minutes) / 60, std::labs(minutes) % 60);
}

void add_number(ordered_json& to, const std::string& key, double value) {
  if (std::isfinite(value)) to[key] = value;
}

ordered_json programs_json(const std::vector<ProgramIdentity>& programs) {
  ordered_json list = ordered_json::array();
  for (const ProgramIdentity& program : programs) {
    list.push_back({{"role", program.role},
                    {"name", program.name},
                    {"tag", program.tag},
                    {"insns_xlated", program.insns_xlated},
                    {"jited_bytes", program.jited_bytes}});
  }
  return list;
}

ordered_json loads_json(const std::vector<LoadEstimate>& loads) {
  ordered_json list = ordered_json::array();
  for (const LoadEstimate& load : loads) {
    ordered_json entry;
    add_number(entry, "raw_ns", load.raw_ns);
    add_number(entry, "floor_ns", load.floor_ns);
    add_number(entry, "net_ns", load.net_ns);
    add_number(entry, "net_user_ns", load.net_user_ns);
    add_number(entry, "net_2n_ns", load.net_2n_ns);
    add_number(entry, "reference_step_ns", load.reference_step_ns);
    list.push_back(std::move(entry));
  }
  return list;
}

// Whole-batch times as they were measured: [scale, disturbed, subject, floor, floor, subject, and
// the same four by the user-space clock].
ordered_json rounds_json(const std::vector<LoadSample>& samples) {
  ordered_json loads = ordered_json::array();
  for (const LoadSample& sample : samples) {
    ordered_json rounds = ordered_json::array();
    for (const Round& r : sample.rounds) {
      rounds.push_back({r.scale, r.disturbed, r.subject_ns[0], r.floor_ns[0], r.floor_ns[1],
                        r.subject_ns[1], r.subject_user_ns[0], r.floor_user_ns[0],
                        r.floor_user_ns[1], r.subject_user_ns[1]});
    }
    loads.push_back(std::move(rounds));
  }
  return loads;
}

ordered_json histograms_json(const std::vector<NamedHistogram>& histograms) {
  ordered_json list = ordered_json::array();
  for (const auto& [name, histogram] : histograms) {
    ordered_json entry = {{"name", name}, {"samples", histogram.count()}};
    if (histogram.count() > 0) {
      entry["min_ns"] = *histogram.min_ns();
      entry["max_ns"] = *histogram.max_ns();
    }
    if (const auto mean = histogram.mean_ns()) entry["mean_ns"] = *mean;
    entry["overflow"] = histogram.overflow();
    entry["buckets"] = ordered_json::array();
    for (const Histogram::Bucket& bucket : histogram.buckets()) {
      entry["buckets"].push_back({bucket.lower_ns, bucket.upper_ns, bucket.count});
    }
    list.push_back(std::move(entry));
  }
  return list;
}

ordered_json trials_json(const std::vector<Trial>& trials) {
  ordered_json list = ordered_json::array();
  for (const Trial& trial : trials) {
    ordered_json entry = {{"trial", trial.trial}, {"clock", trial.clock}, {"filter", trial.filter}};
    add_number(entry, "avg_ns", trial.avg_ns);
    add_number(entry, "p50_ns", trial.p50_ns);
    add_number(entry, "p99_ns", trial.p99_ns);
    add_number(entry, "min_ns", trial.min_ns);
    add_number(entry, "max_ns", trial.max_ns);
    entry["count"] = trial.count;
    add_number(entry, "stddev_ns", trial.stddev_ns);
    if (!trial.samples_ns.empty()) entry["samples_ns"] = trial.samples_ns;
    list.push_back(std::move(entry));
  }
  return list;
}

ordered_json trial_checks_json(const std::vector<TrialCheck>& checks) {
  ordered_json list = ordered_json::array();
  for (const TrialCheck& check : checks) {
    list.push_back({{"check", check.check},
                    {"clock", check.clock},
                    {"value_pct", check.value_pct},
                    {"limit_pct", check.limit_pct},
                    {"verdict", check.passed ? "passed" : "failed"}});
  }
  return list;
}

ordered_json foreign_json(const std::vector<ForeignProgram>& programs) {
  ordered_json list = ordered_json::array();
  for (const ForeignProgram& program : programs) {
    list.push_back({{"id", program.id},
                    {"type", program.type},
                    {"name", program.name},
                    {"tag", program.tag},
                    {"attach", program.attach}});
  }
  return list;
}

// Capability, support, cause and remedy of a typed skip.
void add_reason(ordered_json& entry, const Error& error) {
  entry["capability"] = error.capability;
  entry["support"] = support_name(support_of(error.kind));
  entry["cause"] = error.what;
  entry["remedy"] = error.remedy;
}

ordered_json missing_json(const std::vector<Missing>& missing) {
  ordered_json list = ordered_json::array();
  for (const auto& [what, why] : missing) {
    ordered_json entry = {{"what", what}};
    add_reason(entry, why);
    list.push_back(std::move(entry));
  }
  return list;
}

void add_findings(ordered_json& entry, const Findings& findings) {
  const auto add = [&entry](const char* field, ordered_json list) {
    if (!list.empty()) entry[field] = std::move(list);
  };
  add("histograms", histograms_json(findings.histograms));
  add("trials", trials_json(findings.trials));
  add("trial_checks", trial_checks_json(check_trials(findings.trials)));
  add("foreign_programs", foreign_json(findings.foreign_programs));
  add("missing", missing_json(findings.missing));
}

}  // namespace

double per_ns(const std::string& unit) {
  if (unit == "us") return 1e-3;
  if (unit == "ms") return 1e-6;
  if (unit == "s") return 1e-9;
  return 1;
}

ResultDocument::ResultDocument(const RunOptions& options, ordered_json identity)
    : time_unit_(options.time_unit) {
  document_["context"] = ordered_json::object();
  for (const auto& [key, value] : options.context) document_["context"][key] = value;
  document_["context"]["bpfmark"] = std::move(identity);
  document_["benchmarks"] = ordered_json::array();
  document_["skips"] = ordered_json::array();
  document_["failures"] = ordered_json::array();
}

void ResultDocument::set_context(const benchmark::BenchmarkReporter::Context& context) {
  ordered_json stock;
  stock["date"] = local_date();
  stock["host_name"] = context.sys_info.name;
  if (benchmark::BenchmarkReporter::Context::executable_name != nullptr) {
    stock["executable"] = benchmark::BenchmarkReporter::Context::executable_name;
  }
  const benchmark::CPUInfo& cpu = context.cpu_info;
  stock["num_cpus"] = cpu.num_cpus;
  stock["mhz_per_cpu"] = std::lround(cpu.cycles_per_second / 1e6);
  if (cpu.scaling != benchmark::CPUInfo::UNKNOWN) {
    stock["cpu_scaling_enabled"] = cpu.scaling == benchmark::CPUInfo::ENABLED;
  }
  stock["caches"] = ordered_json::array();
  for (const auto& cache : cpu.caches) {
    stock["caches"].push_back({{"type", cache.type},
                               {"level", cache.level},
                               {"size", cache.size},
                               {"num_sharing", cache.num_sharing}});
  }
  stock["load_avg"] = cpu.load_avg;
  stock["library_build_type"] = kLibraryBuildType;
  stock["json_schema_version"] = 1;
  stock.update(document_["context"]);
  document_["context"] = std::move(stock);
}

void ResultDocument::add_run(const Run& run, const Measurement* measurement) {
  const std::string& stable_name = run.run_name.function_name;
  const bool aggregate = run.run_type == Run::RT_Aggregate;
  ordered_json entry;
  entry["name"] = aggregate ? stable_name + "_" + run.aggregate_name : stable_name;
  entry["family_index"] = run.family_index;
  entry["per_family_instance_index"] = run.per_family_instance_index;
  entry["run_name"] = stable_name;
  entry["run_type"] = aggregate ? "aggregate" : "iteration";
  entry["repetitions"] = run.repetitions;
  if (!aggregate) entry["repetition_index"] = run.repetition_index;
  entry["threads"] = run.threads;
  const bool percentage = aggregate && run.aggregate_unit == benchmark::kPercentage;
  if (aggregate) {
    entry["aggregate_name"] = run.aggregate_name;
    entry["aggregate_unit"] = percentage ? "percentage" : "time";
  }
  if (measurement != nullptr) {
    entry["iterations"] = measurement->ops;
  } else {
    entry["iterations"] = run.iterations;
  }
  // GetAdjustedRealTime() is in the run's own unit, which is ns for every case of this program; the
  // percentage aggregates come without a unit.
  const double time =
      percentage ? run.real_accumulated_time : run.GetAdjustedRealTime() * per_ns(time_unit_);
  add_number(entry, "real_time", time);
  // The format demands the field. The timed loop has one pinned CPU to itself: both are one time.
  add_number(entry, "cpu_time", time);
  entry["time_unit"] = time_unit_;
  for (const auto& [name, counter] : run.counters) add_number(entry, name, counter.value);
  if (measurement != nullptr) {
    entry["verdict"] = verdict_name(measurement->verdict);
    entry["programs"] = programs_json(measurement->programs);
    if (!measurement->parts.empty()) entry["parts"] = measurement->parts;
    entry["loads"] = loads_json(measurement->loads);
    if (!measurement->samples.empty()) entry["rounds"] = rounds_json(measurement->samples);
    add_findings(entry, measurement->findings);
  }
  document_["benchmarks"].push_back(std::move(entry));
}

void ResultDocument::add_skip(const std::string& name, const Error& error) {
  // Every repetition of a case is skipped for the same reason; once says it.
  const auto same_name = [&](const ordered_json& skip) { return skip["name"] == name; };
  if (std::ranges::any_of(document_["skips"], same_name)) return;
  ordered_json skip = {{"name", name}};
  add_reason(skip, error);
  document_["skips"].push_back(std::move(skip));
}

void ResultDocument::add_failure(const std::string& name, const Error& error) {
  document_["failures"].push_back({{"name", name}, {"error_message", error.text()}});
}

void ResultDocument::mark_incomplete() { document_["context"]["bpfmark"]["incomplete"] = true; }

std::string ResultDocument::json() const {
  return document_.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string ResultDocument::csv() const {
  // Nested values belong to the JSON form only.
  std::vector<std::string> columns;
  for (const ordered_json& entry : document_["benchmarks"]) {
    for (const auto& [key, value] : entry.items()) {
      if (!value.is_structured() && std::ranges::find(columns, key) == columns.end()) {
        columns.push_back(key);
      }
    }
  }
  // A table has no context that could say it.
  const bool emulated = document_["context"]["bpfmark"].value("emulated", false);
  std::string text = fmt::format("{}{}\n", fmt::join(columns, ","), emulated ? ",emulated" : "");
  for (const ordered_json& entry : document_["benchmarks"]) {
    std::vector<std::string> cells;
    for (const std::string& column : columns) {
      const auto cell = entry.find(column);
      cells.push_back(cell == entry.end() ? ""
                      : cell->is_string() ? csv_cell(cell->get_ref<const std::string&>())
                                          : cell->dump());
    }
    text += fmt::format("{}{}\n", fmt::join(cells, ","), emulated ? ",true" : "");
  }
  return text;
}

}  // namespace bpfmark
