// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/echo_path.h"

#include <fmt/format.h>
#include <sched.h>

#include <cerrno>

#include "fixtures/device_setup.h"
#include "harness/program_identity.h"

namespace bpfmark {
namespace {

constexpr double kMostLost = 0.001;
constexpr const char* kTheOtherHalfTells = "what the hook and the server saw, the other half tells";

LentDevices lent;

// Answers on another machine, where the other half counts.
class RemoteEcho : public Echo {
 public:
  EchoSightings seen() const override { return {}; }
};

Result<EchoLab> open_lab(const EchoPath::Settings& settings) {
  if (lent.pair != nullptr) return EchoLab::between(settings.protocol, *lent.pair);
  if (lent.client != nullptr) return EchoLab::client_half(*lent.client, lent.peer);
  return EchoLab::create(settings.protocol, {.netkit = settings.hook->netkit});
}

Result<std::unique_ptr<Echo>> start_echo(const EchoPath::Settings& settings, const EchoLab& lab) {
  if (!lab.dut_end) return std::make_unique<RemoteEcho>();
  const EchoPlace place{.cpu = settings.server_cpu < 0 ? ::sched_getcpu() : settings.server_cpu,
                        .wait = settings.server_wait,
                        .message_bytes = settings.message_bytes};
  return settings.hook->start(lab, place);
}

// A network card may lose its carrier for a while when it gets an XDP program.
Result<void> wait_for_carrier(const VethPair& pair) {
  for (const VethEnd* const end : {&pair.client, &pair.dut}) {
    const Result<void> ready = end->net_ns.run([&] { return wait_until_ready(*end); });
    if (!ready) return ready;
  }
  return {};
}

}  // namespace

void lend_devices(const LentDevices& devices) { lent = devices; }

Result<EchoPath> EchoPath::create(const Settings& settings) {
  Result<EchoLab> made = open_lab(settings);
  if (!made) return std::unexpected(made.error());
  auto lab = std::make_unique<EchoLab>(std::move(*made));
  Result<std::unique_ptr<Echo>> echo = start_echo(settings, *lab);
  if (!echo) return std::unexpected(echo.error());
  if (lent.pair != nullptr) {
    if (Result<void> ready = wait_for_carrier(*lent.pair); !ready) {
      return std::unexpected(ready.error());
    }
  }
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
                                    settings_.hook->name, sent, client.sent, to_text(now->seen)));
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

std::unexpected<Error> EchoPath::no_answer(const EchoCounts& client,
                                           const std::string& cause) const {
  if (const std::optional<Error> failure = echo_->failure()) return std::unexpected(*failure);
  const Result<void> nothing = lab_->check_server_saw_nothing();
  return wrong_result(
      fmt::format("{}: more than {:.1f} % of the requests got no reply: the client sent {} and "
                  "received {}; {}{}{}",
                  settings_.hook->name, kMostLost * 100, client.sent, client.answered,
                  lab_->dut_end ? to_text(echo_->seen()) : std::string(kTheOtherHalfTells),
                  nothing ? "" : "; " + nothing.error().what, cause.empty() ? "" : "; " + cause));
}

std::unexpected<Error> EchoPath::client_error(const EchoCounts& client, const Error& error) const {
  switch (error.errnum) {
    case ETIMEDOUT:
      return no_answer(client);
    case ECONNREFUSED:  // nobody has the port
    case EHOSTUNREACH:  // nobody has the address
    case ENETUNREACH:
      return no_answer(client, error.what);
    default:
      return std::unexpected(error);
  }
}

Result<void> EchoPath::finish(const EchoCounts& client, Findings& findings) const {
  if (too_many_lost(client)) return no_answer(client);
  findings.counters["requests"] += static_cast<double>(client.sent);
  findings.counters["lost"] += static_cast<double>(client.lost());
  findings.counters["timeouts"] += static_cast<double>(client.timeouts);
  findings.counters["duplicates"] += static_cast<double>(client.duplicates);
  report_devices(lab_->options, findings);
  if (lab_->dut_end) return {};
  // Who compares by hand finds `requests` where this case is answered, and nothing elsewhere.
  findings.add_missing("the hook's and the server's counts",
                       {.kind = ErrorKind::kAbsent,
                        .what = "they are on another machine",
                        .remedy = "the other half prints them when it ends"});
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

void report_devices(const VethOptions& options, Findings& findings) {
  findings.counters["mtu_bytes"] = options.mtu_bytes;
  findings.counters["queues"] = options.queues;
  findings.counters["offloads"] = options.offloads.on();
}

int other_cpu(const std::vector<int>& cpus) {
  for (auto cpu = cpus.rbegin(); cpu != cpus.rend(); ++cpu) {
    if (*cpu != ::sched_getcpu()) return *cpu;
  }
  return -1;
}

}  // namespace bpfmark
