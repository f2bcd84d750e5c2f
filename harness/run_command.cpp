// SPDX-License-Identifier: BSD-2-Clause
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/campaign.h"
#include "harness/commands.h"
#include "harness/console_reporter.h"
#include "harness/gbench_compat.h"
#include "harness/guards.h"
#include "harness/identity.h"
#include "harness/interrupt.h"
#include "harness/ladder_steps.h"
#include "harness/output_file.h"
#include "harness/result_document.h"
#include "harness/run_log.h"
#include "harness/run_reporter.h"

namespace bpfmark {
namespace {

int complain(int status, const std::string& text) {
  fmt::print(stderr, "bench: {}\n", text);
  return status;
}

// The CPU of the run: the one asked for, or the quietest.
Result<CpuChoice> pin(const RunOptions& options) {
  CpuChoice choice = options.cpu ? CpuChoice{*options.cpu, "asked for"} : quietest_cpu();
  if (Result<void> pinned = pin_to_cpu(choice.cpu); !pinned) {
    return std::unexpected(pinned.error());
  }
  return choice;
}

nlohmann::ordered_json run_identity(const RunOptions& options, const CpuChoice& cpu) {
  nlohmann::ordered_json identity;
  identity["schema_version"] = kResultSchemaVersion;
  identity["build"] = build_identity();
  if (!options.label.empty()) identity["label"] = options.label;
  if (!options.devices.empty()) identity["devices"] = options.devices;
  identity["arguments"] = options.arguments;
  identity["pinned_cpu"] = cpu.cpu;
  identity["pinned_cpu_reason"] = cpu.reason;
  if (options.measure.dry_run) identity["dry_run"] = true;
  if (options.measure.drop_caches) identity["drop_caches"] = true;
  if (kCanPlant) {
    std::vector<std::string> planted;
    for (const auto& [name, ns] : options.plants) planted.push_back(fmt::format("{}={}", name, ns));
    identity["planted"] = planted.empty() ? "nothing, but this build can"
                                          : fmt::format("{}", fmt::join(planted, ", "));
  }
  if (options.measure.loads) identity["loads"] = *options.measure.loads;
  if (options.order_seed) identity["order_seed"] = *options.order_seed;
  identity.update(machine_identity(cpu.cpu));
  return identity;
}

void set_counters(benchmark::State& state, const Measurement& m) {
  const auto set = [&state](const std::string& name, double value) {
    state.counters[name] = benchmark::Counter(value);
  };
  set("floor_ns", m.floor_ns);
  set("net_ns", m.net_ns);
  if (m.net_interval) {
    set("net_lo_ns", m.net_interval->lo);
    set("net_hi_ns", m.net_interval->hi);
  }
  if (m.net_2n_ns) set("net_2n_ns", *m.net_2n_ns);
  if (m.net_user_ns) set("net_user_ns", *m.net_user_ns);
  if (m.overhead) {
    set("overhead_percent", m.overhead->percent);
    if (const auto& interval = m.overhead->percent_interval) {
      set("overhead_percent_lo", interval->lo);
      set("overhead_percent_hi", interval->hi);
    }
    if (const auto& interval = m.overhead->raw_interval) {
      set("raw_lo_ns", interval->lo);
      set("raw_hi_ns", interval->hi);
    }
  }
  set("least_net_ns", m.least_net_ns);
  set("min_ns", m.min_ns);
  set("batch_ns", m.batch_ns);
  set("reference_step_ns", m.reference_step_ns);
  set("ops", static_cast<double>(m.ops));
  set("batches", static_cast<double>(m.batches));
  set("disturbed_batches", static_cast<double>(m.disturbed_batches));
  set("steal_ns", m.steal_ns);
  set("throttled_ns", m.throttled_ns);
  set("wall_s", m.wall_s);
  for (const ProgramIdentity& program : m.programs) {
    if (program.role != "subject") continue;
    set("insns_xlated", program.insns_xlated);
    set("jited_bytes", program.jited_bytes);
  }
  for (const auto& [name, value] : m.findings.counters) set(name, value);
  if (m.findings.histograms.empty()) return;
  const Histogram& histogram = m.findings.histograms.front().histogram;
  for (const auto& [name, q] :
       {std::pair{"p50_ns", 0.5}, {"p90_ns", 0.9}, {"p99_ns", 0.99}, {"p999_ns", 0.999}}) {
    if (const auto value = histogram.quantile_ns(q)) set(name, *value);
  }
  if (const auto max = histogram.max_ns()) set("max_ns", static_cast<double>(*max));
  set("samples", static_cast<double>(histogram.count()));
}

// The body of every registered case: reports what the campaign measured, as one iteration of
// raw_ns. It is one in every repetition, with or without a number: the library aborts where
// repetitions of a case differ in their iterations. The result document writes the operations that
// were timed.
void body(benchmark::State& state, const RunLog::Outcome& outcome, const RunLog& log) {
  while (state.KeepRunning()) state.SetIterationTime(outcome ? outcome->raw_ns * 1e-9 : 0);
  if (outcome) {
    set_counters(state, *outcome);
  } else if (log.is_failure(outcome.error())) {
    fail_case(state, outcome.error().what);
  } else {
    skip_case(state, outcome.error().what);
  }
}

void register_with_library(const Case& c, const RunLog& log) {
  // The library calls the body once per repetition, in the order of repetitions.
  benchmark::RegisterBenchmark(c.name.c_str(),
                               [&c, &log, repetition = 0](benchmark::State& state) mutable {
                                 body(state, *log.find(c.name, repetition++), log);
                               })
      ->Iterations(1)
      ->UseManualTime();
}

void hand_flags_to_library(const RunOptions& options) {
  std::vector<std::string> texts = {"bench"};
  texts.insert(texts.end(), options.library_arguments.begin(), options.library_arguments.end());
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  int count = static_cast<int>(arguments.size());
  // benchmark::Initialize() keeps a pointer to the program's name, which must outlive the run.
  static std::string executable;
  executable = options.arguments.empty() ? "bench" : options.arguments.front();
  arguments[0] = executable.data();
  benchmark::Initialize(&count, arguments.data());
}

// The document in the form asked for; the console form of a file is its JSON's table equivalent,
// CSV.
std::string rendered(const ResultDocument& document, OutputFormat format) {
  return format == OutputFormat::kJson ? document.json() : document.csv();
}

// What makes numbers worse and can be helped; for a person, the file has the facts.
void print_notes(bool shows_times) {
  if (!shows_times) {
    fmt::print(stderr,
               "note: this machine is emulated: counts are verified, times mean nothing and are "
               "not shown\n");
  }
#ifndef NDEBUG
  fmt::print(stderr, "note: this is a debug build; what is measured in user space is slow\n");
#endif
  std::ifstream stats("/proc/sys/kernel/bpf_stats_enabled");
  if (int enabled = 0; stats >> enabled && enabled != 0) {
    fmt::print(stderr,
               "note: kernel.bpf_stats_enabled adds two clock reads to every program run\n");
  }
  double load = 0;
  const auto cpus = static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));  // we are pinned to one
  if (getloadavg(&load, 1) == 1 && load > cpus / 2) {
    fmt::print(stderr, "note: the load average is {:.1f} on {} CPUs; other work disturbs\n", load,
               cpus);
  }
}

