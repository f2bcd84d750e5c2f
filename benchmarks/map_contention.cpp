// SPDX-License-Identifier: BSD-2-Clause
// Measures:         an operation on a map while a second CPU does the same without pause, on the
//                   same key or on one of its own; beside it the same operation with nobody else.
// Timed region:     one batch inside a TC program, bpf_ktime_get_ns() around it. The other CPU is
// in
//                   its loop before the batch starts, and until after it has ended.
// Floor:            the loop without the operation, on as many CPUs.
// Does not measure: how long the other CPU has to wait; more than two CPUs.
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/map_contention.h"
#include "harness/clock.h"
#include "harness/guards.h"
#include "harness/pinned_thread.h"
#include "harness/program_type.h"
#include "map_contention.skel.h"

namespace bpfmark {
namespace {

using ContentionSkeleton = Skeleton<map_contention_bpf>;
using MapSlot = bpf_map* decltype(map_contention_bpf::maps)::*;
using Maps = decltype(map_contention_bpf::maps);

// How long the other CPU may take to get into its loop, or out of it, before the batch is given up.
constexpr std::uint64_t kPatience_ns = 10'000'000'000;

// What must be found in the map after a batch.
enum class Proof {
  kCount,      // of each operation one
  kLastValue,  // whose update was the last
  kGone,       // nothing
};

struct Way {
  const char* name;     // in the name of the case
  const char* program;  // without c_, f_, r_ and g_
  const char* what;
  const char* capability;
  MapSlot map;
  Proof proof;
  bool per_cpu = false;
};

constexpr Way kSpinLock{"spin_lock",
                        "spin_lock",
                        "incrementing a value under its bpf_spin_lock()",
                        "helper_spin_lock_pair",
                        &Maps::locked,
                        Proof::kCount};
constexpr Way kResilient{"res_spin_lock",
                         "res_spin_lock",
                         "incrementing a value under its bpf_res_spin_lock()",
                         "kfunc_res_spin_lock_pair",
                         &Maps::resilient,
                         Proof::kCount};
constexpr Way kAtomic{"atomic",    "atomic",    "incrementing a value by one instruction",
                      "map_array", &Maps::bare, Proof::kCount};
constexpr Way kPerCpu{
    "percpu",      "percpu", "incrementing this CPU's own value", "map_percpu_array", &Maps::percpu,
    Proof::kCount, true};
constexpr Way kUpdate{"hash_update", "hash_update", "updating an entry of a hash",
                      "map_hash",    &Maps::hash,   Proof::kLastValue};
constexpr Way kInsertDelete{
    "hash_insert_delete", "hash_insdel", "inserting and deleting an entry of a hash",
    "map_hash",           &Maps::hash,   Proof::kGone};

struct ContentionCase {
  const Way* way;
  bool same_key;
  int cpus;
  unsigned about_ns;
  Suite suite = Suite::kFull;
};

// Nobody can insert a key that the other has inserted.
constexpr ContentionCase kCases[] = {
    {&kSpinLock, true, 1, 20},
    {&kSpinLock, true, 2, 150, Suite::kDefault},
    {&kSpinLock, false, 2, 20},
    {&kResilient, true, 1, 30},
    {&kResilient, true, 2, 150},
    {&kResilient, false, 2, 30},
    {&kAtomic, true, 1, 8},
    {&kAtomic, true, 2, 40},
    {&kAtomic, false, 2, 8},
    {&kPerCpu, true, 1, 4},
    {&kPerCpu, true, 2, 4},
    {&kUpdate, true, 1, 60},
    {&kUpdate, true, 2, 300, Suite::kDefault},
    {&kUpdate, false, 2, 100},
    {&kInsertDelete, false, 1, 100},
    {&kInsertDelete, false, 2, 300},
};

std::string name_of(const ContentionCase& c) {
  return fmt::format("map_contention/by:{}/keys:{}/cpus:{}", c.way->name,
                     c.same_key ? "same" : "different", c.cpus);
}

// A word that another CPU writes or reads.
std::uint64_t shared(__u64& word) {
  return std::atomic_ref<__u64>(word).load(std::memory_order_acquire);
}

class ContentionLoad : public PairedLoad {
 public:
  ContentionLoad(ContentionSkeleton skeleton, const ContentionCase& c, int other_cpu)
      : skeleton_(std::move(skeleton)),
        case_(c),
        other_cpu_(other_cpu),
        subject_(arm_of("c_", "r_")),
        floor_(arm_of("f_", "g_")) {}

  ~ContentionLoad() override { tell_rival(true); }

