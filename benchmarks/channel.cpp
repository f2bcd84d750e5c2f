// SPDX-License-Identifier: BSD-2-Clause
// Measures:         records in a row through each channel from a program to user space: what one
//                   costs that is delivered, what the program pays, what the consumer pays, how
//                   many are lost, how long they wait.
// Timed region:     user-space clock from the start of the producers until the last record was
//                   taken; divided by the records that were delivered, not by those that were sent.
//                   cpu:split: one run of the producer, and the consumer at the same time on
//                   another CPU. cpu:same: in turns of 512 records, first the producers (the second
//                   one on another CPU), then the consumer in the thread of the first.
//                   af_xdp: a run of the producer for each record, which is a frame of its own.
// Floor:            the same programs put the same records together and send them nowhere.
// Does not measure: what the consumer does with a record but add up its words and look at its
//                   number; one event alone (event_latency does).
#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "benchmarks/channel_frames.h"
#include "benchmarks/channel_receiver.h"
#include "benchmarks/families.h"
#include "benchmarks/record_consumer.h"
#include "benchmarks/slot_reader.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/channel.h"
#include "channel.skel.h"
#include "fixtures/mapping.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/guards.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using ChannelSkeleton = Skeleton<channel_bpf>;
using ProgramSlot = bpf_program* decltype(channel_bpf::progs)::*;
using MapSlot = bpf_map* decltype(channel_bpf::maps)::*;

// Of all producers; half of the slots, so that nothing gets lost where they take turns.
constexpr std::uint64_t kTurn = BPFMARK_CHANNEL_SLOTS / 2;
// How long a record that was not lost may take before the batch is given up.
constexpr std::uint64_t kPatience_ns = 10'000'000'000;

struct WakeUp {
  const char* name;
  const char* what;
  std::uint64_t submit_flags;  // of a record in the ring buffer
  bool batched;                // a wake-up once a quarter of the ring waits to be read
  bool polled;                 // the consumer never sleeps
};

constexpr WakeUp kDefault{"default", "the kernel's own wake-ups", 0, false, false};
constexpr WakeUp kForced{"forced", "a wake-up for each record", BPF_RB_FORCE_WAKEUP, false, false};
constexpr WakeUp kBatched{"batched", "a wake-up once a quarter of it is full", 0, true, false};
constexpr WakeUp kNone{"none", "a consumer that polls", BPF_RB_NO_WAKEUP, false, true};

using Programs = decltype(channel_bpf::progs);
using Maps = decltype(channel_bpf::maps);

struct Channel {
  const char* name;
  const char* what;
  const char* first_kernel;
  ProgramSlot program;
  MapSlot map;
  ProgramSlot floor = &Programs::send_nothing;
  const char* config = "CONFIG_BPF_SYSCALL";
};

constexpr Channel kRingbuf{"ringbuf", "a ring buffer", "5.17", &Programs::send_ringbuf,
                           &Maps::ring};
constexpr Channel kPerfbuf{"perfbuf", "perf buffers", "5.17", &Programs::send_perfbuf,
                           &Maps::perf_array};
constexpr Channel kArray{"array", "an array that is read by system call", "5.17",
                         &Programs::send_slot, &Maps::slots};
constexpr Channel kMmap{"mmap", "a ring of our own in a mapped array", "5.17", &Programs::send_slot,
                        &Maps::slots};
constexpr Channel kArena{"arena", "a ring of our own in an arena", "6.10", &Programs::send_arena,
                         &Maps::arena};

constexpr Channel kAfXdp{"af_xdp",
                         "an AF_XDP socket in copy mode",
                         "5.18",
                         &Programs::send_frame,
                         &Maps::user_sockets,
                         &Programs::send_no_frame,
                         "CONFIG_XDP_SOCKETS"};

constexpr const Channel* kChannels[] = {&kRingbuf, &kPerfbuf, &kArray, &kMmap, &kArena, &kAfXdp};