// The name with "*" for the value of the key, and that value; empty if it has no such key.
std::pair<std::string, std::string> without_value(const std::string& name, const std::string& key) {
  const std::string start = "/" + key + ":";
  const std::size_t found = name.find(start);
  if (key.empty() || found == std::string::npos) return {};
  const std::size_t value = found + start.size();
  const std::size_t end = std::min(name.find('/', value), name.size());
  return {name.substr(0, value) + "*" + name.substr(end), name.substr(value, end - value)};
}

// All ladders of which at least two cases gave numbers, with the loads of all repetitions.
std::string ladder_tables(const std::vector<const Case*>& cases, const RunOptions& options,
                          const RunLog& log) {
  std::vector<std::pair<std::string, std::vector<LadderCase>>> ladders;
  for (const Case* const c : cases) {
    const auto [name, value] = without_value(c->name, c->ladder);
    if (name.empty()) continue;
    LadderCase rung{.value = value, .net_ns = {}};
    for (int repetition = 0; repetition < options.repetitions; ++repetition) {
      const RunLog::Outcome* const outcome = log.find(c->name, repetition);
      if (outcome == nullptr || !*outcome) continue;
      for (const LoadEstimate& load : (*outcome)->loads) rung.net_ns.push_back(load.net_ns);
    }
    const auto same = [&ladder_name = name](const auto& ladder) {
      return ladder.first == ladder_name;
    };
    auto found = std::ranges::find_if(ladders, same);
    if (found == ladders.end()) found = ladders.insert(found, {name, {}});
    found->second.push_back(std::move(rung));
  }
  std::string tables;
  for (auto& [name, rungs] : ladders) {
    const std::vector<LadderStep> steps = ladder_steps(std::move(rungs));
    if (steps.size() > 1) tables += table_ladder(name, steps, options.time_unit);
  }
  return tables;
}

