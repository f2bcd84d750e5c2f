// SPDX-License-Identifier: BSD-2-Clause
// Measures:         how long an event is on its way: from bpf_ktime_get_ns() in the program that
//                   produces it to a reading of the same clock with the record in the consumer's
//                   hand; for the user ring buffer the other way round.
// Timed region:     the sum over a batch of these latencies, one program run an event. Closed loop:
//                   the next event (or the next nth_N of them) only after the last arrived, and
//                   where the consumer sleeps, once it is asleep again.
// Floor:            the same time stamp through a word of shared memory that the consumer polls, on
//                   the same CPU or from the other one.
// Does not measure: how many events a second a channel carries; the latency under load.
#include <fmt/format.h>
#include <time.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "benchmarks/record_consumer.h"
#include "bpf/shared/event_latency.h"
#include "bpf/shared/histogram.h"
#include "event_latency.skel.h"
#include "fixtures/record_reader.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/guards.h"
#include "harness/histogram.h"
#include "harness/pinned_thread.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using EventSkeleton = Skeleton<event_latency_bpf>;
using ProgramSlot = bpf_program* decltype(event_latency_bpf::progs)::*;

// How long an event that was not lost may take before the batch is given up.
constexpr std::uint64_t kPatience_ns = 10'000'000'000;
// From an arrival to the next event, so that a consumer that sleeps is asleep again.
constexpr std::uint64_t kPause_ns = 10'000;

struct WakeUp {
  const char* name;
  const char* what;
  std::uint32_t every;        // events from one wake-up to the next
  std::uint64_t wake_flags;   // of a ring buffer, for that one
  std::uint64_t quiet_flags;  // and for the others
  bool polled;                // the consumer never sleeps
};

constexpr WakeUp kEach{"each", "a wake-up each event", 1, 0, 0, false};
constexpr WakeUp kNth{
    "nth_16", "a wake-up every 16th event", 16, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, false};
constexpr WakeUp kForced{"forced", "a forced wake-up each event", 1, BPF_RB_FORCE_WAKEUP, 0, false};
constexpr WakeUp kBusyPoll{"busy_poll",      "a consumer that polls", 1,
                           BPF_RB_NO_WAKEUP, BPF_RB_NO_WAKEUP,        true};

struct Channel {
  const char* name;
  const char* what;
  const char* first_kernel;
  ProgramSlot subject;  // runs once an event, or once a drain
  ProgramSlot floor;
};

constexpr Channel kRingbuf{"ringbuf", "a ring buffer", "5.10",
                           &decltype(event_latency_bpf::progs)::event_ringbuf,
                           &decltype(event_latency_bpf::progs)::event_slot};
constexpr Channel kPerfbuf{"perfbuf", "a perf buffer", "5.10",
                           &decltype(event_latency_bpf::progs)::event_perfbuf,
                           &decltype(event_latency_bpf::progs)::event_slot};
constexpr Channel kUserRingbuf{"user_ringbuf", "a user ring buffer", "6.1",
                               &decltype(event_latency_bpf::progs)::event_drain,
                               &decltype(event_latency_bpf::progs)::event_look};

// One registered case.
struct Route {
  const Channel* channel;
  const WakeUp* wake_up;
  bool split;  // the consumer is on another CPU
  Suite suite = Suite::kFull;
};

// Only a ring buffer can be told to wake up its reader; a user ring buffer is drained by a program
// that user space starts.
constexpr Route kRoutes[] = {
    {&kRingbuf, &kEach, false},        {&kRingbuf, &kEach, true, Suite::kDefault},
    {&kRingbuf, &kNth, false},         {&kRingbuf, &kNth, true},
    {&kRingbuf, &kForced, false},      {&kRingbuf, &kForced, true},
    {&kRingbuf, &kBusyPoll, false},    {&kRingbuf, &kBusyPoll, true, Suite::kDefault},
    {&kPerfbuf, &kEach, false},        {&kPerfbuf, &kEach, true},
    {&kPerfbuf, &kNth, false},         {&kPerfbuf, &kNth, true},
    {&kPerfbuf, &kBusyPoll, false},    {&kPerfbuf, &kBusyPoll, true},
    {&kUserRingbuf, &kEach, false},    {&kUserRingbuf, &kNth, false},
    {&kUserRingbuf, &kBusyPoll, true},
};

// Nothing wakes up the reader of a user ring buffer.
bool sleeps(const Route& route) { return !route.wake_up->polled && route.channel != &kUserRingbuf; }

// Words that another thread, or the other side of the kernel boundary, reads or writes.
std::uint64_t shared(__u64& word) {
  return std::atomic_ref<__u64>(word).load(std::memory_order_acquire);
}
void add(__u64& word, std::uint64_t amount) {
  std::atomic_ref<__u64>(word).fetch_add(amount, std::memory_order_release);
}