// One registered case.
struct Route {
  const Channel* channel;
  const WakeUp* wake_up;
  std::uint32_t bytes;  // of a record, a multiple of 8
  unsigned producers;
  bool split;  // the consumer works at the same time, on another CPU
  Suite suite = Suite::kFull;
};

std::uint32_t ring_bytes(const Route& route) {
  return std::bit_ceil(BPFMARK_CHANNEL_SLOTS * (route.bytes + BPF_RINGBUF_HDR_SZ));
}

std::size_t perf_pages(const Route& route) {
  constexpr std::size_t kHeader_bytes = 16;  // with the size of the record, and rounded up
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return std::bit_ceil(BPFMARK_CHANNEL_SLOTS * (route.bytes + kHeader_bytes)) / page;
}

std::uint32_t slots_bytes(const Route& route) {
  return BPFMARK_CHANNEL_SLOTS * (route.bytes + static_cast<std::uint32_t>(sizeof(__u64)));
}

// --- the load

// What both ends have counted so far.
struct Ends {
  std::uint64_t tried = 0;
  std::uint64_t lost = 0;
  std::uint64_t producing_ns = 0;  // inside the programs
  std::uint64_t received = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t damaged = 0;
};

class ChannelLoad : public PairedLoad {
 public:
  ChannelLoad(ChannelSkeleton skeleton, const Route& route, int other)
      : skeleton_(std::move(skeleton)), route_(route), other_cpu_(other), receiver_(route.bytes) {}

  // After the load of the object.
  Result<void> open() {
    for (std::size_t word = 0; word < BPFMARK_CHANNEL_MAX_WORDS; ++word) {
      skeleton_->bss->source[word] = ChannelReceiver::source_word(word);
    }
    if (Result<void> opened = open_producers(); !opened) return opened;
    Result<std::unique_ptr<RecordReader>> reader = open_reader();
    if (!reader) return std::unexpected(reader.error());
    reader_ = std::move(*reader);
    if (route_.producers > 1) {
      Result<std::unique_ptr<PinnedThread>> started = PinnedThread::start(
          other_cpu_, [this](const PinnedThread& thread) { return send_when_told(thread); });
      if (!started) return std::unexpected(started.error());
      partner_ = std::move(*started);
    }
    return route_.split ? start_consumer() : Result<void>();
  }

