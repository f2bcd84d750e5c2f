// SPDX-License-Identifier: BSD-2-Clause
// Round trips through every hook with exact counts, and worlds in which the count, the hook or the
// server is wrong.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>

#include "benchmarks/echo_load.h"
#include "fixtures/attachment.h"
#include "harness/pinned_thread.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_variable.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string case_name(const std::string& protocol, std::string_view hook) {
  return "echo_rtt/proto:" + protocol + "/hook:" + std::string(hook) +
         "/payload:13/think_us:0/wakeup:blocking/cpu:same";
}

// --- the registered cases

class EchoAt : public LoadedCase,
               public ::testing::WithParamInterface<std::tuple<const char*, std::string_view>> {};

TEST_P(EchoAt, EveryRequestIsAnsweredThereAndCounted) {
  const auto& [protocol, hook] = GetParam();
  ASSERT_NO_FATAL_FAILURE(load(case_name(protocol, hook)));
  if (IsSkipped()) return;
  const std::uint64_t batch = case_->plan.ops_per_batch;
  load_->start();
  ASSERT_THAT(run(Arm::kSubject), IsOk());
  ASSERT_THAT(run(Arm::kFloor), IsOk());
  if (const OwnVariable counts("echo_bpf.bss", "counts"); hook != "socket") {
    ASSERT_NE(counts.get(), nullptr);
    EXPECT_GE(*counts.get(), 2 * batch);
  }
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.histogram("round_trip").count(), batch);
  EXPECT_EQ(findings.counters["requests"], static_cast<double>(2 * batch));
  for (const char* const none : {"lost", "timeouts", "duplicates", "offloads"}) {
    EXPECT_EQ(findings.counters[none], 0) << none;
  }
}

std::vector<std::string_view> hook_names() {
  std::vector<std::string_view> names;
  for (const EchoHook& hook : echo_hooks()) names.push_back(hook.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Hooks, EchoAt,
                         ::testing::Combine(::testing::Values("udp", "tcp"),
                                            ::testing::ValuesIn(hook_names())),
                         [](const auto& each) {
                           return std::string(std::get<0>(each.param)) + "_" +
                                  std::string(std::get<1>(each.param));
                         });

TEST(EchoHooks, AreFoundByTheirNames) {
  for (const EchoHook& hook : echo_hooks()) EXPECT_EQ(find_echo_hook(hook.name), &hook);
  EXPECT_EQ(find_echo_hook("no such hook"), nullptr);
}

TEST(EchoOpenLoop, EveryRequestIsAnswered) {
  const Case* const c =
      find_case("echo_open_loop/proto:udp/hook:tcx/payload:13/rate_kps:100/cpu:same");
  ASSERT_NE(c, nullptr);
  const auto load = load_case(*c);
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  (*load)->start();
  ASSERT_THAT((*load)->run(Arm::kSubject, 100), IsOk());
  Findings findings;
  ASSERT_THAT((*load)->finish(findings), IsOk());
  EXPECT_EQ(findings.histogram("latency").count(), 100u);
  EXPECT_EQ(findings.counters["lost"], 0);
}

// --- wrong worlds, made of a hook that is not what it says

// Answers by a true hook, and says what the test wants it to say.
class AlteredEcho : public Echo {
 public:
  using Alter = std::function<EchoSightings(EchoSightings)>;

  AlteredEcho(std::unique_ptr<Echo> inner, Alter alter, Attachment more = {})
      : more_(std::move(more)), inner_(std::move(inner)), alter_(std::move(alter)) {}

  EchoSightings seen() const override { return alter_(inner_->seen()); }

 private:
  Attachment more_;
  std::unique_ptr<Echo> inner_;
  Alter alter_;
};

// Answers nothing.
class SilentEcho : public Echo {
 public:
  EchoSightings seen() const override { return {.hook = 0}; }
};

// Answers by what the test does with a request.
class OddServer : public Echo {
 public:
  using Replies = std::function<std::vector<std::string>(const std::string&)>;

  static Result<std::unique_ptr<Echo>> start(const EchoLab& lab, Replies replies) {
    auto server = std::make_unique<OddServer>();
    server->fd_ = lab.server.get();
    server->thread_ = std::jthread([self = server.get(), replies = std::move(replies)] {
      std::array<char, 2048> buffer;
      for (ssize_t bytes = 0; (bytes = ::recv(self->fd_, buffer.data(), buffer.size(), 0)) > 0;) {
        ++self->seen_;
        for (const std::string& reply : replies({buffer.data(), static_cast<std::size_t>(bytes)})) {
          ::send(self->fd_, reply.data(), reply.size(), MSG_NOSIGNAL);
        }
      }
    });
    return server;
  }
  ~OddServer() override { ::shutdown(fd_, SHUT_RDWR); }

  EchoSightings seen() const override { return {.server = seen_.load()}; }

 private:
  int fd_ = -1;
  std::atomic<std::uint64_t> seen_ = 0;
  std::jthread thread_;
};

using Started = Result<std::unique_ptr<Echo>>;

// For replies that never come.
constexpr std::uint64_t kShort_ns = 5'000'000;

class EchoFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto met = Capabilities::instance().check({"io_uring", "echo_tcx"}); !met) {
      BPFMARK_SKIP_OR_FAIL(met.error());
    }
    (void)registered_cases();
  }

  // 200 round trips with what `start` starts in the place of a hook.
  static Result<Batch> run(Started (*start)(const EchoLab&, const EchoPlace&),
                           std::uint64_t patience_ns = 10'000'000'000) {
    const EchoHook hook{.name = "planted",
                        .what = "a fault",
                        .answers = EchoHook::Answers::kInSend,
                        .netkit = false,
                        .first_kernel = "",
                        .config = "",
                        .start = start};
    const auto load = ClosedLoopLoad::create({.hook = &hook, .message_bytes = 13},
                                             {.message_bytes = 13, .patience_ns = patience_ns});
    if (!load) return std::unexpected(load.error());
    Result<Batch> batch = (*load)->run(Arm::kSubject, 200);
    if (!batch) return batch;
    Findings findings;
    if (Result<void> done = (*load)->finish(findings); !done) return std::unexpected(done.error());
    return batch;
  }

  static Started start_tcx(const EchoLab& lab, const EchoPlace& place) {
    return find_echo_hook("tcx")->start(lab, place);
  }
};

