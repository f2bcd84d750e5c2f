// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/echo_devices.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/echo_lab.h"
#include "benchmarks/echo_path.h"
#include "fixtures/lent_device.h"
#include "harness/guards.h"
#include "harness/interrupt.h"

namespace bpfmark {
namespace {

struct DeviceFlags {
  std::string client_if;
  std::string dut_if;
  std::string peer;

  bool half() const { return client_if.empty() != dut_if.empty(); }
};

int complain(int status, const std::string& text) {
  fmt::print(stderr, "bench: {}\n", text);
  return status;
}

// A device that cannot be used is a mistake of who named it.
int complain_about_device(const Error& error) {
  const bool named_badly = error.kind == ErrorKind::kWrongResult || error.errnum == ENODEV;
  return complain(named_badly ? kExitUsage : kExitFailure, error.what);
}

std::string check_address(const std::string& text) {
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ? "" : "expected an IPv4 address";
}

// Of the key in a case's name; empty if it has no such key.
std::string value_of(const std::string& name, std::string_view key) {
  const std::string start = fmt::format("/{}:", key);
  const std::size_t found = name.find(start);
  if (found == std::string::npos) return "";
  const std::size_t first = found + start.size();
  return name.substr(first, name.find('/', first) - first);
}

// Why these cases cannot use these devices.
std::optional<std::string> complaint_about(const std::vector<const Case*>& selected,
                                           const DeviceFlags& flags) {
  for (const Case* const c : selected) {
    if (!c->name.starts_with("echo_rtt/") && !c->name.starts_with("echo_open_loop/")) {
      return fmt::format(
          "--client-if and --dut-if are for echo_rtt and echo_open_loop, and {} is selected",
          c->name);
    }
    if (value_of(c->name, "hook") == "netkit") {
      return fmt::format("{}: netkit devices are made in pairs, others do not do", c->name);
    }
  }
  if (!flags.half()) return std::nullopt;
  const std::string& name = selected.front()->name;
  if (selected.size() > 1) {
    return fmt::format("both halves must be of one case, and {} are selected: {} ...",
                       selected.size(), name);
  }
  if (value_of(name, "proto") != "udp") {
    return fmt::format("{}: halves on two machines are for UDP", name);
  }
  if (!flags.dut_if.empty() && value_of(name, "hook") == "tc_clsact") {
    return fmt::format(
        "{}: a filter of clsact would stay on {} if bench were killed; tcx is at the same place",
        name, flags.dut_if);
  }
  return std::nullopt;
}

// --- both ends, or the client's

int run_over_pair(const DeviceFlags& flags, const std::function<int()>& run) {
  const Result<std::unique_ptr<LentPair>> lent = LentPair::create(flags.client_if, flags.dut_if);
  if (!lent) return complain_about_device(lent.error());
  lend_devices({.pair = &(*lent)->pair()});
  const int status = run();
  lend_devices();
  if (const Result<void> done = (*lent)->give_back(); !done) {
    return complain(kExitFailure, done.error().what);
  }
  return status;
}

int run_client(const LentDevice& device, in_addr peer, const std::function<int()>& run) {
  lend_devices({.client = &device, .peer = peer});
  const int status = run();
  lend_devices();
  return status;
}

// --- the DUT's

// Until a signal asks to stop, or nobody holds the other end of a pipe at stdin any more, or
// nothing is answered any more.
void wait_for_end(const Echo& echo) {
  constexpr int kNap_ms = 100;
  struct stat input{};
  const bool piped =
      ::fstat(STDIN_FILENO, &input) == 0 && (S_ISFIFO(input.st_mode) || S_ISSOCK(input.st_mode));
  pollfd events{.fd = piped ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
  while (stop_signal() == 0 && !echo.failure()) {
    if (::poll(&events, 1, kNap_ms) <= 0) continue;
    std::array<char, 256> ignored;
    if (::read(STDIN_FILENO, ignored.data(), ignored.size()) == 0) return;
  }
}

int serve(const LentDevice& device, in_addr peer, const std::string& name,
          const RunOptions& options) {
  catch_stop_signals();
  Result<EchoLab> lab = EchoLab::dut_half(device, peer);
  if (!lab) return complain(kExitFailure, lab.error().what);
  const EchoHook* const hook = find_echo_hook(value_of(name, "hook"));
  const bool blocking = value_of(name, "wakeup") == "blocking";
  const Result<std::unique_ptr<Echo>> echo =
      hook->start(*lab, {.cpu = options.cpu.value_or(quietest_cpu().cpu),
                         .wait = blocking ? Wait::kBlocking : Wait::kBusy,
                         .message_bytes = std::stoul(value_of(name, "payload"))});
  if (!echo) return complain(kExitFailure, echo.error().what);
  fmt::print(stderr,
             "answering {} on {}, by {}; ends at SIGINT, SIGTERM or the end of a pipe at stdin\n",
             name, device.end.device, hook->what);
  wait_for_end(**echo);
  if (const std::optional<Error> failure = (*echo)->failure()) {
    return complain(kExitFailure, failure->what);
  }
  const EchoSightings seen = (*echo)->seen();
  fmt::print("{}: {}\n", name, to_text(seen));
  if (seen.server) return kExitOk;
  const Result<void> nothing = lab->check_server_saw_nothing();
  return nothing ? kExitOk : complain(kExitFailure, nothing.error().what);
}

// --- all of it

int run_half(const DeviceFlags& flags, const std::string& name, const RunOptions& options,
             const std::function<int()>& run) {
  const bool is_client = flags.dut_if.empty();
  const Result<LentDevice> device =
      LentDevice::in_place(is_client ? flags.client_if : flags.dut_if);
  if (!device) return complain_about_device(device.error());
  in_addr peer{};
  ::inet_pton(AF_INET, flags.peer.c_str(), &peer);  // was checked when it was parsed
  if (peer.s_addr == device->end.ipv4.s_addr) {
    return complain(kExitUsage, fmt::format("--peer={} is the address of {} itself", flags.peer,
                                            device->end.device));
  }
  return is_client ? run_client(*device, peer, run) : serve(*device, peer, name, options);
}

int run_on_devices(const DeviceFlags& flags, const Registry& registry, RunOptions& options,
                   const std::function<int()>& run) {
  if (flags.client_if.empty() && flags.dut_if.empty() && flags.peer.empty()) return run();
  if (flags.half() == flags.peer.empty()) {
    return complain(kExitUsage,
                    "expected --client-if and --dut-if, or one of them with --peer=ADDR, where "
                    "the other half is");
  }
  const auto selected = registry.select(options.filter, options.suite);
  if (!selected || selected->empty()) return run();  // says what is wrong
  if (const auto complaint = complaint_about(*selected, flags)) {
    return complain(kExitUsage, *complaint);
  }
  if (!flags.half()) {
    options.devices = fmt::format("{}, {}", flags.client_if, flags.dut_if);
    return run_over_pair(flags, run);
  }
  options.devices = fmt::format("{}, {}", flags.client_if, flags.peer);
  return run_half(flags, selected->front()->name, options, run);
}

}  // namespace

AroundRun add_echo_devices(CLI::App& app, const Registry& registry) {
  const auto flags = std::make_shared<DeviceFlags>();
  const std::string group = "Devices that are there already (echo_rtt, echo_open_loop)";
  app.add_option("--client-if", flags->client_if, "where requests leave")
      ->type_name("IF")
      ->group(group);
  app.add_option("--dut-if", flags->dut_if, "where they are answered; with --peer: until SIGINT")
      ->type_name("IF")
      ->group(group);
  app.add_option("--peer", flags->peer, "IPv4 address of the half that is on another machine")
      ->check(CLI::Validator(check_address, "", ""))
      ->type_name("ADDR")
      ->group(group);
  return [flags, &registry](RunOptions& options, const std::function<int()>& run) {
    return run_on_devices(*flags, registry, options, run);
  };
}

}  // namespace bpfmark