  void start() override { totals_ = {}; }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (!frames_) return run_here(arm, ops);
    Result<Batch> batch;
    const Result<void> ran = frames_->inside([&]() -> Result<void> {
      batch = run_here(arm, ops);
      return {};
    });
    if (!ran) return std::unexpected(ran.error());
    return batch;
  }

  Result<void> finish(Findings& findings) override {
    auto& counters = findings.counters;
    const auto delivered = static_cast<double>(totals_.delivered);
    const auto lost = static_cast<double>(totals_.lost);
    const double delivered_before = counters["delivered"];
    const double tried_before = delivered_before + counters["lost"];
    // The mean over all loads, of what weighs as much as it counts.
    const auto add = [&](const char* name, double before, double sum_ns, double count) {
      if (before + count == 0) return;
      counters[name] = (counters[name] * before + sum_ns) / (before + count);
    };
    add("producer_ns", tried_before, static_cast<double>(totals_.producing_ns), delivered + lost);
    add("consumer_cpu_ns", delivered_before, static_cast<double>(totals_.consuming_ns), delivered);
    counters["delivered"] += delivered;
    counters["lost"] += lost;
    if (route_.bytes > 8) findings.histogram("latency").merge(receiver_.latency());
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_pair(program_fd(Arm::kSubject), program_fd(Arm::kFloor));
  }

 private:
  // Of the batches of the subject.
  struct Totals {
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;
    std::uint64_t producing_ns = 0;
    std::uint64_t consuming_ns = 0;
  };

  Result<Batch> run_here(Arm arm, std::uint64_t ops) {
    const Ends before = ends();
    const std::uint64_t consumer_before_ns = consumer_cpu_ns();
    const std::uint64_t start_ns = now_ns();
    const std::uint64_t turn = route_.split ? ops : std::min(ops, kTurn);
    for (std::uint64_t done = 0; done < ops; done += turn) {
      if (Result<void> sent = send(arm, turn); !sent) return std::unexpected(sent.error());
      if (arm == Arm::kFloor) continue;
      if (Result<void> arrived = receive(before, done + turn); !arrived) {
        return std::unexpected(arrived.error());
      }
    }
    const auto elapsed_ns = static_cast<double>(now_ns() - start_ns);
    const std::uint64_t consuming_ns = consumer_cpu_ns() - consumer_before_ns;
    const Ends after = ends();
    if (Result<void> right = check(arm, ops, before, after); !right) {
      return std::unexpected(right.error());
    }
    if (arm == Arm::kFloor) return Batch{elapsed_ns, elapsed_ns};
    const std::uint64_t received = after.received - before.received;
    totals_.delivered += received;
    totals_.lost += after.lost - before.lost;
    totals_.producing_ns += after.producing_ns - before.producing_ns;
    totals_.consuming_ns += consuming_ns;
    const double scaled_ns = elapsed_ns / static_cast<double>(received) * static_cast<double>(ops);
    return Batch{scaled_ns, scaled_ns};
  }

  const bpf_program* program(Arm arm) const {
    const Channel& channel = *route_.channel;
    return skeleton_->progs.*(arm == Arm::kSubject ? channel.program : channel.floor);
  }
  int program_fd(Arm arm) const { return bpf_program__fd(program(arm)); }

  Result<void> open_producers() {
    if (route_.channel == &kAfXdp) {
      Result<ChannelFrames> frames =
          ChannelFrames::create({program(Arm::kSubject), program(Arm::kFloor)},
                                bpf_map__fd(skeleton_->maps.*route_.channel->map), route_.bytes);
      if (!frames) return std::unexpected(frames.error());
      frames_.emplace(std::move(*frames));
      return {};
    }
    for (std::uint64_t producer = 0; producer < route_.producers; ++producer) {
      TestRunInput input;
      input.context.resize(sizeof(producer));
      std::memcpy(input.context.data(), &producer, sizeof(producer));
      subject_.emplace_back(program_fd(Arm::kSubject), input);
      floor_.emplace_back(program_fd(Arm::kFloor), input);
    }
    return {};
  }

  Result<std::unique_ptr<RecordReader>> open_reader() {
    const auto taker = [this](const void* record, std::size_t bytes) {
      receiver_.take(record, bytes);
    };
    const int map_fd = bpf_map__fd(skeleton_->maps.*route_.channel->map);
    bpfmark_channel_ends& places = skeleton_->bss->ends;
    if (frames_) return frames_->reader(taker);
    if (route_.channel == &kRingbuf) return RecordReader::of_ring_buffer(map_fd, taker);
    if (route_.channel == &kPerfbuf) {
      PerfBufferShape shape{.cpus = {::sched_getcpu()},
                            .pages = perf_pages(route_),
                            .wake_every = route_.wake_up->polled ? kNeverWake : 1};
      if (route_.producers > 1) shape.cpus.push_back(other_cpu_);
      return RecordReader::of_perf_buffer(map_fd, shape, taker);
    }
    if (route_.channel == &kArray) {
      return std::make_unique<LookupSlotReader>(map_fd, places, route_.bytes, taker);
    }
    if (route_.channel == &kMmap) {
      Result<Mapping> mapped = Mapping::of_descriptor(map_fd, slots_bytes(route_), PROT_READ);
      if (!mapped) return std::unexpected(mapped.error());
      slots_.emplace(std::move(*mapped));
      return std::make_unique<MappedSlotReader>(slots_->data(), places, route_.bytes, taker);
    }
    // libbpf has mapped the arena. A page comes into being when user space first touches it.
    std::size_t bytes = 0;
    auto* const arena =
        static_cast<std::byte*>(bpf_map__initial_value(skeleton_->maps.arena, &bytes));
    if (arena == nullptr) return wrong_result("the arena is not mapped");
    std::memset(arena, 0, slots_bytes(route_));
    skeleton_->bss->arena_slots = reinterpret_cast<std::uint64_t>(arena);
    return std::make_unique<MappedSlotReader>(arena, places, route_.bytes, taker);
  }

  Result<void> start_consumer() {
    Result<std::unique_ptr<PinnedThread>> started =
        PinnedThread::start(other_cpu_, [this](const PinnedThread& self) -> Result<void> {
          const int err = ::pthread_getcpuclockid(::pthread_self(), &consumer_clock_);
          clock_is_known_ = true;
          clock_is_known_.notify_one();
          if (err != 0) return system_error(err, "find the clock of a thread");
          if (!route_.wake_up->polled) return consume_on_wake_up(*reader_, self);
          while (!self.stopping()) {
            if (Result<void> done = reader_->consume(); !done) return done;
          }
          return {};
        });
    if (!started) return std::unexpected(started.error());
    clock_is_known_.wait(false);
    consumer_ = std::move(*started);
    return {};
  }

  // CPU time of the consumer so far.
  std::uint64_t consumer_cpu_ns() const {
    return consumer_ ? now_ns(consumer_clock_) : consumed_inline_ns_;
  }

  Ends ends() {
    Ends sum{.received = receiver_.received(),
             .out_of_order = receiver_.out_of_order(),
             .damaged = receiver_.damaged()};
    for (bpfmark_channel_producer& producer : skeleton_->bss->producers) {
      sum.tried += std::atomic_ref(producer.sequence).load();
      sum.lost += std::atomic_ref(producer.lost).load();
      sum.producing_ns += std::atomic_ref(producer.elapsed_ns).load();
    }
    return sum;
  }

  static Result<void> run_once(const TestRun& program) {
    TestRunOutcome outcome;
    if (const int err = program.call(0, outcome); err != 0) {
      return system_error(-err, "BPF_PROG_TEST_RUN");
    }
    return {};
  }

  const std::vector<TestRun>& programs_of(Arm arm) const {
    return arm == Arm::kSubject ? subject_ : floor_;
  }

  // All producers at once, each its share.
  Result<void> send(Arm arm, std::uint64_t ops) {
    if (frames_) return frames_->send(arm, ops, skeleton_->bss->producers[0]);
    for (unsigned producer = 0; producer < route_.producers; ++producer) {
      skeleton_->bss->producers[producer].ops = ops / route_.producers;
    }
    partners_arm_ = arm;
    const std::uint64_t turn = told_.load(std::memory_order_relaxed) + 1;
    told_.store(turn, std::memory_order_release);
    if (Result<void> sent = run_once(programs_of(arm)[0]); !sent) return sent;
    while (partner_ && sent_.load(std::memory_order_acquire) != turn) {
      if (partner_->failure()) return std::unexpected(*partner_->failure());
    }
    return {};
  }

  // The thread of the second producer.
  Result<void> send_when_told(const PinnedThread& thread) {
    std::uint64_t turn = 0;
    while (!thread.stopping()) {
      if (told_.load(std::memory_order_acquire) == turn) continue;
      if (Result<void> sent = run_once(programs_of(partners_arm_)[1]); !sent) return sent;
      sent_.store(++turn, std::memory_order_release);
    }
    return {};
  }

  // Until all records but the lost ones are there, of `count` since `before`.
  Result<void> receive(const Ends& before, std::uint64_t count) {
    if (const std::uint64_t tried = ends().tried - before.tried; tried != count) {
      return wrong_result(fmt::format("{} records were sent instead of {}", tried, count));
    }
    if (!consumer_) {
      const std::uint64_t start_ns = now_ns();
      if (Result<void> done = reader_->consume(); !done) return done;
      consumed_inline_ns_ += now_ns() - start_ns;
    }
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (true) {
      const Ends now = ends();
      const std::uint64_t received = now.received - before.received;
      const std::uint64_t lost = now.lost - before.lost;
      if (received + lost >= count) return {};
      if (consumer_ && consumer_->failure()) return std::unexpected(*consumer_->failure());
      if (!consumer_ || now_ns() > deadline_ns) {
        return wrong_result(fmt::format("{} records arrived and {} were lost instead of {}",
                                        received, lost, count));
      }
    }
  }

  static Result<void> check(Arm arm, std::uint64_t ops, const Ends& before, const Ends& after) {
    const std::uint64_t tried = after.tried - before.tried;
    const std::uint64_t received = after.received - before.received;
    const std::uint64_t lost = after.lost - before.lost;
    if (tried != ops) {
      return wrong_result(fmt::format("{} records were sent instead of {}", tried, ops));
    }
    if (received + lost != (arm == Arm::kSubject ? ops : 0)) {
      return wrong_result(fmt::format("{} records arrived and {} were lost of {}", received, lost,
                                      arm == Arm::kSubject ? ops : 0));
    }
    if (const std::uint64_t wrong = after.out_of_order - before.out_of_order; wrong != 0) {
      return wrong_result(fmt::format("{} of {} records were out of order", wrong, received));
    }
    if (const std::uint64_t wrong = after.damaged - before.damaged; wrong != 0) {
      return wrong_result(fmt::format("{} of {} records were damaged", wrong, received));
    }
    if (arm == Arm::kSubject && received == 0) return wrong_result("all records were lost");
    return {};
  }

  ChannelSkeleton skeleton_;
  Route route_;
  int other_cpu_;
  std::vector<TestRun> subject_;  // by producer
  std::vector<TestRun> floor_;
  ChannelReceiver receiver_;
  std::optional<Mapping> slots_;
  std::optional<ChannelFrames> frames_;
  std::unique_ptr<RecordReader> reader_;
  Totals totals_;
  std::uint64_t consumed_inline_ns_ = 0;
  // Told and answered by the number of the turn.
  Arm partners_arm_ = Arm::kFloor;
  std::atomic<std::uint64_t> told_ = 0;
  std::atomic<std::uint64_t> sent_ = 0;
  clockid_t consumer_clock_ = 0;
  std::atomic<bool> clock_is_known_ = false;
  // Last, for they use all of the above.
  std::unique_ptr<PinnedThread> partner_;
  std::unique_ptr<PinnedThread> consumer_;
};

