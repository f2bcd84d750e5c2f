// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/echo_path.h"

#include <fmt/format.h>
#include <sched.h>

#include "harness/program_identity.h"

namespace bpfmark {
namespace {

constexpr double kMostLost = 0.001;

// "the hook saw 64, the server saw 0"
std::string sightings(const EchoSightings& seen) {
  std::string text;
  if (seen.hook) text = fmt::format("the hook saw {}", *seen.hook);
  if (seen.server) {
    text += fmt::format("{}the server saw {}", text.empty() ? "" : ", ", *seen.server);
  }
  return text;
}

}  // namespace

Result<EchoPath> EchoPath::create(const Settings& settings) {
  Result<EchoLab> made = EchoLab::create(settings.protocol, {.netkit = settings.hook->netkit});
  if (!made) return std::unexpected(made.error());
  auto lab = std::make_unique<EchoLab>(std::move(*made));
  const EchoPlace place{.cpu = settings.server_cpu < 0 ? ::sched_getcpu() : settings.server_cpu,
                        .wait = settings.server_wait,
                        .message_bytes = settings.message_bytes};
  Result<std::unique_ptr<Echo>> echo = settings.hook->start(*lab, place);
  if (!echo) return std::unexpected(echo.error());
  return EchoPath(settings, std::move(lab), std::move(*echo));
}

Result<EchoPath::Counts> EchoPath::counts(const EchoCounts& client) const {
  Counts now{.client = client, .seen = echo_->seen()};
  if (settings_.protocol == Protocol::kTcp) {
    const Result<std::uint64_t> again = lab_->retransmissions();
    if (!again) return std::unexpected(again.error());
    now.retransmissions = *again;
  }
  return now;
}

Result<void> EchoPath::check(const Counts& before, const EchoCounts& client) const {
  if (const std::optional<Error> failure = echo_->failure()) return std::unexpected(*failure);
  const Result<Counts> now = counts(client);
  if (!now) return std::unexpected(now.error());
  const std::uint64_t sent = client.sent - before.client.sent;
  const std::uint64_t timeouts = client.timeouts - before.client.timeouts;
  // Requests that may be seen more than once, or only now.
  const std::uint64_t again = now->retransmissions - before.retransmissions + before.client.lost();
  const auto right = [&](const std::optional<std::uint64_t>& first,
                         const std::optional<std::uint64_t>& last) {
    if (!first) return true;
    const std::uint64_t messages = *last - *first;
    return messages + timeouts >= sent && messages <= sent + again;
  };
  if (!right(before.seen.hook, now->seen.hook) || !right(before.seen.server, now->seen.server)) {
    return wrong_result(fmt::format("{}: the client sent {} requests, {} since the start; {}",
                                    settings_.hook->name, sent, client.sent, sightings(now->seen)));
  }
  if (client.duplicates != before.client.duplicates) {
    return wrong_result(fmt::format("{}: {} replies came twice", settings_.hook->name,
                                    client.duplicates - before.client.duplicates));
  }
  return now->seen.server ? Result<void>() : lab_->check_server_saw_nothing();
}

bool EchoPath::too_many_lost(const EchoCounts& client) {
  return static_cast<double>(client.lost()) > kMostLost * static_cast<double>(client.sent);
}

std::unexpected<Error> EchoPath::no_answer(const EchoCounts& client) const {
  if (const std::optional<Error> failure = echo_->failure()) return std::unexpected(*failure);
  const Result<void> nothing = lab_->check_server_saw_nothing();
  return wrong_result(
      fmt::format("{}: more than {:.1f} % of the requests got no reply: the client sent {} and "
                  "received {}; {}{}",
                  settings_.hook->name, kMostLost * 100, client.sent, client.answered,
                  sightings(echo_->seen()), nothing ? "" : "; " + nothing.error().what));
}

Result<void> EchoPath::finish(const EchoCounts& client, Findings& findings) const {
  if (too_many_lost(client)) return no_answer(client);
  findings.counters["requests"] += static_cast<double>(client.sent);
  findings.counters["lost"] += static_cast<double>(client.lost());
  findings.counters["timeouts"] += static_cast<double>(client.timeouts);
  findings.counters["duplicates"] += static_cast<double>(client.duplicates);
  report_devices(lab_->pair, findings);
  return {};
}

std::vector<ProgramIdentity> EchoPath::programs() const {
  std::vector<ProgramIdentity> programs;
  if (echo_->program_fd() < 0) return programs;
  if (auto identity = identify_program(echo_->program_fd(), "subject")) {
    programs.push_back(*identity);
  }
  return programs;
}

void report_devices(const VethPair& pair, Findings& findings) {
  findings.counters["mtu_bytes"] = pair.options.mtu_bytes;
  findings.counters["queues"] = pair.options.queues;
  findings.counters["offloads"] = pair.options.offloads.on();
}

int other_cpu(const std::vector<int>& cpus) {
  for (auto cpu = cpus.rbegin(); cpu != cpus.rend(); ++cpu) {
    if (*cpu != ::sched_getcpu()) return *cpu;
  }
  return -1;
}

}  // namespace bpfmark
