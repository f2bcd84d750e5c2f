// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/miss_counter.h"

#include <linux/perf_event.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "fixtures/mapping.h"
#include "fixtures/perf_event.h"

namespace bpfmark {
namespace {

constexpr const char* kCapability = "hw_cache_misses";
constexpr std::array<const char*, 2> kNames = {"cache_misses", "floor_cache_misses"};

Result<PerfEvent> open_event() {
  Result<PerfEvent> event =
      PerfEvent::of_cpu(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES, ::sched_getcpu());
  if (!event) event.error().what = "count cache misses: " + event.error().what;
  return event;
}

// Memory that was never touched is in no cache.
Result<void> count_some() {
  constexpr std::size_t kBytes = 8 << 20;
  const Result<PerfEvent> event = open_event();
  if (!event) return std::unexpected(event.error());
  const Result<Mapping> memory = Mapping::anonymous(kBytes, Mapping::whole_pages(1));
  if (!memory) return std::unexpected(memory.error());
  std::memset(memory->data(), 1, memory->size());
  const Result<std::uint64_t> count = event->count();
  if (!count) return std::unexpected(count.error());
  // So do some virtual machines.
  if (*count == 0) return system_error(ENODEV, "cache misses can be asked for, and never happen");
  return {};
}

ProbeResult probe() {
  const Result<void> counted = count_some();
  if (counted) return {Support::kSupported, "", ""};
  const std::string& cause = counted.error().what;
  switch (counted.error().errnum) {
    case EACCES:
    case EPERM:
      return {Support::kNotPermitted, cause, "run as root, or with CAP_PERFMON"};
    case ENODEV:
    case ENOENT:
    case EOPNOTSUPP:
      return {Support::kAbsent, cause,
              "needs a processor that counts cache misses; a virtual machine sees what its host "
              "lets it see"};
    default:
      return {Support::kUnknown, cause, "the probe could not tell; see the cause"};
  }
}

// A tool of somebody else may take the counter at any time, which is no fault of the case.
Error taken_away(const Error& error) {
  return {.kind = ErrorKind::kUnknown,
          .what = error.what,
          .remedy = "end what else counts events on this machine",
          .capability = kCapability};
}

}  // namespace

MissCounter MissCounter::of_this_cpu() {
  if (Result<void> met = Capabilities::instance().check({kCapability}); !met) {
    return MissCounter(std::unexpected(met.error()));
  }
  Result<PerfEvent> event = open_event();
  if (!event) return MissCounter(std::unexpected(taken_away(event.error())));
  return MissCounter(
      [own = std::make_shared<const PerfEvent>(std::move(*event))] { return own->count(); });
}

MissCounter::MissCounter(Result<Count> count) : count_(std::move(count)) {}

std::uint64_t MissCounter::read() {
  if (!count_) return 0;
  const Result<std::uint64_t> now = (*count_)();
  if (now) return *now;
  count_ = std::unexpected(taken_away(now.error()));
  return 0;
}

void MissCounter::after_batch(Arm arm, std::uint64_t packets) {
  Sum& sum = sums_[arm == Arm::kSubject ? 0 : 1];
  sum.misses += read() - before_;
  sum.packets += packets;
}

void MissCounter::report(Findings& findings, double earlier) const {
  if (!count_) findings.add_missing(kNames[0], count_.error());
  if (!findings.missing.empty()) {
    for (const char* const name : kNames) findings.counters.erase(name);
    return;
  }
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    if (sums_[i].packets == 0) continue;
    double& mean = findings.counters[kNames[i]];
    mean = (mean * earlier + static_cast<double>(sums_[i].misses)) /
           (earlier + static_cast<double>(sums_[i].packets));
  }
}

void add_miss_capability(Capabilities& capabilities) {
  capabilities.add({kCapability, "count cache misses of a CPU by its hardware", probe});
}

}  // namespace bpfmark
