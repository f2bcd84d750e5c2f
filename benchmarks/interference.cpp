// SPDX-License-Identifier: BSD-2-Clause
// Measures:         the echo latency of a UDP flow (the victim) while another flow on the same
//                   queue (the aggressor) burns a number of steps a packet, in XDP or in user space
//                   (Figures 15, 16).
// Timed region:     from the send of a message to the receipt of its echo, client and server of the
//                   victim being one thread that polls; summed over a batch. Closed loop, with a
//                   pause between messages.
// Floor:            the same with the aggressor silent.
// Does not measure: wake-ups; queues that several CPUs share in hardware. The aggressor is on
//                   another CPU, and whichever CPU polls the device handles the packets of both.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/interference.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/guards.h"
#include "harness/histogram.h"
#include "harness/interrupt.h"
#include "harness/pinned_thread.h"
#include "harness/program_identity.h"
#include "interference.skel.h"

namespace bpfmark {
namespace {

using InterferenceSkeleton = Skeleton<interference_bpf>;

constexpr std::uint64_t kPeriod_ns = 10'000;  // of the aggressor: at most 100,000 packets a second
constexpr std::uint64_t kPause_ns = 10'000;   // between messages of the victim
constexpr std::uint64_t kPatience_ns = 10'000'000'000;

struct InterferenceCase {
  bool in_xdp;
  std::uint32_t steps;
};

void wait_until(std::uint64_t time_ns) {
  while (now_ns() < time_ns) continue;
}

// Sends packets in time, and serves those that get through to its server, while it is on.
class Aggressor {
 public:
  Aggressor(std::shared_ptr<const VethPair> pair, std::uint32_t steps)
      : pair_(std::move(pair)), steps_(steps) {}

  Result<void> start(int cpu) {
    Result<UniqueFd> server = traffic_server(*pair_);
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
    auto started = PinnedThread::start(
        cpu, [this](const PinnedThread& self) -> Result<void> { return work(self); });
    if (!started) return std::unexpected(started.error());
    thread_ = std::move(*started);
    return {};
  }

  // Returns once it is so.
  Result<void> set(bool on) {
    wanted_ = on;
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (on_ != on) {
      if (thread_->failure()) return std::unexpected(*thread_->failure());
      if (stop_signal() != 0) return interrupted();
      if (now_ns() > deadline_ns) return system_error(ETIMEDOUT, "wait for the other flow");
    }
    return {};
  }

  std::uint64_t sent() const { return sent_; }
  std::uint64_t served() const { return served_; }

 private:
  Result<void> work(const PinnedThread& self) {
    // Of this thread's own, for a ring of another thread would refuse it.
    auto source = raw_source(*pair_, {.order = {0}}, SendWay::kSendto);
    if (!source) return std::unexpected(source.error());
    while (!self.stopping()) {
      const std::uint64_t start = now_ns();
      if (wanted_) {
        const Result<Offered> offered = (*source)->offer(1);
        if (!offered) return std::unexpected(offered.error());
        sent_ += offered->packets - offered->refused;
      }
      if (Result<void> served = serve(); !served) return served;
      on_ = wanted_.load();
      wait_until(start + kPeriod_ns);
    }
    return {};
  }

  Result<void> serve() {
    const Result<Datagrams> datagrams = read_datagrams(server_.get());
    if (!datagrams) return std::unexpected(datagrams.error());
    for (std::uint64_t i = 0; i < datagrams->count; ++i) {
      std::uint64_t value = i | 1;
      for (std::uint32_t step = 0; step < steps_; ++step) {
        value = BPFMARK_STEP(value);
        asm volatile("" : "+r"(value));
      }
    }
    served_ += datagrams->count;
    return {};
  }