TEST_F(EchoFaults, AnUnalteredHookIsAccepted) { EXPECT_THAT(run(start_tcx), IsOk()); }

TEST_F(EchoFaults, RefusesAHookThatCountedOtherThanWhatWasAsked) {
  for (const auto& [plan, start] :
       {std::pair{"one more",
                  +[](const EchoLab& lab, const EchoPlace& place) -> Started {
                    auto inner = start_tcx(lab, place);
                    if (!inner) return inner;
                    return std::make_unique<AlteredEcho>(std::move(*inner),
                                                         [calls = 0](EchoSightings seen) mutable {
                                                           if (++calls > 1) ++*seen.hook;
                                                           return seen;
                                                         });
                  }},
        std::pair{"one less", +[](const EchoLab& lab, const EchoPlace& place) -> Started {
                    auto inner = start_tcx(lab, place);
                    if (!inner) return inner;
                    return std::make_unique<AlteredEcho>(std::move(*inner),
                                                         [calls = 0](EchoSightings seen) mutable {
                                                           if (++calls > 1) --*seen.hook;
                                                           return seen;
                                                         });
                  }}}) {
    EXPECT_THAT(run(start),
                refused(AllOf(HasSubstr("the client sent 200"), HasSubstr("the hook saw"))))
        << plan;
  }
}

TEST_F(EchoFaults, RefusesAServerThatAnswersInThePlaceOfTheHook) {
  EXPECT_THAT(run([](const EchoLab& lab, const EchoPlace& /*place*/) -> Started {
                auto inner = OddServer::start(lab, [](const std::string& request) {
                  return std::vector<std::string>{request};
                });
                if (!inner) return inner;
                return std::make_unique<AlteredEcho>(
                    std::move(*inner), [](EchoSightings) { return EchoSightings{.hook = 0}; });
              }),
              refused(AllOf(HasSubstr("the client sent 200"), HasSubstr("the hook saw 0"))));
}