  // The map as it was, and the rival in its loop.
  Result<void> prepare(Arm arm) override {
    if (ready_for_ == arm) return {};
    tell_rival(true);  // if it is still at work for the other arm
    rival_.reset();
    if (Result<void> done = reset_entries(); !done) return done;
    if (case_.cpus > 1) {
      if (Result<void> done = start_rival(sides(arm)); !done) return done;
    }
    ready_for_ = arm;
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> done = prepare(arm); !done) return std::unexpected(done.error());
    ready_for_.reset();
    const InKernelBatch& own = sides(arm).own;
    const Result<Batch> batch = own.run(ops, BPFMARK_OWN_MARK);
    if (case_.cpus > 1) {
      if (Result<void> done = halt_rival(); !done) return std::unexpected(done.error());
    }
    if (!batch) return batch;
    if (Result<void> right = check_counts(own.result(), {.hits = ops, .sum = ops}); !right) {
      return std::unexpected(right.error());
    }
    if (Result<void> right = check_map(arm, ops); !right) return std::unexpected(right.error());
    return batch;
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_pair(fd_of("c_"), fd_of("f_"));
  }

 private:
  struct Sides {
    InKernelBatch own;
    TestRun rival;
  };

  const Sides& sides(Arm arm) const { return arm == Arm::kSubject ? subject_ : floor_; }

  int fd_of(const std::string& prefix) const {
    return program_fd(skeleton_, prefix + case_.way->program);
  }

  Sides arm_of(const char* own, const char* rival) {
    const TestRunInput input = find_program_type("tc")->input();
    auto* const bss = skeleton_->bss;
    return {.own = {fd_of(own), input, bss->request, bss->result}, .rival = {fd_of(rival), input}};
  }

  int map_fd() const { return bpf_map__fd(skeleton_->maps.*case_.way->map); }
  std::uint32_t own_key() const { return 0; }
  std::uint32_t rival_key() const { return case_.same_key ? own_key() : 1; }

  // --- the other CPU

  void tell_rival(bool stop) {
    std::atomic_ref<__u64>(skeleton_->bss->rival.stop)
        .store(stop ? 1 : 0, std::memory_order_release);
  }

  Result<void> start_rival(const Sides& arm) {
    skeleton_->bss->rival = {};
    skeleton_->bss->rival.first = BPFMARK_RIVAL_MARK | rival_key();
    rival_left_ = false;
    Result<std::unique_ptr<PinnedThread>> started =
        PinnedThread::start(other_cpu_, [this, &arm](const PinnedThread&) {
          rival_outcome_ = keep_running(arm.rival);
          rival_left_.store(true, std::memory_order_release);
          return rival_outcome_;
        });
    if (!started) return std::unexpected(started.error());
    rival_ = std::move(*started);
    const Result<void> began = await("get into its loop", [this] {
      return shared(skeleton_->bss->rival.running) != 0 || rival_left();
    });
    return began && rival_left() ? rival_outcome_ : began;
  }

  // Until it is told to stop.
  Result<void> keep_running(const TestRun& program) {
    bpfmark_rival& rival = skeleton_->bss->rival;
    while (shared(rival.stop) == 0) {
      const Result<TestRunOutcome> run = program.run(0);
      if (!run) return std::unexpected(run.error());
      if (shared(rival.running) == 0) {
        return wrong_result("the other CPU did 0 operations instead of some");
      }
    }
    return {};
  }

  // Without going to sleep, which would make the batch a disturbed one.
  Result<void> halt_rival() {
    tell_rival(true);
    if (Result<void> left = await("leave its loop", [this] { return rival_left(); }); !left) {
      return left;
    }
    if (!rival_outcome_) return rival_outcome_;
    const bpfmark_rival& rival = skeleton_->bss->rival;
    if (rival.ops == 0) return wrong_result("the other CPU did 0 operations instead of some");
    if (rival.hits == rival.ops) return {};
    return wrong_result(fmt::format("{} hits in {} operations of the other CPU instead of {}",
                                    rival.hits, rival.ops, rival.ops));
  }

  bool rival_left() const { return rival_left_.load(std::memory_order_acquire); }

