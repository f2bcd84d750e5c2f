// SPDX-License-Identifier: BSD-2-Clause
// The clients on a pair of sockets. Where no thread answers, the replies are in the socket before
// they are asked for: nothing depends on when who runs.
#include "harness/echo_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <functional>
#include <thread>

#include "fixtures/unique_fd.h"
#include "harness/clock.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

using Message = std::vector<std::byte>;

constexpr std::size_t kBytes = 13;

// Of that number, as the client sends it.
Message message(std::uint32_t sequence, std::size_t bytes = kBytes) {
  EchoMessages messages = EchoMessages::of_size(bytes).value();
  while (messages.sequence() + 1 < sequence) messages.next();
  return messages.next();
}

class SocketPair : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto ring = Ring::create(1); !ring) {
      add_ring_capability(Capabilities::instance());
      BPFMARK_SKIP_OR_FAIL(Capabilities::instance().check({"io_uring"}).error());
    }
    connect(SOCK_DGRAM);
  }

  void connect(int type) {
    std::array<int, 2> raw{};
    ASSERT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, raw.data()), 0);
    client_ = UniqueFd(raw[0]);
    server_ = UniqueFd(raw[1]);
  }

  void reply(const Message& bytes) const {
    ASSERT_EQ(::send(server_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }

  UniqueFd client_;
  UniqueFd server_;
};

// --- closed loop

class ClosedLoop : public SocketPair {
 protected:
  ClosedLoopClient client(const ClosedLoopClient::Options& options) const {
    return ClosedLoopClient::create(client_.get(), options).value();
  }
};

constexpr ClosedLoopClient::Options kPlain{.message_bytes = kBytes};
constexpr ClosedLoopClient::Options kImpatient{.message_bytes = kBytes, .patience_ns = 2'000'000};

TEST_F(ClosedLoop, RequestsCarryTheirNumberAndRepliesMustCarryTheSame) {
  for (const Wait wait : {Wait::kBlocking, Wait::kBusy}) {
    ClosedLoopClient asking = client({.message_bytes = kBytes, .wait = wait});
    for (std::uint32_t sequence = 1; sequence <= 100; ++sequence) {
      reply(message(sequence));
      ASSERT_THAT(asking.exchange(), IsOkAndHolds(Optional(::testing::Gt(0u))));
      Message request(kBytes + 1);
      ASSERT_EQ(::recv(server_.get(), request.data(), request.size(), MSG_DONTWAIT),
                static_cast<ssize_t>(kBytes));
      request.resize(kBytes);
      EXPECT_EQ(request, message(sequence));
    }
    EXPECT_EQ(asking.counts(), (EchoCounts{.sent = 100, .answered = 100}));
  }
}

TEST_F(ClosedLoop, RefusesAReplyToWhatWasNeverAsked) {
  ClosedLoopClient asking = client(kPlain);
  reply(message(2));
  EXPECT_THAT(asking.exchange(),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("sequence number 2 after request 1")));
}

TEST_F(ClosedLoop, RefusesAReplyWithOtherBytes) {
  ClosedLoopClient asking = client(kPlain);
  Message altered = message(1);
  altered.back() ^= std::byte{1};
  reply(altered);
  EXPECT_THAT(asking.exchange(), ErrorIs(ErrorKind::kWrongResult, HasSubstr("other bytes")));
}

TEST_F(ClosedLoop, RefusesAReplyOfAnotherSize) {
  for (const std::size_t bytes : {kBytes - 1, kBytes + 1}) {
    connect(SOCK_DGRAM);
    ClosedLoopClient asking = client(kPlain);
    reply(message(1, bytes));
    EXPECT_THAT(asking.exchange(), ErrorIs(ErrorKind::kWrongResult, HasSubstr("instead of 13")));
  }
}