// What both ends of a channel have counted so far.
struct Ends {
  std::uint64_t produced = 0;
  std::uint64_t lost = 0;
  std::uint64_t received = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t latency_ns = 0;
};

// The closed loop, whatever the channel and its direction.
class EventLoad : public PairedLoad {
 public:
  // Starts the consumer that the arm wants, if it is not there yet.
  Result<void> prepare(Arm arm) override {
    if (arm_ == arm) return {};
    end_consumer();
    const bool blocks = sleeps_in(arm);
    arm_ = arm;
    if (!route_.split && !blocks) return {};
    const int cpu = route_.split ? other_cpu_ : sched_getcpu();
    Result<std::unique_ptr<PinnedThread>> started =
        PinnedThread::start(cpu, [this, arm, blocks](const PinnedThread& consumer) -> Result<void> {
          return blocks ? receive_on_wake_up(consumer) : receive_in_loop(arm, consumer);
        });
    if (!started) {
      arm_.reset();
      return std::unexpected(started.error());
    }
    consumer_ = std::move(*started);
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
    const std::uint64_t every = arm == Arm::kSubject ? route_.wake_up->every : 1;
    const Ends before = ends();
    for (std::uint64_t i = 1; i <= ops; ++i) {
      if (Result<void> done = produce(arm); !done) return std::unexpected(done.error());
      if (i % every != 0) continue;
      if (Result<void> arrived = await(arm, before, i); !arrived) {
        return std::unexpected(arrived.error());
      }
    }
    const Ends after = ends();
    const std::uint64_t received = after.received - before.received;
    const std::uint64_t lost = after.lost - before.lost;
    if (received + lost != ops) {
      return wrong_result(
          fmt::format("{} events arrived and {} were lost instead of {}", received, lost, ops));
    }
    if (after.out_of_order != before.out_of_order) {
      return wrong_result(fmt::format("{} of {} events were out of order, or from the future",
                                      after.out_of_order - before.out_of_order, ops));
    }
    if (received == 0) return wrong_result("all events were lost");
    const double mean_ns =
        static_cast<double>(after.latency_ns - before.latency_ns) / static_cast<double>(received);
    const double elapsed_ns = mean_ns * static_cast<double>(ops);
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    end_consumer();
    findings.counters["lost"] += static_cast<double>(ends().lost);
    add_latency(findings.histogram("latency"));
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_pair(bpf_program__fd(skeleton_->progs.*route_.channel->subject),
                         bpf_program__fd(skeleton_->progs.*route_.channel->floor));
  }

 protected:
  EventLoad(EventSkeleton skeleton, const Route& route, int other_cpu)
      : skeleton_(std::move(skeleton)), route_(route), other_cpu_(other_cpu) {}

  virtual Result<void> produce(Arm arm) = 0;
  // Takes what is there, without waiting.
  virtual Result<void> receive(Arm arm) = 0;
  virtual Result<void> receive_on_wake_up(const PinnedThread& consumer) = 0;
  virtual Ends ends() = 0;
  // Of the subject.
  virtual void add_latency(Histogram& sum) const = 0;

  // The consumer uses members of the derived class: its destructor must end it.
  void end_consumer() {
    consumer_.reset();
    arm_.reset();
  }

  TestRun program(ProgramSlot slot) {
    return {bpf_program__fd(skeleton_->progs.*slot), find_program_type("raw_tp")->input()};
  }

  static Result<void> run_once(const TestRun& program) {
    TestRunOutcome outcome;
    if (const int err = program.call(0, outcome); err != 0) {
      return system_error(-err, "BPF_PROG_TEST_RUN");
    }
    return {};
  }

  EventSkeleton skeleton_;
  const Route& route_;

 private:
  bool sleeps_in(Arm arm) const { return arm == Arm::kSubject && sleeps(route_); }

  Result<void> receive_in_loop(Arm arm, const PinnedThread& consumer) {
    while (!consumer.stopping()) {
      if (Result<void> done = receive(arm); !done) return done;
    }
    return {};
  }

  // Until all `count` events since `before` have arrived or are known to be lost.
  Result<void> await(Arm arm, const Ends& before, std::uint64_t count) {
    if (const std::uint64_t produced = ends().produced - before.produced; produced != count) {
      return wrong_result(fmt::format("{} events were produced instead of {}", produced, count));
    }
    const bool blocks = sleeps_in(arm);
    if (!consumer_) {
      if (Result<void> done = receive(arm); !done) return done;
    }
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (true) {
      // The consumer that shares the CPU runs while this thread sleeps, until it sleeps again.
      if (blocks && !route_.split) pause();
      const Ends now = ends();
      const std::uint64_t accounted = now.received - before.received + now.lost - before.lost;
      if (accounted >= count) break;
      if (consumer_ && consumer_->failure()) return std::unexpected(*consumer_->failure());
      if (!consumer_ || now_ns() > deadline_ns) {
        return wrong_result(fmt::format("{} events arrived instead of {}", accounted, count));
      }
    }
    if (blocks && route_.split) {
      for (const std::uint64_t start = now_ns(); now_ns() - start < kPause_ns;) continue;
    }
    return {};
  }