TEST_F(EchoFaults, SilenceEndsSoonAndSaysHowFarTheRequestsCame) {
  EXPECT_THAT(
      run([](const EchoLab&,
             const EchoPlace&) -> Started { return std::make_unique<SilentEcho>(); },
          kShort_ns),
      refused(AllOf(HasSubstr("planted: more than 0.1 %"),
                    HasSubstr("the client sent 3 and received 0"), HasSubstr("the hook saw 0"),
                    HasSubstr("a message reached the server's socket"))));
}

// Some five in a hundred, on the way from the client; never none of 200.
TEST_F(EchoFaults, RefusesMoreThanAThousandthLost) {
  EXPECT_THAT(
      run(
          [](const EchoLab& lab, const EchoPlace& place) -> Started {
            auto inner = start_tcx(lab, place);
            if (!inner) return inner;
            const bpf_insn code[] = {
                {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_prandom_u32},
                {.code = BPF_ALU | BPF_MOD | BPF_K, .dst_reg = BPF_REG_0, .imm = 20},
                {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2, .imm = 7},
                {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},  // TCX_NEXT
                {.code = BPF_JMP | BPF_EXIT},
                {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2},  // TCX_DROP
                {.code = BPF_JMP | BPF_EXIT}};
            const UniqueFd dropper(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "dropper", "Dual BSD/GPL",
                                                 code, std::size(code), nullptr));
            if (!dropper) return system_error(errno, "load the dropper");
            UniqueFd link;
            const Result<void> attached = lab.client_end->net_ns.run([&]() -> Result<void> {
              link = UniqueFd(
                  bpf_link_create(dropper.get(), lab.client_end->ifindex, BPF_TCX_EGRESS, nullptr));
              return link ? Result<void>() : system_error(errno, "attach the dropper");
            });
            if (!attached) return std::unexpected(attached.error());
            return std::make_unique<AlteredEcho>(
                std::move(*inner), [](EchoSightings seen) { return seen; },
                Attachment(std::move(link)));
          },
          kShort_ns),
      refused(AllOf(HasSubstr("more than 0.1 %"), HasSubstr("the hook saw"))));
}

TEST_F(EchoFaults, RefusesAServerThatAnswersTwice) {
  EXPECT_THAT(run([](const EchoLab& lab, const EchoPlace& /*place*/) -> Started {
                return OddServer::start(lab, [](const std::string& request) {
                  return std::vector<std::string>{request, request};
                });
              }),
              refused(HasSubstr("replies came twice")));
}

TEST_F(EchoFaults, RefusesAServerThatAltersTheSequenceNumber) {
  EXPECT_THAT(run([](const EchoLab& lab, const EchoPlace& /*place*/) -> Started {
                return OddServer::start(lab, [](std::string request) {
                  ++request[4];
                  return std::vector<std::string>{request};
                });
              }),
              refused(HasSubstr("a reply has sequence number 2 after request 1")));
}

// --- the clients' own floors

TEST(LoadFloor, BlackHoleRefusesACountThatIsNotThatOfTheSender) {
  const Case* const c = find_case("load_floor/op:black_hole/wakeup:blocking");
  ASSERT_NE(c, nullptr);
  const auto load = load_case(*c);
  if (!load) BPFMARK_SKIP_OR_FAIL(load.error());
  ASSERT_THAT((*load)->run(Arm::kSubject, 64), IsOk());
  const OwnVariable counts("echo_bpf.bss", "counts");
  ASSERT_NE(counts.get(), nullptr);
  std::atomic<bool> over = false;
  std::jthread meddler([&] {
    while (!over) std::atomic_ref(*counts.get()) += 1000;
  });
  // Long enough for the other thread to run, on one CPU as well.
  const Result<Batch> batch = (*load)->run(Arm::kSubject, 100'000);
  over = true;
  EXPECT_THAT(batch, refused(HasSubstr("the black hole swallowed")));
}

}  // namespace
}  // namespace bpfmark