// `cpus` are those that the process was allowed before it pinned itself.
Result<std::unique_ptr<PairedLoad>> load_route(const Route& route, const std::vector<int>& cpus) {
  auto skeleton = ChannelSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  channel_bpf& object = *skeleton->get();
  skeleton->select({object.progs.*route.channel->program, object.progs.*route.channel->floor});
  for (const MapSlot map :
       {&Maps::ring, &Maps::perf_array, &Maps::slots, &Maps::arena, &Maps::user_sockets}) {
    bpf_map__set_autocreate(object.maps.*map, map == route.channel->map);
  }
  object.rodata->payload_bytes = route.bytes;
  object.rodata->submit_flags = route.wake_up->submit_flags;
  object.rodata->wake_bytes = route.wake_up->batched ? ring_bytes(route) / 4 : 0;
  const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  bpf_map__set_max_entries(object.maps.ring, ring_bytes(route));
  bpf_map__set_value_size(object.maps.slots, slots_bytes(route) / BPFMARK_CHANNEL_SLOTS);
  bpf_map__set_map_flags(object.maps.slots, route.channel == &kMmap ? BPF_F_MMAPABLE : 0);
  bpf_map__set_max_entries(object.maps.arena, (slots_bytes(route) + page - 1) / page);
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  auto load = std::make_unique<ChannelLoad>(std::move(*skeleton), route, other_cpu(cpus));
  if (Result<void> opened = load->open(); !opened) return std::unexpected(opened.error());
  return load;
}

