// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "benchmarks/echo_path.h"
#include "harness/echo_client.h"
#include "harness/paired.h"

namespace bpfmark {

// Round trips in closed loop; the floor is the client with nothing to do. Refuses a batch unless
// every request was answered, and by the hook alone.
class ClosedLoopLoad : public PairedLoad {
 public:
  // The client waits as the server does. Errors: those of the path and of the client.
  static Result<std::unique_ptr<PairedLoad>> create(const EchoPath::Settings& path,
                                                    const ClosedLoopClient::Options& client);

  void start() override { round_trips_ = Histogram(); }
  Result<Batch> run(Arm arm, std::uint64_t ops) override;
  Result<void> finish(Findings& findings) override;
  std::vector<ProgramIdentity> programs() const override { return path_.programs(); }

 private:
  ClosedLoopLoad(EchoPath path, ClosedLoopClient client)
      : path_(std::move(path)), client_(std::move(client)) {}

  Result<Batch> exchange(std::uint64_t ops);
  Result<Batch> exchange_nothing(std::uint64_t ops);

  EchoPath path_;
  ClosedLoopClient client_;
  Histogram round_trips_;
};

// Requests at a fixed rate, latencies from the time at which each was to be sent. Otherwise as
// above.
class OpenLoopLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const EchoPath::Settings& path,
                                                    const OpenLoopClient::Options& client);

  void start() override { latencies_ = Histogram(); }
  Result<Batch> run(Arm arm, std::uint64_t ops) override;
  Result<void> finish(Findings& findings) override;
  std::vector<ProgramIdentity> programs() const override { return path_.programs(); }

 private:
  OpenLoopLoad(EchoPath path, OpenLoopClient client)
      : path_(std::move(path)), client_(std::move(client)) {}

  EchoPath path_;
  OpenLoopClient client_;
  Histogram latencies_;
};

}  // namespace bpfmark