void print_tally(const RunReporter::Tally& tally) {
  fmt::print(stderr, "{} numbers, {} skips, {} failures\n", tally.numbers, tally.skips,
             tally.failures);
}

}  // namespace

int run_benchmarks(const Registry& registry, const RunOptions& options) {
  const auto selected = registry.select(options.filter, options.suite);
  if (!selected) return complain(kExitUsage, selected.error().what);
  if (selected->empty()) {
    return complain(kExitUsage, fmt::format("--benchmark_filter={} selects none of the {} cases; "
                                            "'bench list --names' prints them",
                                            options.filter, registry.cases().size()));
  }
  for (const auto& [name, ns] : options.plants) {
    // One that the filter leaves out is no mistake: a comparison launches again only what it
    // doubts.
    if (std::ranges::none_of(registry.cases(), [&](const Case& c) { return c.name == name; })) {
      return complain(kExitUsage, fmt::format("--plant: there is no case '{}'", name));
    }
  }
  if (!options.out_path.empty()) {
    if (Result<void> writable = check_writable(options.out_path); !writable) {
      return complain(kExitFailure, writable.error().what);
    }
  }
  const bool shows_times = options.show_emulated || !machine_is_emulated();
  if (options.measure.drop_caches && ::access("/proc/sys/vm/drop_caches", W_OK) != 0) {
    return complain(kExitUsage, fmt::format("--drop-caches: /proc/sys/vm/drop_caches: {}",
                                            std::strerror(errno)));
  }
  const Result<CpuChoice> cpu = pin(options);
  if (!cpu) return complain(options.cpu ? kExitUsage : kExitFailure, cpu.error().what);

  if (options.format == OutputFormat::kConsole) print_notes(shows_times);
  catch_stop_signals();
  hand_flags_to_library(options);
  RunLog log;
  log.require(options.required);
  run_campaign(*selected, options, log);
  for (const Case* c : *selected) register_with_library(*c, log);
  ResultDocument document(options, run_identity(options, *cpu));
  RunReporter reporter(options, log, document, shows_times);
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  if (stop_signal() != 0) document.mark_incomplete();

  // The file first, for a print that fails ends the program.
  Result<void> written;
  if (!options.out_path.empty()) {
    written = write_whole_file(options.out_path, rendered(document, options.out_format));
  }
  if (options.format == OutputFormat::kConsole) {
    fmt::print("{}{}", reporter.table(), ladder_tables(*selected, options, log));
    print_tally(reporter.tally());
  } else {
    fmt::print("{}", rendered(document, options.format));
  }
  if (!written) return complain(kExitFailure, written.error().what);
  if (stop_signal() != 0) return kExitSignalBase + stop_signal();
  return reporter.tally().failures > 0 ? kExitFailure : kExitOk;
}

}  // namespace bpfmark