// A batch is several times what the channel holds. A wake-up for each record takes microseconds.
// Frames are sent by a thread in another namespace, for which the load waits.
Plan plan_of(const Route& route) {
  const bool wakes_each =
      route.channel == &kPerfbuf ? !route.wake_up->polled : route.wake_up == &kForced;
  return {.ops_per_batch = 4 * BPFMARK_CHANNEL_SLOTS,
          .rounds = wakes_each ? 3 : 8,
          .loads = wakes_each || route.channel == &kAfXdp ? 8 : 12,
          .waits = route.channel == &kAfXdp};
}

ProbeResult probe_channel(const Channel& channel) {
  const Route route = {&channel, &kNone, 16, 1, false};
  return probe_traffic([&route] { return load_route(route, {}); }, channel.first_kernel,
                       channel.config);
}

std::vector<Route> all_routes() {
  std::vector<Route> routes;
  const auto suite = [](std::uint32_t bytes) {
    return bytes == 64 ? Suite::kDefault : Suite::kFull;
  };
  for (const std::uint32_t bytes : {8u, 64u, 256u, 1496u}) {
    routes.push_back({&kRingbuf, &kDefault, bytes, 1, true, suite(bytes)});
    routes.push_back({&kPerfbuf, &kDefault, bytes, 1, true, suite(bytes)});
    routes.push_back({&kAfXdp, &kDefault, bytes, 1, true});
    for (const Channel* const channel : {&kRingbuf, &kArray, &kMmap, &kArena, &kAfXdp}) {
      const bool array = channel == &kArray || channel == &kMmap;
      routes.push_back({channel, &kNone, bytes, 1, true, array ? Suite::kFull : suite(bytes)});
    }
    for (const Channel* const channel : kChannels) {
      routes.push_back({channel, &kNone, bytes, 1, false});
    }
  }
  routes.push_back({&kRingbuf, &kForced, 64, 1, true});
  routes.push_back({&kRingbuf, &kBatched, 64, 1, true});
  routes.push_back({&kPerfbuf, &kNone, 64, 1, true});
  for (const Channel* const channel : {&kRingbuf, &kPerfbuf, &kArray, &kMmap, &kArena}) {
    routes.push_back({channel, &kNone, 64, 2, false});
  }
  return routes;
}

}  // namespace

