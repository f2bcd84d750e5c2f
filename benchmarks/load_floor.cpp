// SPDX-License-Identifier: BSD-2-Clause
// Measures:         what the load generators cost by themselves: an operation that does nothing
//                   through their io_uring, a datagram sent to where it is dropped, their pair of
//                   clock readings.
// Timed region:     a batch between two readings of the user-space clock, one submission an
//                   operation.
// Floor:            nop and clock_pair: the loop alone; black_hole: nop, so that net is what the
//                   stack, the devices and the dropping program take.
// Does not measure: batched submissions, which the clients of echo_* do not make.
#include <fmt/format.h>

#include <array>

#include "benchmarks/echo_lab.h"
#include "benchmarks/echo_path.h"
#include "benchmarks/families.h"
#include "harness/clock.h"
#include "harness/ring.h"

namespace bpfmark {
namespace {

constexpr std::size_t kPayloadBytes = 13;
constexpr std::uint64_t kPatience_ns = 1'000'000'000;

// `ops` times `operate`, between two readings of the clock.
template <class Operate>
Result<Batch> timed(std::uint64_t ops, Operate operate) {
  const std::uint64_t start = now_ns();
  for (std::uint64_t i = 0; i < ops; ++i) {
    if (Result<void> done = operate(); !done) return std::unexpected(done.error());
  }
  const auto elapsed_ns = static_cast<double>(now_ns() - start);
  return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
}

Result<void> do_nothing() {
  asm volatile("" ::: "memory");
  return {};
}

// Submits what is prepared and takes its result, which must be `expected`.
Result<void> complete_one(const Ring& ring, Wait wait, int expected) {
  if (Result<void> done = ring.submit(1, wait, kPatience_ns); !done) return done;
  const Ring::Completion completion = ring.take();
  if (completion.result == expected) return {};
  if (completion.result < 0) return system_error(-completion.result, "an operation of a ring");
  return wrong_result(
      fmt::format("an operation gave {} instead of {}", completion.result, expected));
}

Result<void> submit_nop(const Ring& ring, Wait wait) {
  io_uring_prep_nop(ring.next_entry());
  return complete_one(ring, wait, 0);
}

class ClockPairLoad : public PairedLoad {
 public:
  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (arm == Arm::kFloor) return timed(ops, do_nothing);
    std::uint64_t pairs = 0;
    const Result<Batch> batch = timed(ops, [&]() -> Result<void> {
      const std::uint64_t first = now_ns();
      pairs += now_ns() >= first;
      return {};
    });
    if (pairs != ops) return wrong_result("CLOCK_MONOTONIC ran backwards");
    return batch;
  }
};

class NopLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(Wait wait) {
    Result<Ring> ring = Ring::create(1);
    if (!ring) return std::unexpected(ring.error());
    return std::unique_ptr<PairedLoad>(new NopLoad(std::move(*ring), wait));
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (arm == Arm::kFloor) return timed(ops, do_nothing);
    return timed(ops, [this] { return submit_nop(ring_, wait_); });
  }

 private:
  NopLoad(Ring ring, Wait wait) : ring_(std::move(ring)), wait_(wait) {}

  Ring ring_;
  Wait wait_;
};

class BlackHoleLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(Wait wait) {
    Result<EchoLab> made = EchoLab::create(Protocol::kUdp);
    if (!made) return std::unexpected(made.error());
    auto lab = std::make_unique<EchoLab>(std::move(*made));
    Result<std::unique_ptr<Echo>> hole = start_black_hole(*lab);
    if (!hole) return std::unexpected(hole.error());
    Result<EchoMessages> messages = EchoMessages::of_size(kPayloadBytes);
    if (!messages) return std::unexpected(messages.error());
    Result<Ring> ring = Ring::create(1);
    if (!ring) return std::unexpected(ring.error());
    return std::unique_ptr<PairedLoad>(new BlackHoleLoad(
        std::move(lab), std::move(*hole), std::move(*messages), std::move(*ring), wait));
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (arm == Arm::kFloor) return timed(ops, [this] { return submit_nop(ring_, wait_); });
    const std::uint64_t before = swallowed();
    const Result<Batch> batch = timed(ops, [this] {
      const std::vector<std::byte>& message = messages_.next();
      io_uring_prep_send(ring_.next_entry(), lab_->client.get(), message.data(), message.size(), 0);
      return complete_one(ring_, wait_, static_cast<int>(message.size()));
    });
    if (!batch) return batch;
    if (const std::uint64_t now = swallowed() - before; now != ops) {
      return wrong_result(fmt::format("the black hole swallowed {} of {} datagrams", now, ops));
    }
    if (Result<void> nothing = lab_->check_server_saw_nothing(); !nothing) {
      return std::unexpected(nothing.error());
    }
    return batch;
  }

  Result<void> finish(Findings& findings) override {
    report_devices(lab_->options, findings);
    return {};
  }

 private:
  BlackHoleLoad(std::unique_ptr<EchoLab> lab, std::unique_ptr<Echo> hole, EchoMessages messages,
                Ring ring, Wait wait)
      : lab_(std::move(lab)),
        hole_(std::move(hole)),
        messages_(std::move(messages)),
        ring_(std::move(ring)),
        wait_(wait) {}

  std::uint64_t swallowed() const { return hole_->seen().hook.value_or(0); }

  std::unique_ptr<EchoLab> lab_;
  std::unique_ptr<Echo> hole_;
  EchoMessages messages_;
  Ring ring_;
  Wait wait_;
};

struct Operation {
  const char* name;
  const char* what;
  const char* floor;
  std::vector<std::string> needs;
  Result<std::unique_ptr<PairedLoad>> (*load)(Wait wait);
};

}  // namespace

void register_load_floor(Registry& registry) {
  static const std::array kOperations = {
      Operation{"nop",
                "an operation that does nothing, through the clients' io_uring,",
                "the loop without it",
                {"io_uring"},
                NopLoad::create},
      Operation{"black_hole",
                "a datagram of 13 bytes to where a program drops it",
                "an operation that does nothing",
                {"io_uring", "echo_tc_clsact"},
                BlackHoleLoad::create}};
  registry.add({.name = "load_floor/op:clock_pair",
                .question = "What do two readings of the clients' clock cost?",
                .floor = "the loop without them",
                .needs = {},
                .suite = Suite::kFull,
                .plan = {.ops_per_batch = 1024, .rounds = 60, .loads = 12},
                .load = []() -> Result<std::unique_ptr<PairedLoad>> {
                  return std::make_unique<ClockPairLoad>();
                }});
  for (const Operation& operation : kOperations) {
    for (const Wait wait : {Wait::kBlocking, Wait::kBusy}) {
      registry.add({.name = fmt::format("load_floor/op:{}/wakeup:{}", operation.name,
                                        wait == Wait::kBusy ? "busy" : "blocking"),
                    .question = fmt::format("What does {} cost, {}?", operation.what,
                                            wait == Wait::kBusy ? "polling" : "waiting asleep"),
                    .floor = operation.floor,
                    .needs = operation.needs,
                    .suite = wait == Wait::kBlocking ? Suite::kDefault : Suite::kFull,
                    .plan = {.ops_per_batch = 128, .rounds = 40, .loads = 12},
                    .load = [&operation, wait] { return operation.load(wait); }});
    }
  }
}

}  // namespace bpfmark