  std::shared_ptr<const VethPair> pair_;
  std::uint32_t steps_;
  UniqueFd server_;
  std::atomic<bool> wanted_ = false;
  std::atomic<bool> on_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> served_ = 0;
  std::unique_ptr<PinnedThread> thread_;
};

// Client and server of one flow, connected to each other; neither blocks.
class Victim {
 public:
  static Result<Victim> create(const VethPair& pair) {
    Victim victim;
    const sockaddr_in server = address_of(pair.dut.ipv4, BPFMARK_VICTIM_PORT);
    const sockaddr_in client = address_of(pair.client.ipv4, BPFMARK_VICTIM_PORT);
    const Result<void> served = open(pair.dut, server, client, victim.server_);
    if (!served) return std::unexpected(served.error());
    const Result<void> asked = open(pair.client, client, server, victim.client_);
    if (!asked) return std::unexpected(asked.error());
    return victim;
  }

  // One message there and back; what it took, in ns.
  Result<std::uint64_t> echo() {
    const std::uint64_t sequence = ++sequence_;
    const std::uint64_t start = now_ns();
    if (Result<void> there = pass(client_, server_, sequence, "request"); !there) {
      return std::unexpected(there.error());
    }
    if (Result<void> back = pass(server_, client_, sequence, "echo"); !back) {
      return std::unexpected(back.error());
    }
    return now_ns() - start;
  }

 private:
  Victim() = default;

  static sockaddr_in address_of(in_addr ip, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr = ip;
    address.sin_port = htons(port);
    return address;
  }

  static Result<void> open(const VethEnd& end, const sockaddr_in& own, const sockaddr_in& other,
                           UniqueFd& made) {
    return end.net_ns.run([&]() -> Result<void> {
      made = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!made) return system_error(errno, "make a socket");
      if (::bind(made.get(), reinterpret_cast<const sockaddr*>(&own), sizeof(own)) != 0 ||
          ::connect(made.get(), reinterpret_cast<const sockaddr*>(&other), sizeof(other)) != 0) {
        return system_error(errno, "bind and connect a socket in a namespace of our own");
      }
      return {};
    });
  }

  static Result<void> pass(const UniqueFd& from, const UniqueFd& to, std::uint64_t sequence,
                           const char* what) {
    if (::send(from.get(), &sequence, sizeof(sequence), 0) != sizeof(sequence)) {
      return system_error(errno, fmt::format("send the victim's {}", what));
    }
    std::uint64_t arrived = 0;
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (::recv(to.get(), &arrived, sizeof(arrived), 0) != sizeof(arrived)) {
      if (errno != EAGAIN && errno != EINTR) return system_error(errno, "receive a message");
      if (now_ns() > deadline_ns) {
        return wrong_result(fmt::format("the victim's {} {} did not arrive", what, sequence));
      }
    }
    if (arrived == sequence) return {};
    return wrong_result(
        fmt::format("the victim's {} {} came in the place of {}", what, arrived, sequence));
  }