  static void pause() {
    const timespec duration{.tv_sec = 0, .tv_nsec = kPause_ns};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, nullptr);
  }

  int other_cpu_;
  std::optional<Arm> arm_;  // whose consumer is there
  std::unique_ptr<PinnedThread> consumer_;
};

// From a program to user space.
class KernelEventLoad : public EventLoad {
 public:
  KernelEventLoad(EventSkeleton skeleton, const Route& route, int other_cpu)
      : EventLoad(std::move(skeleton), route, other_cpu),
        subject_(program(route.channel->subject)),
        floor_(program(route.channel->floor)) {}

  ~KernelEventLoad() override { end_consumer(); }

  Result<void> open() {
    const auto taker = [this](const void* record, std::size_t bytes) {
      bpfmark_event event{};
      if (bytes >= sizeof(event)) std::memcpy(&event, record, sizeof(event));
      take(event, true);
    };
    Result<std::unique_ptr<RecordReader>> reader =
        route_.channel == &kRingbuf
            ? RecordReader::of_ring_buffer(bpf_map__fd(skeleton_->maps.ring), taker)
            : RecordReader::of_perf_buffer(
                  bpf_map__fd(skeleton_->maps.perf_array),
                  {.cpus = {sched_getcpu()},
                   .wake_every = route_.wake_up->polled ? kNeverWake : route_.wake_up->every},
                  taker);
    if (!reader) return std::unexpected(reader.error());
    reader_ = std::move(*reader);
    return {};
  }

 protected:
  Result<void> produce(Arm arm) override {
    return run_once(arm == Arm::kSubject ? subject_ : floor_);
  }

  Result<void> receive(Arm arm) override {
    if (arm == Arm::kSubject) return reader_->consume();
    const std::uint64_t sequence = shared(skeleton_->bss->slot.sequence);
    if (sequence > counts_.last_sequence) {
      take({.sequence = sequence, .time_ns = skeleton_->bss->slot.time_ns}, false);
    }
    return {};
  }

  Result<void> receive_on_wake_up(const PinnedThread& consumer) override {
    return consume_on_wake_up(*reader_, consumer);
  }

  Ends ends() override {
    return {.produced = shared(skeleton_->bss->produced),
            .lost = shared(skeleton_->bss->lost),
            .received = shared(counts_.received),
            .out_of_order = shared(counts_.out_of_order),
            .latency_ns = shared(counts_.latency_ns)};
  }

  void add_latency(Histogram& sum) const override { sum.merge(latency_); }

 private:
  void take(const bpfmark_event& event, bool keep) {
    const std::uint64_t now = now_ns();
    if (event.sequence <= counts_.last_sequence || event.time_ns > now) {
      add(counts_.out_of_order, 1);
    } else {
      add(counts_.latency_ns, now - event.time_ns);
      if (keep) latency_.record(now - event.time_ns);
    }
    counts_.last_sequence = event.sequence;
    add(counts_.received, 1);
  }

  TestRun subject_;
  TestRun floor_;
  std::unique_ptr<RecordReader> reader_;
  bpfmark_event_counts counts_{};
  Histogram latency_;
};

// From user space to a program, which a test-run starts.
class UserEventLoad : public EventLoad {
 public:
  UserEventLoad(EventSkeleton skeleton, const Route& route, int other_cpu)
      : EventLoad(std::move(skeleton), route, other_cpu),
        subject_(program(route.channel->subject)),
        floor_(program(route.channel->floor)) {}

  ~UserEventLoad() override { end_consumer(); }

  Result<void> open() {
    ring_.reset(user_ring_buffer__new(bpf_map__fd(skeleton_->maps.user_ring), nullptr));
    if (!ring_) return system_error(errno, "open the user ring buffer");
    return {};
  }

 protected:
  Result<void> produce(Arm arm) override {
    const std::uint64_t sequence = ++produced_;
    bpfmark_event& slot = skeleton_->bss->slot;
    if (arm == Arm::kFloor) {
      slot.time_ns = now_ns();
      std::atomic_ref<__u64>(slot.sequence).store(sequence, std::memory_order_release);
      return {};
    }
    auto* const event =
        static_cast<bpfmark_event*>(user_ring_buffer__reserve(ring_.get(), sizeof(bpfmark_event)));
    if (event == nullptr) {
      if (errno != ENOSPC) return system_error(errno, "reserve a record");
      ++lost_;
      return {};
    }
    event->sequence = sequence;
    event->time_ns = now_ns();
    user_ring_buffer__submit(ring_.get(), event);
    return {};
  }