TEST_F(ClosedLoop, SecondReplyIsADuplicateAndNoAnswer) {
  ClosedLoopClient asking = client(kPlain);
  for (const std::uint32_t sequence : {1u, 1u, 2u}) reply(message(sequence));
  ASSERT_THAT(asking.exchange(), IsOk());
  ASSERT_THAT(asking.exchange(), IsOkAndHolds(Optional(::testing::_)));
  EXPECT_EQ(asking.counts(), (EchoCounts{.sent = 2, .answered = 2, .duplicates = 1}));
}

TEST_F(ClosedLoop, RequestWithoutReplyIsLostUntilItsReplyComesAfterAll) {
  ClosedLoopClient asking = client(kImpatient);
  EXPECT_THAT(asking.exchange(), IsOkAndHolds(::testing::Eq(std::nullopt)));
  EXPECT_EQ(asking.counts(), (EchoCounts{.sent = 1, .timeouts = 1}));
  EXPECT_EQ(asking.counts().lost(), 1u);
  reply(message(1));
  reply(message(2));
  EXPECT_THAT(asking.exchange(), IsOkAndHolds(Optional(::testing::_)));
  EXPECT_EQ(asking.counts(), (EchoCounts{.sent = 2, .answered = 1, .timeouts = 1, .late = 1}));
  EXPECT_EQ(asking.counts().lost(), 0u);
}

TEST_F(ClosedLoop, StreamMayReplyInPiecesButMustReply) {
  connect(SOCK_STREAM);
  ClosedLoopClient asking =
      client({.message_bytes = kBytes, .stream = true, .patience_ns = 2'000'000});
  reply(message(1));
  EXPECT_THAT(asking.exchange(), IsOkAndHolds(Optional(::testing::_)));
  Message half = message(2);
  half.resize(6);
  reply(half);
  const auto asked = asking.exchange();
  ASSERT_FALSE(asked.has_value());
  EXPECT_EQ(asked.error().errnum, ETIMEDOUT);
  EXPECT_EQ(asking.counts(), (EchoCounts{.sent = 2, .answered = 1, .timeouts = 1}));
}

TEST_F(ClosedLoop, ErrorOfTheSocketIsHandedOn) {
  ClosedLoopClient asking = client(kImpatient);
  server_ = UniqueFd();
  EXPECT_THAT(asking.exchange(), ErrorIs(ErrorKind::kSystem, HasSubstr("request")));
}

// Never less: a thread may run later than it wants to, and never earlier.
TEST_F(ClosedLoop, ThinksBeforeEveryRequest) {
  constexpr std::uint64_t kThink_ns = 200'000;
  for (const Wait wait : {Wait::kBlocking, Wait::kBusy}) {
    ClosedLoopClient asking =
        client({.message_bytes = kBytes, .wait = wait, .think_ns = kThink_ns});
    std::uint64_t round_trips_ns = 0;
    const std::uint64_t start = now_ns();
    for (std::uint32_t sequence = 1; sequence <= 20; ++sequence) {
      reply(message(sequence));
      const auto round_trip_ns = asking.exchange();
      ASSERT_THAT(round_trip_ns, IsOkAndHolds(Optional(::testing::_)));
      round_trips_ns += **round_trip_ns;
      Message request(kBytes);
      ASSERT_GT(::recv(server_.get(), request.data(), request.size(), MSG_DONTWAIT), 0);
    }
    EXPECT_GE(now_ns() - start, 20 * kThink_ns + round_trips_ns);
  }
}