  template <class Condition>
  Result<void> await(const char* what, Condition condition) {
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    while (!condition()) {
      if (now_ns() < deadline_ns) continue;
      tell_rival(true);
      return wrong_result(
          fmt::format("the other CPU did not {} within {} s", what, kPatience_ns / 1'000'000'000));
    }
    return {};
  }

  // --- the map

  // Every CPU's copy of a value.
  std::vector<std::uint64_t> value_words() const {
    const auto bytes = bpf_map__value_size(skeleton_->maps.*case_.way->map);
    const auto copies =
        case_.way->per_cpu ? static_cast<std::size_t>(libbpf_num_possible_cpus()) : 1;
    return std::vector<std::uint64_t>(bytes / sizeof(std::uint64_t) * copies);
  }

  Result<void> reset_entries() const {
    if (case_.way->proof == Proof::kGone) return {};
    const std::vector<std::uint64_t> zeroes = value_words();
    for (const std::uint32_t key : {own_key(), rival_key()}) {
      if (const int err = bpf_map_update_elem(map_fd(), &key, zeroes.data(), BPF_ANY); err != 0) {
        return system_error(-err, "clear an entry");
      }
    }
    return {};
  }

  // The first word of a value, added up over its copies; nothing if there is no such entry.
  std::optional<std::uint64_t> found(std::uint32_t key) const {
    std::vector<std::uint64_t> value = value_words();
    if (bpf_map_lookup_elem(map_fd(), &key, value.data()) != 0) return std::nullopt;
    const std::size_t stride = bpf_map__value_size(skeleton_->maps.*case_.way->map) / sizeof(__u64);
    std::uint64_t sum = 0;
    for (std::size_t first = 0; first < value.size(); first += stride) sum += value[first];
    return sum;
  }

  Result<void> expect(std::uint32_t key, std::initializer_list<std::optional<std::uint64_t>> any) {
    const std::optional<std::uint64_t> word = found(key);
    if (std::ranges::find(any, word) != any.end()) return {};
    const auto text = [](const std::optional<std::uint64_t>& number) {
      return number ? std::to_string(*number) : std::string("nothing");
    };
    return wrong_result(fmt::format("the map holds {} instead of {} under key {}", text(word),
                                    text(*any.begin()), key));
  }

  Result<void> check_map(Arm arm, std::uint64_t ops) {
    const bool alone = case_.cpus == 1;
    const bool touched = arm == Arm::kSubject;
    const std::uint64_t rival_ops = alone ? 0 : skeleton_->bss->rival.ops;
    Result<void> own, other;
    switch (case_.way->proof) {
      case Proof::kCount:
        own = expect(own_key(), {touched ? ops + (case_.same_key ? rival_ops : 0) : 0});
        if (!case_.same_key) other = expect(rival_key(), {touched ? rival_ops : 0});
        break;
      case Proof::kLastValue: {
        const std::uint64_t by_us = touched ? BPFMARK_OWN_MARK : 0;
        const std::uint64_t by_rival = touched && !alone ? BPFMARK_RIVAL_MARK | rival_key() : 0;
        own = !alone && case_.same_key ? expect(own_key(), {by_us, by_rival})
                                       : expect(own_key(), {by_us});
        if (!case_.same_key) other = expect(rival_key(), {by_rival});
        break;
      }
      case Proof::kGone:
        own = expect(own_key(), {std::nullopt});
        other = expect(rival_key(), {std::nullopt});
        break;
    }
    return own ? other : own;
  }

  ContentionSkeleton skeleton_;
  const ContentionCase& case_;
  int other_cpu_;
  Sides subject_;
  Sides floor_;
  std::optional<Arm> ready_for_;
  Result<void> rival_outcome_;
  std::atomic<bool> rival_left_ = false;
  std::unique_ptr<PinnedThread> rival_;  // the last: it uses the others
};

// `cpus` are those that the process was allowed before it pinned itself.
Result<std::unique_ptr<PairedLoad>> load_contention(const ContentionCase& c,
                                                    const std::vector<int>& cpus) {
  const std::string program = c.way->program;
  Result<ContentionSkeleton> skeleton = open_programs<map_contention_bpf>(
      {"c_" + program, "f_" + program, "r_" + program, "g_" + program});
  if (!skeleton) return std::unexpected(skeleton.error());
  // A kernel may lack what the other maps hold.
  for (const Way* const other :
       {&kSpinLock, &kResilient, &kAtomic, &kPerCpu, &kUpdate, &kInsertDelete}) {
    bpf_map__set_autocreate((*skeleton)->maps.*other->map, other->map == c.way->map);
  }
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  int other_cpu = -1;
  for (const int cpu : cpus) {
    if (cpu != sched_getcpu()) other_cpu = cpu;
  }
  return std::make_unique<ContentionLoad>(std::move(*skeleton), c, other_cpu);
}

}  // namespace

void register_map_contention(Registry& registry) {
  const std::vector<int> cpus = allowed_cpus();
  for (const ContentionCase& c : kCases) {
    std::vector<std::string> needs = {"test_run_tc", "loop_bpf_loop", c.way->capability, "jit"};
    if (c.cpus > 1) needs.emplace_back("two_cpus");
    Plan plan = plan_for(c.about_ns);
    plan.rounds = 20;
    registry.add(
        {.name = name_of(c),
         .question = fmt::format("What does {} cost{}?", c.way->what,
                                 c.cpus == 1  ? " with nobody else"
                                 : c.same_key ? " while another CPU does the same to the same key"
                                              : " while another CPU does the same to another key"),
         .floor = c.cpus == 1 ? "the same loop without the operation"
                              : "the same loops on both CPUs without the operation",
         .needs = std::move(needs),
         .suite = c.suite,
         .plan = plan,
         .load = [&c, cpus] { return load_contention(c, cpus); }});
  }
}

}  // namespace bpfmark