  Result<void> receive(Arm arm) override {
    return run_once(arm == Arm::kSubject ? subject_ : floor_);
  }

  Result<void> receive_on_wake_up(const PinnedThread& /*consumer*/) override {
    return wrong_result("nothing wakes up the reader of a user ring buffer");
  }

  Ends ends() override {
    bpfmark_event_counts& drained = skeleton_->bss->drained;
    return {.produced = produced_,
            .lost = lost_,
            .received = shared(drained.received),
            .out_of_order = shared(drained.out_of_order),
            .latency_ns = shared(drained.latency_ns)};
  }

  void add_latency(Histogram& sum) const override { sum.merge(skeleton_->bss->drained_ns); }

 private:
  struct Free {
    void operator()(user_ring_buffer* ring) const { user_ring_buffer__free(ring); }
  };
  TestRun subject_;
  TestRun floor_;
  std::unique_ptr<user_ring_buffer, Free> ring_;
  std::uint64_t produced_ = 0;
  std::uint64_t lost_ = 0;
};

template <class Load>
Result<std::unique_ptr<PairedLoad>> opened(EventSkeleton skeleton, const Route& route,
                                           int other_cpu) {
  auto load = std::make_unique<Load>(std::move(skeleton), route, other_cpu);
  if (Result<void> open = load->open(); !open) return std::unexpected(open.error());
  return load;
}

// `cpus` are those that the process was allowed before it pinned itself.
Result<std::unique_ptr<PairedLoad>> load_route(const Route& route, const std::vector<int>& cpus) {
  auto skeleton = EventSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  skeleton->select(
      {(*skeleton)->progs.*route.channel->subject, (*skeleton)->progs.*route.channel->floor});
  (*skeleton)->rodata->wake_every = route.wake_up->every;
  (*skeleton)->rodata->wake_flags = route.wake_up->wake_flags;
  (*skeleton)->rodata->quiet_flags = route.wake_up->quiet_flags;
  const std::pair<const Channel*, bpf_map*> maps[] = {
      {&kRingbuf, (*skeleton)->maps.ring},
      {&kPerfbuf, (*skeleton)->maps.perf_array},
      {&kUserRingbuf, (*skeleton)->maps.user_ring},
  };
  for (const auto& [channel, map] : maps) {
    bpf_map__set_autocreate(map, channel == route.channel);
  }
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  return route.channel == &kUserRingbuf
             ? opened<UserEventLoad>(std::move(*skeleton), route, other_cpu(cpus))
             : opened<KernelEventLoad>(std::move(*skeleton), route, other_cpu(cpus));
}

ProbeResult probe_channel(const Channel& channel) {
  const Route route = {&channel, &kEach, false};
  const auto load = load_route(route, {});
  return classify(load ? Result<void>() : std::unexpected(load.error()), channel.first_kernel,
                  "CONFIG_BPF_SYSCALL");
}

ProbeResult probe_two_cpus(std::size_t cpus) {
  if (cpus > 1) return {Support::kSupported, "", ""};
  return {Support::kAbsent, "this process may use one CPU only",
          "needs a second CPU, or a wider affinity"};
}

}  // namespace

void register_event_latency(Registry& registry, Capabilities& capabilities) {
  const std::vector<int> cpus = allowed_cpus();
  capabilities.add({"two_cpus", "a thread on a CPU beside that of the measurement",
                    [count = cpus.size()] { return probe_two_cpus(count); }});
  for (const Channel* const channel : {&kRingbuf, &kPerfbuf, &kUserRingbuf}) {
    capabilities.add({fmt::format("channel_{}", channel->name),
                      fmt::format("load the programs and open both ends of {}", channel->what),
                      [channel] { return probe_channel(*channel); }});
  }
  for (const Route& route : kRoutes) {
    std::vector<std::string> needs = {"test_run_raw_tp",
                                      fmt::format("channel_{}", route.channel->name), "jit"};
    if (route.split) needs.push_back("two_cpus");
    registry.add(
        {.name = fmt::format("event_latency/channel:{}/wakeup:{}/cpu:{}", route.channel->name,
                             route.wake_up->name, route.split ? "split" : "same"),
         .question = fmt::format("How long is an event on its way through {} with {} on {} CPU "
                                 "(closed loop)?",
                                 route.channel->what, route.wake_up->what,
                                 route.split ? "another" : "the same"),
         .floor = "the same time stamp through polled shared memory",
         .needs = std::move(needs),
         .suite = route.suite,
         .plan = {.ops_per_batch = 32,
                  .rounds = 20,
                  .loads = 12,
                  .waits = sleeps(route) && !route.split},
         .load = [&route, cpus] { return load_route(route, cpus); }});
  }
}

}  // namespace bpfmark