  UniqueFd client_;
  UniqueFd server_;
  std::uint64_t sequence_ = 0;
};

class InterferenceLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const InterferenceCase& c, int other_cpu);

  Result<void> prepare(Arm arm) override {
    if (Result<void> done = aggressor_.set(arm == Arm::kSubject); !done) return done;
    return arm == Arm::kFloor ? settle() : Result<void>();
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
    const std::uint64_t before = seen();
    double elapsed_ns = 0;
    for (std::uint64_t i = 0; i < ops; ++i) {
      const Result<std::uint64_t> echo_ns = victim_.echo();
      if (!echo_ns) return std::unexpected(echo_ns.error());
      elapsed_ns += static_cast<double>(*echo_ns);
      if (arm == Arm::kSubject) echoes_.record(*echo_ns);
      wait_until(now_ns() + kPause_ns);
    }
    if (arm == Arm::kFloor && seen() != before) {
      return wrong_result("the other flow was not silent when it was to be");
    }
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    if (Result<void> silent = prepare(Arm::kFloor); !silent) return silent;
    const std::uint64_t sent = aggressor_.sent();
    if (sent == 0) return wrong_result("the other flow sent nothing");
    findings.counters["aggressor_packets"] += static_cast<double>(sent);
    findings.histogram("victim").merge(echoes_);
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_subject(bpf_program__fd(skeleton_->progs.interfere));
  }

 private:
  InterferenceLoad(const InterferenceCase& c, std::shared_ptr<const VethPair> pair,
                   InterferenceSkeleton skeleton, Victim victim)
      : case_(c),
        pair_(std::move(pair)),
        skeleton_(std::move(skeleton)),
        victim_(std::move(victim)),
        aggressor_(pair_, c.in_xdp ? 0 : c.steps) {}

  std::uint64_t seen() const { return shared_count(skeleton_->bss->seen); }

  // Until XDP has seen all that the silent aggressor sent, and burned it or let it through to be
  // served.
  Result<void> settle() const {
    const std::uint64_t sent = aggressor_.sent();
    const std::uint64_t served = case_.in_xdp ? 0 : sent;
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (seen() != sent || aggressor_.served() != served) {
      const bool too_many = seen() > sent || aggressor_.served() > served;
      if (!too_many && now_ns() < deadline_ns) continue;
      return wrong_result(
          fmt::format("of {} packets of the other flow XDP saw {}, and its server {} instead of {}",
                      sent, seen(), aggressor_.served(), served));
    }
    return {};
  }

  InterferenceCase case_;
  std::shared_ptr<const VethPair> pair_;
  InterferenceSkeleton skeleton_;
  Attachment attachment_;
  Victim victim_;
  Histogram echoes_;
  Aggressor aggressor_;  // ends first
};

Result<std::unique_ptr<PairedLoad>> InterferenceLoad::create(const InterferenceCase& c,
                                                             int other_cpu) {
  auto skeleton = InterferenceSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  (*skeleton)->rodata->steps = c.steps;
  (*skeleton)->rodata->burn_here = c.in_xdp ? 1 : 0;
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  Result<VethPair> made = VethPair::create();
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  Result<Victim> victim = Victim::create(*pair);
  if (!victim) return std::unexpected(victim.error());
  std::unique_ptr<InterferenceLoad> load(
      new InterferenceLoad(c, pair, std::move(*skeleton), std::move(*victim)));
  Result<Attachment> attached =
      attach_to_device(load->skeleton_->progs.interfere, DeviceHook::kXdpNative, pair->dut);
  if (!attached) return std::unexpected(attached.error());
  load->attachment_ = std::move(*attached);
  if (Result<void> started = load->aggressor_.start(other_cpu); !started) {
    return std::unexpected(started.error());
  }
  return load;
}

}  // namespace

void register_interference(Registry& registry) {
  // Those that the process was allowed before it pinned itself.
  const std::vector<int> cpus = allowed_cpus();
  for (const bool in_xdp : {true, false}) {
    for (const std::uint32_t steps : {0u, 100u, 1000u, 10000u}) {
      const InterferenceCase c = {in_xdp, steps};
      registry.add({.name = fmt::format("interference/aggressor:{}/steps:{}",
                                        in_xdp ? "xdp" : "user", steps),
                    .question = fmt::format(
                        "What does another flow on the queue cost an echo, if each of its "
                        "packets burns {} steps in {}?",
                        steps, in_xdp ? "XDP" : "user space"),
                    .floor = "the same echo while the other flow is silent",
                    .needs = {"two_cpus", "traffic_raw", "drop_xdp_native", "jit"},
                    .suite = steps == 1000 ? Suite::kDefault : Suite::kFull,
                    .plan = {.ops_per_batch = 32, .rounds = 12, .loads = 12},
                    .load = [c, cpus] {
                      return InterferenceLoad::create(
                          c, cpus.front() != sched_getcpu() ? cpus.front() : cpus.back());
                    }});
    }
  }
}

}  // namespace bpfmark