void register_channel(Registry& registry, Capabilities& capabilities) {
  const std::vector<int> cpus = allowed_cpus();
  for (const Channel* const channel : kChannels) {
    capabilities.add({fmt::format("stream_{}", channel->name),
                      fmt::format("load the programs and pass a record through {}", channel->what),
                      [channel] { return probe_channel(*channel); }});
  }
  for (const Route& route : all_routes()) {
    std::vector<std::string> needs = {route.channel == &kAfXdp ? "test_run_xdp" : "test_run_raw_tp",
                                      fmt::format("stream_{}", route.channel->name), "jit"};
    if (route.split || route.producers > 1) needs.push_back("two_cpus");
    registry.add(
        {.name = fmt::format("channel/by:{}/wakeup:{}/bytes:{}/producers:{}/cpu:{}",
                             route.channel->name, route.wake_up->name, route.bytes, route.producers,
                             route.split ? "split" : "same"),
         .question = fmt::format("What does a record of {} bytes cost that is delivered through {} "
                                 "with {}, {} at a time, to {} CPU?",
                                 route.bytes, route.channel->what, route.wake_up->what,
                                 route.producers == 1 ? "one producer" : "two producers",
                                 route.split ? "another" : "the same"),
         .floor = "the same records, put together and sent nowhere",
         .needs = std::move(needs),
         .suite = route.suite,
         .plan = plan_of(route),
         .load = [route, cpus] { return load_route(route, cpus); }});
  }
}

}  // namespace bpfmark
