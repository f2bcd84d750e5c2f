// SPDX-License-Identifier: BSD-2-Clause
#include "harness/echo_client.h"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bpf/shared/echo.h"
#include "harness/clock.h"

namespace bpfmark {
namespace {

// Entries of the ring that one request takes.
enum Entry : std::uint64_t { kSend, kReceive, kNothing };

void prepare_nothing(const Ring& ring) {
  io_uring_sqe* const entry = ring.next_entry();
  io_uring_prep_nop(entry);
  io_uring_sqe_set_data64(entry, kNothing);
}

void prepare_send(const Ring& ring, int fd, const std::vector<std::byte>& message) {
  io_uring_sqe* const entry = ring.next_entry();
  io_uring_prep_send(entry, fd, message.data(), message.size(), 0);
  io_uring_sqe_set_data64(entry, kSend);
}

void prepare_receive(const Ring& ring, int fd, std::vector<std::byte>& reply, int flags) {
  io_uring_sqe* const entry = ring.next_entry();
  io_uring_prep_recv(entry, fd, reply.data(), reply.size(), flags);
  io_uring_sqe_set_data64(entry, kReceive);
}

Result<void> check_sent(const Ring::Completion& done, std::size_t bytes) {
  if (done.result < 0) return system_error(-done.result, "send a request");
  if (static_cast<std::size_t>(done.result) == bytes) return {};
  return wrong_result(fmt::format("{} of {} bytes of a request were sent", done.result, bytes));
}

// The number of the message that came.
Result<std::uint32_t> received(const Ring::Completion& done, const EchoMessages& messages,
                               const std::vector<std::byte>& reply) {
  if (done.result < 0) return system_error(-done.result, "receive a reply");
  return messages.sequence_of(reply.data(), static_cast<std::size_t>(done.result));
}

}  // namespace

// --- messages

EchoMessages::EchoMessages(std::size_t bytes) : message_(bytes) {
  for (std::size_t i = 0; i < bytes; ++i) message_[i] = static_cast<std::byte>(i);
}

Result<EchoMessages> EchoMessages::of_size(std::size_t bytes) {
  if (bytes >= sizeof(bpfmark_message)) return EchoMessages(bytes);
  return wrong_result(fmt::format("a message of {} bytes has no room for its number", bytes));
}

const std::vector<std::byte>& EchoMessages::next() {
  const bpfmark_message head{.magic = BPFMARK_MESSAGE_MAGIC, .sequence = ++sequence_};
  std::memcpy(message_.data(), &head, sizeof(head));
  return message_;
}

Result<std::uint32_t> EchoMessages::sequence_of(const std::byte* reply, std::size_t bytes) const {
  if (bytes != message_.size()) {
    return wrong_result(fmt::format("a reply has {} bytes instead of {}", bytes, message_.size()));
  }
  bpfmark_message head;
  std::memcpy(&head, reply, sizeof(head));
  if (head.magic != BPFMARK_MESSAGE_MAGIC || head.sequence == 0 || head.sequence > sequence_) {
    return wrong_result(
        fmt::format("a reply has sequence number {} after request {}", head.sequence, sequence_));
  }
  if (std::memcmp(reply + sizeof(head), message_.data() + sizeof(head), bytes - sizeof(head)) !=
      0) {
    return wrong_result(fmt::format("the reply to request {} has other bytes", head.sequence));
  }
  return head.sequence;
}

// --- closed loop

ClosedLoopClient::ClosedLoopClient(Ring ring, EchoMessages messages, int socket_fd,
                                   const Options& options)
    : socket_fd_(socket_fd),
      options_(options),
      messages_(std::move(messages)),
      // One more, to see when a datagram is longer than it should be.
      reply_(options.message_bytes + (options.stream ? 0 : 1)),
      ring_(std::move(ring)) {}

Result<ClosedLoopClient> ClosedLoopClient::create(int socket_fd, const Options& options) {
  Result<EchoMessages> messages = EchoMessages::of_size(options.message_bytes);
  if (!messages) return std::unexpected(messages.error());
  Result<Ring> ring = Ring::create(4);
  if (!ring) return std::unexpected(ring.error());
  // Else the kernel adds 50 us to a thread's sleep, to save wake-ups.
  if (options.think_ns > 0 && ::prctl(PR_SET_TIMERSLACK, 1) != 0) {
    return system_error(errno, "set the timer slack of the thread");
  }
  return ClosedLoopClient(std::move(*ring), std::move(*messages), socket_fd, options);
}

Result<std::optional<std::uint64_t>> ClosedLoopClient::exchange() {
  think();
  const std::vector<std::byte>& message = messages_.next();
  const std::uint64_t start = now_ns();
  prepare_send(ring_, socket_fd_, message);
  arm_receive();
  ++counts_.sent;
  unsigned awaited = 2;
  while (true) {
    const Result<void> done = ring_.submit(awaited, options_.wait, options_.patience_ns);
    const std::uint64_t end = now_ns();
    if (!done && done.error().errnum != ETIMEDOUT) return std::unexpected(done.error());
    const Result<bool> answered = collect();
    if (!answered) return std::unexpected(answered.error());
    if (*answered) {
      ++counts_.answered;
      return end - start;
    }
    if (!done) {
      ++counts_.timeouts;
      if (options_.stream) return std::unexpected(done.error());
      timed_out_.push_back(messages_.sequence());
      return std::nullopt;
    }
    // That was the reply to an older request.
    arm_receive();
    awaited = 1;
  }
}

Result<std::uint64_t> ClosedLoopClient::exchange_nothing() {
  think();
  messages_.next();
  const std::uint64_t start = now_ns();
  prepare_nothing(ring_);
  prepare_nothing(ring_);
  const Result<void> done = ring_.submit(2, options_.wait, options_.patience_ns);
  const std::uint64_t end = now_ns();
  if (!done) return std::unexpected(done.error());
  if (Result<bool> collected = collect(); !collected) return std::unexpected(collected.error());
  return end - start;
}

void ClosedLoopClient::think() const {
  if (options_.think_ns == 0) return;
  if (options_.wait == Wait::kBusy) {
    for (const std::uint64_t start = now_ns(); now_ns() - start < options_.think_ns;) continue;
    return;
  }
  const timespec duration{.tv_sec = static_cast<time_t>(options_.think_ns / 1'000'000'000),
                          .tv_nsec = static_cast<long>(options_.think_ns % 1'000'000'000)};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, nullptr);
}

// After a timeout it still is.
void ClosedLoopClient::arm_receive() {
  if (receiving_) return;
  prepare_receive(ring_, socket_fd_, reply_, options_.stream ? MSG_WAITALL : 0);
  receiving_ = true;
}

Result<bool> ClosedLoopClient::collect() {
  bool answered = false;
  while (ring_.ready() > 0) {
    const Ring::Completion done = ring_.take();
    if (done.user_data == kSend) {
      Result<void> sent = check_sent(done, options_.message_bytes);
      if (!sent) return std::unexpected(sent.error());
    } else if (done.user_data == kReceive) {
      receiving_ = false;
      const Result<std::uint32_t> sequence = received(done, messages_, reply_);
      if (!sequence) return std::unexpected(sequence.error());
      if (*sequence == messages_.sequence()) {
        answered = true;
      } else {
        count_old(*sequence);
      }
    }
  }
  return answered;
}

void ClosedLoopClient::count_old(std::uint32_t sequence) {
  const auto late = std::ranges::find(timed_out_, sequence);
  if (late == timed_out_.end()) {
    ++counts_.duplicates;
  } else {
    ++counts_.late;
    timed_out_.erase(late);
  }
}

// --- open loop

OpenLoopClient::OpenLoopClient(Ring ring, EchoMessages messages, int socket_fd,
                               const Options& options)
    : socket_fd_(socket_fd),
      options_(options),
      messages_(std::move(messages)),
      reply_(options.message_bytes + 1),
      ring_(std::move(ring)) {}

Result<OpenLoopClient> OpenLoopClient::create(int socket_fd, const Options& options) {
  Result<EchoMessages> messages = EchoMessages::of_size(options.message_bytes);
  if (!messages) return std::unexpected(messages.error());
  Result<Ring> ring = Ring::create(4);
  if (!ring) return std::unexpected(ring.error());
  return OpenLoopClient(std::move(*ring), std::move(*messages), socket_fd, options);
}

Result<std::uint64_t> OpenLoopClient::run(std::uint64_t requests, Histogram& latency) {
  const std::uint32_t before = messages_.sequence();
  seen_.assign(requests, false);
  std::uint64_t sent = 0, answered = 0, sum_ns = 0;
  const std::uint64_t first = now_ns() + options_.period_ns;
  const std::uint64_t give_up = first + requests * options_.period_ns + options_.patience_ns;
  while (answered < requests) {
    const std::uint64_t now = now_ns();
    if (now > give_up) break;
    if (sent < requests && now >= first + sent * options_.period_ns) {
      prepare_send(ring_, socket_fd_, messages_.next());
      sending_ = true;
      ++sent;
    }
    if (!receiving_) prepare_receive(ring_, socket_fd_, reply_, 0);
    receiving_ = true;
    const Result<std::optional<Reply>> reply = poll();
    if (!reply) return std::unexpected(reply.error());
    if (!*reply) continue;
    if ((*reply)->sequence <= before) {
      ++counts_.late;
      continue;
    }
    const std::uint32_t place = (*reply)->sequence - before - 1;
    if (seen_[place]) {
      ++counts_.duplicates;
      continue;
    }
    seen_[place] = true;
    ++answered;
    const std::uint64_t took_ns = (*reply)->time_ns - (first + place * options_.period_ns);
    latency.record(took_ns);
    sum_ns += took_ns;
  }
  counts_.sent += sent;
  counts_.answered += answered;
  counts_.timeouts += sent - answered;
  return sum_ns;
}

// Submits what is there, sees a send through, and takes what has come.
Result<std::optional<OpenLoopClient::Reply>> OpenLoopClient::poll() {
  std::optional<Reply> reply;
  do {
    const Result<void> done = ring_.submit(sending_ ? 1 : 0, Wait::kBusy, options_.patience_ns);
    const std::uint64_t now = now_ns();
    if (!done) return std::unexpected(done.error());
    while (ring_.ready() > 0) {
      const Ring::Completion completion = ring_.take();
      if (completion.user_data == kSend) {
        sending_ = false;
        Result<void> sent = check_sent(completion, options_.message_bytes);
        if (!sent) return std::unexpected(sent.error());
        continue;
      }
      receiving_ = false;
      const Result<std::uint32_t> sequence = received(completion, messages_, reply_);
      if (!sequence) return std::unexpected(sequence.error());
      reply = Reply{.sequence = *sequence, .time_ns = now};
    }
  } while (sending_);
  return reply;
}

Result<std::uint64_t> OpenLoopClient::run_nothing(std::uint64_t requests) {
  std::uint64_t sum_ns = 0;
  const std::uint64_t first = now_ns() + options_.period_ns;
  for (std::uint64_t i = 0; i < requests; ++i) {
    const std::uint64_t due = first + i * options_.period_ns;
    while (now_ns() < due) continue;
    prepare_nothing(ring_);
    prepare_nothing(ring_);
    if (Result<void> done = ring_.submit(2, Wait::kBusy, options_.patience_ns); !done) {
      return std::unexpected(done.error());
    }
    sum_ns += now_ns() - due;
    for (int taken = 0; taken < 2; ++taken) ring_.take();
  }
  return sum_ns;
}

}  // namespace bpfmark
