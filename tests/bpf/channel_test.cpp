// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "bpf/shared/channel.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_variable.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

constexpr const char* kVariables = "channel_.bss";

// A route in turns: of one producer, or of two.
std::string in_turns(const std::string& by, unsigned bytes, unsigned producers = 1) {
  return "channel/by:" + by + "/wakeup:none/bytes:" + std::to_string(bytes) +
         "/producers:" + std::to_string(producers) + "/cpu:same";
}

std::string split(const char* by, const char* wakeup) {
  return std::string("channel/by:") + by + "/wakeup:" + wakeup + "/bytes:64/producers:1/cpu:split";
}

class Channel : public LoadedCase {
 protected:
  // Of a loaded case; the first two of its batches were good.
  struct Producer {
    OwnVariable variable{kVariables, "producers"};

    auto* get() const { return reinterpret_cast<bpfmark_channel_producer*>(variable.get()); }
  };

  std::uint64_t batch() const { return case_->plan.ops_per_batch; }
};

TEST_F(Channel, EveryRecordIsDeliveredInTurns) {
  for (const std::string by : {"ringbuf", "perfbuf", "array", "mmap", "arena", "af_xdp"}) {
    for (const unsigned producers : {1u, 2u}) {
      if (by == "af_xdp" && producers == 2) continue;
      SCOPED_TRACE(in_turns(by, 64, producers));
      ASSERT_NO_FATAL_FAILURE(load(in_turns(by, 64, producers)));
      if (IsSkipped()) return;
      Findings findings;
      ASSERT_THAT(load_->finish(findings), IsOk());
      EXPECT_EQ(findings.counters["delivered"], static_cast<double>(batch()));
      EXPECT_EQ(findings.counters["lost"], 0);
      EXPECT_EQ(findings.histogram("latency").count(), batch() / BPFMARK_CHANNEL_TIMED_EVERY);
    }
  }
}

TEST_F(Channel, EveryRecordIsDeliveredOrLostWithAConsumerBeside) {
  for (const std::string& name :
       {split("ringbuf", "default"), split("ringbuf", "forced"), split("ringbuf", "batched"),
        split("ringbuf", "none"), split("perfbuf", "default"), split("perfbuf", "none"),
        split("array", "none"), split("mmap", "none"), split("arena", "none"),
        split("af_xdp", "default"), split("af_xdp", "none")}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    Findings findings;
    ASSERT_THAT(load_->finish(findings), IsOk());
    EXPECT_GE(findings.counters["delivered"], BPFMARK_CHANNEL_SLOTS);
    EXPECT_EQ(findings.counters["delivered"] + findings.counters["lost"],
              static_cast<double>(batch()));
    EXPECT_GT(findings.counters["consumer_cpu_ns"], 0);
    EXPECT_GT(findings.counters["producer_ns"], 0);
  }
}

TEST_F(Channel, LoadsAddUpAndTheirMeansDoNot) {
  ASSERT_NO_FATAL_FAILURE(load(in_turns("ringbuf", 64)));
  if (IsSkipped()) return;
  Findings once, twice;
  ASSERT_THAT(load_->finish(once), IsOk());
  ASSERT_THAT(load_->finish(twice), IsOk());
  ASSERT_THAT(load_->finish(twice), IsOk());
  EXPECT_EQ(twice.counters["delivered"], 2 * once.counters["delivered"]);
  for (const char* const mean : {"producer_ns", "consumer_cpu_ns"}) {
    EXPECT_DOUBLE_EQ(twice.counters[mean], once.counters[mean]) << mean;
  }
}

// --- a consumer that falls behind

std::atomic<bool> held = false;
std::atomic<int> holding = 0;

void hold(int) {
  ++holding;
  while (held) ::usleep(100);
  --holding;
}

// Keeps all threads of this process but the caller's from running while it lives.
class HeldThreads {
 public:
  HeldThreads() {
    struct sigaction action = {};
    action.sa_handler = hold;
    ::sigaction(SIGUSR1, &action, nullptr);
    held = true;
    std::vector<int> others;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      const int tid = std::stoi(task.path().filename());
      if (tid != ::gettid() && signal_to(tid, SIGUSR1)) others.push_back(tid);
    }
    // One that was joined just before is still listed for a moment, and will not come.
    while (holding != std::ranges::count_if(others, [](int tid) { return signal_to(tid, 0); })) {
      ::usleep(100);
    }
  }
  ~HeldThreads() {
    held = false;
    while (holding != 0) ::usleep(100);
  }

 private:
  // False if there is no such thread any more.
  static bool signal_to(int tid, int signal) {
    return ::syscall(SYS_tgkill, ::getpid(), tid, signal) == 0;
  }
};

