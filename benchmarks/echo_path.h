// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "benchmarks/echo_lab.h"
#include "harness/echo_client.h"
#include "harness/findings.h"
#include "harness/measurement.h"
#include "harness/result.h"

namespace bpfmark {

// A client's socket, one hook that answers, and who is asked for their counts after every batch:
// what a load with any client is made of.
class EchoPath {
 public:
  struct Settings {
    const EchoHook* hook = nullptr;
    Protocol protocol = Protocol::kUdp;
    std::size_t message_bytes = 0;
    Wait server_wait = Wait::kBlocking;  // of a thread that answers
    int server_cpu = -1;                 // likewise; -1: the caller's
  };

  // Errors: those of the lab and of the hook.
  static Result<EchoPath> create(const Settings& settings);

  int client_fd() const { return lab_->client.get(); }

  // What has been counted so far, by whom.
  struct Counts {
    EchoCounts client;
    EchoSightings seen;
    std::uint64_t retransmissions = 0;
  };
  Result<Counts> counts(const EchoCounts& client) const;

  // After a batch: every request was seen once at every place on its way, unless it is known to be
  // lost or to have been sent twice; nobody else saw it; and no reply came twice. Errors:
  // kWrongResult.
  Result<void> check(const Counts& before, const EchoCounts& client) const;

  // More than 0.1 % of the requests are lost.
  static bool too_many_lost(const EchoCounts& client);
  // What to say then: how far they came, and what else is known of it.
  std::unexpected<Error> no_answer(const EchoCounts& client, const std::string& cause = "") const;

  // What to say of an error of the client: the same, if it is that nothing came back.
  std::unexpected<Error> client_error(const EchoCounts& client, const Error& error) const;

  // After a load: losses, and what the row says about the way. Errors: no_answer().
  Result<void> finish(const EchoCounts& client, Findings& findings) const;

  std::vector<ProgramIdentity> programs() const;

 private:
  EchoPath(const Settings& settings, std::unique_ptr<EchoLab> lab, std::unique_ptr<Echo> echo)
      : settings_(settings), lab_(std::move(lab)), echo_(std::move(echo)) {}

  Settings settings_;
  std::unique_ptr<EchoLab> lab_;  // stays where it is: who answers refers to it
  std::unique_ptr<Echo> echo_;
};

// Devices that paths use in the place of new pairs of their own. They outlive all paths.
struct LentDevices {
  const VethPair* pair = nullptr;      // both ends, or
  const LentDevice* client = nullptr;  // only the client's,
  in_addr peer{};                      // and where the other half is
};
// For all paths from now on; none, without an argument.
void lend_devices(const LentDevices& devices = {});

// What the devices are set to, for the row of a case.
void report_devices(const VethOptions& options, Findings& findings);

// The CPU for a thread that is not to be on the caller's, of those that the process was allowed
// before it pinned itself; -1 if there is none.
int other_cpu(const std::vector<int>& cpus);

}  // namespace bpfmark
