// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "harness/histogram.h"
#include "harness/result.h"
#include "harness/ring.h"

// Load generators for one connected socket whose peer sends every message back: a message is
// bpfmark_message, filled up to its size. All system calls but thinking go through an io_uring.
// Neither draws random numbers nor allocates between the readings of a clock. Of one thread.
namespace bpfmark {

// What became of the requests since the client was made.
struct EchoCounts {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;    // in time
  std::uint64_t timeouts = 0;    // not in time
  std::uint64_t late = 0;        // answered after their time was over
  std::uint64_t duplicates = 0;  // answers beyond the first

  std::uint64_t lost() const { return timeouts - late; }

  friend bool operator==(const EchoCounts&, const EchoCounts&) = default;
};

// The message that was sent, and what is known of those before it: judges what comes back.
class EchoMessages {
 public:
  // Errors: kWrongResult for messages shorter than bpfmark_message.
  static Result<EchoMessages> of_size(std::size_t bytes);

  // The next message, from 1.
  const std::vector<std::byte>& next();
  std::uint32_t sequence() const { return sequence_; }

  // Whose reply `bytes` bytes from `reply` on are. Errors: kWrongResult for what was never sent.
  Result<std::uint32_t> sequence_of(const std::byte* reply, std::size_t bytes) const;

 private:
  explicit EchoMessages(std::size_t bytes);

  std::vector<std::byte> message_;
  std::uint32_t sequence_ = 0;
};

// Closed loop: the next request only after the reply to the last, and after thinking.
class ClosedLoopClient {
 public:
  struct Options {
    std::size_t message_bytes = 0;
    bool stream = false;  // TCP: a reply may come in pieces, and none can be lost
    Wait wait = Wait::kBlocking;
    std::uint64_t think_ns = 0;  // before every request: asleep or counting time, as `wait` says
    std::uint64_t patience_ns = 1'000'000'000;  // for a reply
  };

  // Does not own the socket, which must be a blocking one. Errors: kSystem, kWrongResult.
  static Result<ClosedLoopClient> create(int socket_fd, const Options& options);

  // Thinks, sends one request and waits for its reply. The time in ns from before the submission
  // of both to the reply in hand; nullopt if none came in time. Errors: kSystem (a timeout of a
  // stream too), kWrongResult for a reply to what was not asked, or with other bytes.
  Result<std::optional<std::uint64_t>> exchange();

  // The same with two operations that do nothing: what the client itself costs.
  Result<std::uint64_t> exchange_nothing();

  const EchoCounts& counts() const { return counts_; }

 private:
  ClosedLoopClient(Ring ring, EchoMessages messages, int socket_fd, const Options& options);

  void think() const;
  void arm_receive();
  // Takes all completions. True once the reply to the last request is among them.
  Result<bool> collect();
  void count_old(std::uint32_t sequence);

  int socket_fd_;
  Options options_;
  EchoMessages messages_;
  std::vector<std::byte> reply_;
  std::vector<std::uint32_t> timed_out_;
  EchoCounts counts_;
  bool receiving_ = false;
  Ring ring_;  // goes first: the kernel writes into reply_ until then
};

// Open loop: requests leave at times that are fixed beforehand, whatever became of those before. A
// latency counts from the time at which its request was to be sent, so that a server that stalls is
// blamed for every request that came due meanwhile. Polls all the time; datagrams only.
class OpenLoopClient {
 public:
  struct Options {
    std::size_t message_bytes = 0;
    std::uint64_t period_ns = 0;                // from one request to the next
    std::uint64_t patience_ns = 1'000'000'000;  // for replies, after the last request
  };

  // Does not own the socket, which must be a blocking one. Errors: kSystem, kWrongResult.
  static Result<OpenLoopClient> create(int socket_fd, const Options& options);

  // Sends so many requests and adds the latency of each reply to `latency`, in ns. The sum of these
  // latencies. Errors: as above.
  Result<std::uint64_t> run(std::uint64_t requests, Histogram& latency);

  // The same with two operations that do nothing, in place of sending and receiving.
  Result<std::uint64_t> run_nothing(std::uint64_t requests);

  const EchoCounts& counts() const { return counts_; }

 private:
  struct Reply {
    std::uint32_t sequence = 0;
    std::uint64_t time_ns = 0;
  };

  OpenLoopClient(Ring ring, EchoMessages messages, int socket_fd, const Options& options);

  Result<std::optional<Reply>> poll();

  int socket_fd_;
  Options options_;
  EchoMessages messages_;
  std::vector<std::byte> reply_;
  std::vector<bool> seen_;  // replies of the running batch
  EchoCounts counts_;
  bool sending_ = false;
  bool receiving_ = false;
  Ring ring_;
};

}  // namespace bpfmark