TEST_F(ClosedLoop, NothingIsNotSent) {
  ClosedLoopClient asking = client(kPlain);
  EXPECT_THAT(asking.exchange_nothing(), IsOkAndHolds(::testing::Gt(0u)));
  std::byte byte;
  EXPECT_EQ(::recv(server_.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(asking.counts(), EchoCounts());
}

TEST_F(ClosedLoop, MessageWithoutRoomForItsNumberIsRefused) {
  EXPECT_THAT(ClosedLoopClient::create(client_.get(), {.message_bytes = 7}),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("7 bytes")));
}

// --- open loop

constexpr std::uint64_t kPeriod_ns = 100'000;

class OpenLoop : public SocketPair {
 protected:
  // A server that is given the messages that it has received so far and says which to send.
  void serve(const std::function<std::vector<Message>(const std::vector<Message>&)>& answer) {
    server_thread_ = std::jthread([this, answer] {
      std::vector<Message> requests;
      Message request(kBytes);
      while (::recv(server_.get(), request.data(), request.size(), 0) > 0) {
        requests.push_back(request);
        for (const Message& bytes : answer(requests)) {
          ::send(server_.get(), bytes.data(), bytes.size(), 0);
        }
      }
    });
  }

  void TearDown() override {
    ::shutdown(server_.get(), SHUT_RDWR);  // ends the server's wait
  }

  OpenLoopClient client(std::uint64_t patience_ns = 10'000'000'000) const {
    return OpenLoopClient::create(
               client_.get(),
               {.message_bytes = kBytes, .period_ns = kPeriod_ns, .patience_ns = patience_ns})
        .value();
  }

  std::jthread server_thread_;
};

TEST_F(OpenLoop, RequestsDoNotLeaveBeforeTheirTimes) {
  serve([](const auto& requests) { return std::vector<Message>{requests.back()}; });
  OpenLoopClient asking = client();
  Histogram latency;
  const std::uint64_t start = now_ns();
  const Result<std::uint64_t> sum_ns = asking.run(50, latency);
  EXPECT_GE(now_ns() - start, 50 * kPeriod_ns);
  ASSERT_THAT(sum_ns, IsOk());
  EXPECT_EQ(asking.counts(), (EchoCounts{.sent = 50, .answered = 50}));
  EXPECT_EQ(latency.count(), 50u);
  EXPECT_EQ(latency.mean_ns(), static_cast<double>(*sum_ns) / 50);
}

// The server answers nothing until it has them all, so the i-th of n waits for at least n - i
// periods: whoever counted from when the client got round to sending would see none of it.
TEST_F(OpenLoop, StallIsBlamedForEveryRequestThatCameDueMeanwhile) {
  constexpr std::uint64_t kRequests = 20;
  serve([](const auto& requests) {
    return requests.size() == kRequests ? requests : std::vector<Message>();
  });
  OpenLoopClient asking = client();
  Histogram latency;
  const Result<std::uint64_t> sum_ns = asking.run(kRequests, latency);
  EXPECT_THAT(sum_ns, IsOkAndHolds(::testing::Ge(kPeriod_ns * kRequests * (kRequests - 1) / 2)));
  EXPECT_THAT(latency.max_ns(), Optional(::testing::Ge(kPeriod_ns * (kRequests - 1))));
}

TEST_F(OpenLoop, CountsWhatIsLostAndWhatComesTwice) {
  serve([](const auto& requests) {
    return requests.size() == 3 ? std::vector<Message>()
                                : std::vector<Message>{requests.back(), requests.back()};
  });
  OpenLoopClient asking = client(300'000'000);
  Histogram latency;
  ASSERT_THAT(asking.run(10, latency), IsOk());
  EXPECT_EQ(asking.counts().sent, 10u);
  EXPECT_EQ(asking.counts().answered, 9u);
  EXPECT_EQ(asking.counts().lost(), 1u);
  EXPECT_EQ(asking.counts().duplicates, 9u);
}

TEST_F(OpenLoop, RefusesAReplyToWhatWasNeverAsked) {
  serve([](const auto&) { return std::vector<Message>{message(1000)}; });
  OpenLoopClient asking = client();
  Histogram latency;
  EXPECT_THAT(asking.run(10, latency),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("sequence number 1000")));
}

TEST_F(OpenLoop, NothingIsNotSentAndKeepsTheTimes) {
  OpenLoopClient asking = client();
  const std::uint64_t start = now_ns();
  EXPECT_THAT(asking.run_nothing(20), IsOk());
  EXPECT_GE(now_ns() - start, 20 * kPeriod_ns);
  std::byte byte;
  EXPECT_EQ(::recv(server_.get(), &byte, 1, MSG_DONTWAIT), -1);
}

}  // namespace
}  // namespace bpfmark