TEST_F(Channel, ConsumerThatFallsBehindLosesRecordsAndTheyAreCounted) {
  for (const std::string& name :
       {split("ringbuf", "default"), split("perfbuf", "default"), split("mmap", "none"),
        split("arena", "none"), split("array", "none"), split("af_xdp", "default")}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    load_->start();
    {
      const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
        const HeldThreads all;
        return TestRunFault::real(prog_fd, options);
      });
      ASSERT_THAT(run(Arm::kSubject), IsOk());
    }
    Findings findings;
    ASSERT_THAT(load_->finish(findings), IsOk());
    // What had room before the consumer ran, and no more.
    const double delivered = findings.counters["delivered"];
    EXPECT_GE(delivered, BPFMARK_CHANNEL_SLOTS - 1);
    EXPECT_LE(delivered, 2 * BPFMARK_CHANNEL_SLOTS);
    EXPECT_EQ(findings.counters["lost"], static_cast<double>(batch()) - delivered);
  }
}

// --- wrong worlds

TEST_F(Channel, DamagedRecordIsRefused) {
  for (const char* const by : {"ringbuf", "perfbuf", "array", "mmap", "arena", "af_xdp"}) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load(in_turns(by, 64)));
    if (IsSkipped()) return;
    const OwnVariable source(kVariables, "source");
    ASSERT_NE(source.get(), nullptr);
    source.get()[7] ^= 1;  // the last word
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("records were damaged")));
    source.get()[7] ^= 1;
    EXPECT_THAT(run(Arm::kSubject), IsOk());
  }
}

TEST_F(Channel, RecordOutOfOrderIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load(in_turns("mmap", 8)));
  if (IsSkipped()) return;
  const Producer producer;
  ASSERT_NE(producer.get(), nullptr);
  ASSERT_THAT(run(Arm::kSubject), IsOk());  // the floor has used numbers that nobody received
  producer.get()->sequence -= 10;
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("1 of 4096 records were out of order")));
}

TEST_F(Channel, RecordsThatWereNotSentAreMissed) {
  for (const std::string& name :
       {in_turns("ringbuf", 64, 1), in_turns("ringbuf", 64, 2), in_turns("af_xdp", 64)}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    const TestRunFault fault(pretend_to_run);
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 records were sent instead of 512")));
    EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("0 records were sent instead of 4096")));
  }
}

// The program tries one record less than it says.
int run_one_short(int prog_fd, bpf_test_run_opts* options) {
  const OwnVariable variable(kVariables, "producers");
  auto* const producer = reinterpret_cast<bpfmark_channel_producer*>(variable.get());
  if (options->repeat > 0) {
    --options->repeat;  // of frames there is one a run
  } else {
    --producer->ops;
  }
  const int err = TestRunFault::real(prog_fd, options);
  ++producer->sequence;
  return err;
}

TEST_F(Channel, RecordThatGotLostUnnoticedIsMissed) {
  for (const char* const by : {"ringbuf", "perfbuf", "array", "mmap", "arena", "af_xdp"}) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load(in_turns(by, 64)));
    if (IsSkipped()) return;
    const TestRunFault fault(run_one_short);
    EXPECT_THAT(run(Arm::kSubject),
                refused(HasSubstr("511 records arrived and 0 were lost instead of 512")));
  }
}

// The kernel stops between two frames when a signal waits.
int run_half(int prog_fd, bpf_test_run_opts* options) {
  if (options->repeat < 100) return TestRunFault::real(prog_fd, options);
  options->repeat /= 2;
  const int err = TestRunFault::real(prog_fd, options);
  return err == 0 ? -EINTR : err;
}

TEST_F(Channel, SignalAmongFramesLosesNone) {
  ASSERT_NO_FATAL_FAILURE(load(in_turns("af_xdp", 64)));
  if (IsSkipped()) return;
  load_->start();
  {
    const TestRunFault fault(run_half);
    ASSERT_THAT(run(Arm::kSubject), IsOk());
  }
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["delivered"], static_cast<double>(batch()));
}

TEST_F(Channel, LostRecordIsCountedAndShown) {
  ASSERT_NO_FATAL_FAILURE(load(in_turns("ringbuf", 64)));
  if (IsSkipped()) return;
  load_->start();
  {
    int calls = 0;
    const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
      if (++calls != 3) return TestRunFault::real(prog_fd, options);
      const int err = run_one_short(prog_fd, options);
      ++Producer().get()->lost;
      return err;
    });
    ASSERT_THAT(run(Arm::kSubject), IsOk());
  }
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["lost"], 1);
  EXPECT_EQ(findings.counters["delivered"], static_cast<double>(batch() - 1));
}

TEST_F(Channel, SecondProducerThatFailsEndsTheBatchWithItsError) {
  ASSERT_NO_FATAL_FAILURE(load(in_turns("mmap", 64, 2)));
  if (IsSkipped()) return;
  const TestRunFault fault([own = ::gettid()](int prog_fd, bpf_test_run_opts* options) {
    return ::gettid() == own ? TestRunFault::real(prog_fd, options) : -ENOMEM;
  });
  EXPECT_THAT(run(Arm::kSubject), ErrorIs(ErrorKind::kSystem, HasSubstr("Cannot allocate")));
}

}  // namespace
}  // namespace bpfmark
