// SPDX-License-Identifier: BSD-2-Clause
#include "harness/campaign.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>
#include <utility>

#include "harness/capability.h"
#include "harness/interrupt.h"
#include "harness/planted.h"
#include "harness/progress.h"

namespace bpfmark {
namespace {

// One case on its way through a repetition.
struct Entry {
  const Case* measured;
  Collected collected;
  std::optional<Error> error;
};

void add_load(Entry& entry, const RunOptions& run) {
  const MeasureOptions& options = run.measure;
  const auto planted = run.plants.find(entry.measured->name);
  announce_plant(planted == run.plants.end() ? 0 : planted->second);
  Result<void> done;
  if (entry.collected.samples.empty()) {
    done = Capabilities::instance().check(entry.measured->needs);
  }
  if (done) {
    done = measure_load(entry.measured->plan, entry.measured->load, options, entry.collected);
  }
  if (done && plant_is_left()) done = wrong_result("this case has no place for a planted cost");
  if (!done) entry.error = std::move(done.error());
}

RunLog::Outcome outcome_of(Entry entry, const MeasureOptions& options) {
  const bool stopped = entry.error && entry.error->kind == ErrorKind::kInterrupted;
  if (entry.error && !stopped) return std::unexpected(std::move(*entry.error));
  if (entry.collected.samples.empty()) return interrupted();
  Result<Measurement> concluded =
      conclude(entry.measured->plan, options, std::move(entry.collected));
  if (concluded) concluded->parts = entry.measured->parts;
  return concluded;
}

void run_repetition(const std::vector<const Case*>& cases, const RunOptions& options,
                    int repetition, RunLog& log, Progress& progress) {
  std::vector<Entry> entries;
  int passes = 0;
  for (const Case* c : cases) {
    entries.push_back({c, {}, {}});
    passes = std::max(passes, loads_of(c->plan, options.measure));
  }
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0uz);
  if (options.order_seed) {
    order = shuffled_places(entries.size(),
                            *options.order_seed + static_cast<std::uint64_t>(repetition));
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (const std::size_t place : order) {
      Entry& entry = entries[place];
      if (entry.error || pass >= loads_of(entry.measured->plan, options.measure)) continue;
      if (stop_signal() != 0) break;
      progress.start(entry.measured->name);
      add_load(entry, options);
    }
  }
  for (Entry& entry : entries) {
    log.add(entry.measured->name, outcome_of(std::move(entry), options.measure));
  }
}

}  // namespace

std::vector<std::size_t> shuffled_places(std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> places(count);
  std::iota(places.begin(), places.end(), 0uz);
  // The standard fixes what this generator gives, but not what std::shuffle() makes of it.
  std::mt19937_64 generator(seed);
  for (std::size_t left = count; left > 1; --left) {
    std::swap(places[left - 1], places[generator() % left]);
  }
  return places;
}

void run_campaign(const std::vector<const Case*>& cases, const RunOptions& options, RunLog& log) {
  std::size_t loads = 0;
  for (const Case* c : cases) {
    loads += static_cast<std::size_t>(loads_of(c->plan, options.measure));
  }
  Progress progress(loads * static_cast<std::size_t>(options.repetitions));
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    run_repetition(cases, options, repetition, log, progress);
  }
  progress.clear();
}

}  // namespace bpfmark
