// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one minor page fault: of anonymous memory, of a shared file in the page cache,
// of
//                   a transparent huge page; bare, and with a monitor at
//                   exceptions:page_fault_user.
// Timed region:     one write to each page of a range whose pages were given back, user-space
// clock. Floor:            bare: the same writes to pages that are present; with the monitor: the
// same
//                   faults with nothing attached.
// Does not measure: major faults; read faults of a file, which map the neighbouring pages as well.
//                   The monitor looks up what a printing one would print, and prints nothing.
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <memory>
#include <optional>

#include "benchmarks/families.h"
#include "benchmarks/foreign.h"
#include "bpf/shared/page_fault.h"
#include "fixtures/attachment.h"
#include "fixtures/foreign_programs.h"
#include "fixtures/kernel_tgid.h"
#include "fixtures/mapping.h"
#include "fixtures/perf_event.h"
#include "fixtures/skeleton.h"
#include "harness/clock.h"
#include "harness/program_identity.h"
#include "page_fault.skel.h"

namespace bpfmark {
namespace {

using FaultSkeleton = Skeleton<page_fault_bpf>;

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// Of a transparent huge page; 0 where there are none.
std::size_t huge_page_bytes() {
  std::ifstream file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
  std::size_t bytes = 0;
  file >> bytes;
  return bytes;
}

struct Kind {
  const char* name;
  const char* what;
  std::size_t (*unit_bytes)();
  std::uint64_t ops_per_batch;
};

constexpr Kind kAnon{"anon", "a page of anonymous memory", page_bytes, 256};
constexpr Kind kFile{"file", "a page of a shared file in the page cache", page_bytes, 256};
constexpr Kind kHuge{"huge", "a transparent huge page", huge_page_bytes, 4};

const HookPoint kPoint = {.category = "exceptions", .event = "page_fault_user"};

// Every count of the faults of this thread.
struct FaultCounts {
  std::uint64_t usage = 0;      // getrusage(2)
  std::uint64_t event = 0;      // PERF_COUNT_SW_PAGE_FAULTS_MIN
  std::uint64_t probe = 0;      // the monitor, if there is one
  std::uint64_t addresses = 0;  // their sum, as the monitor saw them
};

class FaultLoad : public PairedLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const Kind& kind, bool probed);

  // A range that holds the largest batch.
  static Result<Mapping> map(const Kind& kind, std::uint64_t units) {
    const std::size_t unit = kind.unit_bytes();
    Result<Mapping> memory = &kind == &kFile ? Mapping::memory_file(units * unit)
                                             : Mapping::anonymous(units * unit, unit);
    if (!memory) return memory;
    const int advice = &kind == &kHuge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
    if (Result<void> done = memory->advise(advice); !done) {
      // A kernel without huge pages knows neither word, and gives none.
      if (&kind == &kHuge || done.error().errnum != EINVAL) return std::unexpected(done.error());
    }
    return memory;
  }

  Result<void> prepare(Arm arm) override {
    if (arm == Arm::kFloor) attachment_ = Attachment();
    if (arm == Arm::kFloor || !skeleton_ || attachment_) return {};
    Result<Attachment> attached =
        attach((*skeleton_)->progs.note_fault, *find_attach_type("tp"), kPoint);
    if (!attached) return std::unexpected(attached.error());
    attachment_ = std::move(*attached);
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    if (Result<void> ready = prepare(arm); !ready) return std::unexpected(ready.error());
    const bool faults = skeleton_ || arm == Arm::kSubject;
    if (ops * unit_bytes_ > memory_.size()) {
      return wrong_result(fmt::format("{} pages do not fit into the range", ops));
    }
    if (!faults) {
      touch(ops);
    } else if (Result<void> given_back = memory_.advise(MADV_DONTNEED); !given_back) {
      return std::unexpected(given_back.error());
    }
    const Result<FaultCounts> before = counts();
    if (!before) return std::unexpected(before.error());
    const std::uint64_t start = now_ns();
    touch(ops);
    const auto elapsed_ns = static_cast<double>(now_ns() - start);
    const Result<FaultCounts> after = counts();
    if (!after) return std::unexpected(after.error());
    if (Result<void> right = check(arm, ops, faults ? ops : 0, *before, *after); !right) {
      return std::unexpected(right.error());
    }
    if (Result<void> whole = check_whole(ops); !whole) return std::unexpected(whole.error());
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    findings.counters["page_bytes"] = static_cast<double>(unit_bytes_);
    if (!skeleton_) {
      return add_foreign_programs(foreign_programs(*find_attach_type("raw_tp"), kPoint, 0),
                                  findings);
    }
    // While ours is attached, for to ask is to open the tracepoint once more, and the last to close
    // it waits long.
    if (Result<void> ready = prepare(Arm::kSubject); !ready) return ready;
    const auto own = program_id(bpf_program__fd((*skeleton_)->progs.note_fault));
    if (!own) return std::unexpected(own.error());
    return add_foreign_programs(foreign_programs(*find_attach_type("tp"), kPoint, *own), findings);
  }

  std::vector<ProgramIdentity> programs() const override {
    std::vector<ProgramIdentity> programs;
    if (!skeleton_) return programs;
    const int fd = bpf_program__fd((*skeleton_)->progs.note_fault);
    if (auto known = identify_program(fd, "subject")) programs.push_back(*known);
    return programs;
  }

 private:
  FaultLoad(Mapping memory, std::size_t unit_bytes, PerfEvent event)
      : memory_(std::move(memory)), unit_bytes_(unit_bytes), event_(std::move(event)) {}

  // A sanitizer would look up each address in memory of its own, and fault there.
  [[gnu::no_sanitize_address]] void touch(std::uint64_t units, std::size_t offset = 0) const {
    volatile std::byte* const first = memory_.data();
    for (std::uint64_t unit = 0; unit < units; ++unit) {
      first[unit * unit_bytes_ + offset] = std::byte{1};
    }
  }

  Result<FaultCounts> counts() {
    FaultCounts counts;
    // Reading faults by itself when it happens first at this depth of the stack, for a sanitizer
    // keeps books on that, so it is done twice.
    for (int reading = 0; reading < 2; ++reading) {
      rusage usage{};
      ::getrusage(RUSAGE_THREAD, &usage);
      counts.usage = static_cast<std::uint64_t>(usage.ru_minflt);
      const Result<std::uint64_t> event = event_.count();
      if (!event) return std::unexpected(event.error());
      counts.event = *event;
    }
    if (skeleton_) {
      counts.probe = std::atomic_ref((*skeleton_)->bss->faults.count).load();
      counts.addresses = std::atomic_ref((*skeleton_)->bss->faults.address_sum).load();
    }
    return counts;
  }

  Result<void> check(Arm arm, std::uint64_t ops, std::uint64_t faults, const FaultCounts& before,
                     const FaultCounts& after) const {
    const auto compare = [&](const char* who, std::uint64_t counted,
                             std::uint64_t wanted) -> Result<void> {
      if (counted == wanted) return {};
      return wrong_result(fmt::format("{} counted {} faults instead of {}", who, counted, wanted));
    };
    const std::uint64_t probed = skeleton_ && arm == Arm::kSubject ? faults : 0;
    for (const auto& [who, counted, wanted] :
         {std::tuple{"getrusage", after.usage - before.usage, faults},
          std::tuple{"the software event", after.event - before.event, faults},
          std::tuple{"the monitor", after.probe - before.probe, probed}}) {
      if (Result<void> right = compare(who, counted, wanted); !right) return right;
    }
    // Sum of first + i * unit_bytes over the touched pages, modulo 2^64 as the monitor's.
    const auto first = reinterpret_cast<std::uint64_t>(memory_.data());
    const std::uint64_t wanted =
        probed == 0 ? 0 : ops * first + unit_bytes_ * (ops * (ops - 1) / 2);
    if (const std::uint64_t sum = after.addresses - before.addresses; sum != wanted) {
      return wrong_result(
          fmt::format("the addresses of the faults add up to {} instead of {}", sum, wanted));
    }
    return {};
  }

  // The last bytes of a page that is whole are there without another fault; a kernel that had no
  // huge page free gave a small one.
  Result<void> check_whole(std::uint64_t ops) {
    const Result<FaultCounts> before = counts();
    if (!before) return std::unexpected(before.error());
    touch(ops, unit_bytes_ - 1);
    const Result<FaultCounts> after = counts();
    if (!after) return std::unexpected(after.error());
    const std::uint64_t split = after->usage - before->usage;
    if (split == 0) return {};
    return std::unexpected(
        Error{.kind = ErrorKind::kAbsent,
              .what = fmt::format("{} of {} huge pages were small ones", split, ops),
              .remedy = "needs transparent huge pages and enough memory in one piece",
              .capability = "transparent_huge_page"});
  }

  Mapping memory_;
  std::size_t unit_bytes_;
  PerfEvent event_;
  std::optional<FaultSkeleton> skeleton_;  // without the monitor there is none
  Attachment attachment_;
};

Result<std::unique_ptr<PairedLoad>> FaultLoad::create(const Kind& kind, bool probed) {
  Result<Mapping> memory = map(kind, 2 * kind.ops_per_batch);
  if (!memory) return std::unexpected(memory.error());
  Result<PerfEvent> event = PerfEvent::of_thread(PERF_COUNT_SW_PAGE_FAULTS_MIN);
  if (!event) return std::unexpected(event.error());
  std::unique_ptr<FaultLoad> load(
      new FaultLoad(std::move(*memory), kind.unit_bytes(), std::move(*event)));
  if (probed) {
    auto skeleton = FaultSkeleton::open();
    if (!skeleton) return std::unexpected(skeleton.error());
    const Result<std::uint32_t> tgid = kernel_tgid();
    if (!tgid) return std::unexpected(tgid.error());
    (*skeleton)->rodata->owner_tgid = *tgid;
    skeleton->select({(*skeleton)->progs.note_fault});
    if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
    load->skeleton_.emplace(std::move(*skeleton));
  }
  // Brings in what counting, touching and the clock themselves fault on when they are used for the
  // first time.
  for (int i = 0; i < 2; ++i) {
    load->touch(1);
    now_ns();
    if (Result<FaultCounts> counts = load->counts(); !counts) {
      return std::unexpected(counts.error());
    }
  }
  return load;
}

Result<void> try_batch(const Kind& kind, bool probed) {
  Result<std::unique_ptr<PairedLoad>> load = FaultLoad::create(kind, probed);
  if (!load) return std::unexpected(load.error());
  if (Result<Batch> batch = (*load)->run(Arm::kSubject, 1); !batch) {
    return std::unexpected(batch.error());
  }
  return {};
}

ProbeResult probe_perf_event() {
  const Result<void> outcome = try_batch(kAnon, false);
  if (!outcome && outcome.error().errnum == EACCES) {
    return {Support::kNotPermitted, outcome.error().what,
            "run as root, or lower kernel.perf_event_paranoid"};
  }
  return classify(outcome, "", "CONFIG_PERF_EVENTS");
}

ProbeResult probe_huge_page() {
  if (huge_page_bytes() == 0) {
    return {Support::kAbsent, "this kernel has no transparent huge pages",
            "needs CONFIG_TRANSPARENT_HUGEPAGE=y"};
  }
  const Result<void> outcome = try_batch(kHuge, false);
  if (!outcome && outcome.error().kind == ErrorKind::kAbsent) {
    return {Support::kAbsent, outcome.error().what, outcome.error().remedy};
  }
  return classify(outcome, "2.6.38", "CONFIG_TRANSPARENT_HUGEPAGE");
}

}  // namespace

void register_page_fault(Registry& registry, Capabilities& capabilities) {
  capabilities.add(
      {"perf_page_faults", "count page faults by a software perf event", probe_perf_event});
  capabilities.add(
      {"transparent_huge_page", "get a huge page on the first touch", probe_huge_page});
  capabilities.add({"page_fault_probe",
                    "load a monitor and attach it to exceptions:page_fault_user",
                    [] { return classify(try_batch(kAnon, true), "", "CONFIG_BPF_EVENTS"); }});
  for (const Kind* const kind : {&kAnon, &kFile, &kHuge}) {
    for (const bool probed : {false, true}) {
      std::vector<std::string> needs = {"perf_page_faults"};
      if (kind == &kHuge) needs.push_back("transparent_huge_page");
      if (probed) needs.insert(needs.end(), {"page_fault_probe", "jit"});
      registry.add(
          {.name = fmt::format("page_fault/kind:{}/probe:{}", kind->name,
                               probed ? "page_fault" : "none"),
           .question = probed ? fmt::format("What does a monitor of page faults add to the first "
                                            "touch of {}?",
                                            kind->what)
                              : fmt::format("What does the first touch of {} cost?", kind->what),
           .floor = probed ? "the same faults with nothing attached"
                           : "the same writes to pages that are present",
           .needs = std::move(needs),
           .suite = kind == &kAnon ? Suite::kDefault : Suite::kFull,
           // To let go of a tracepoint of perf takes two grace periods of RCU.
           .plan = {.ops_per_batch = kind->ops_per_batch,
                    .rounds = probed ? 4 : 12,
                    .loads = probed ? 8 : 12},
           .load = [kind, probed] { return FaultLoad::create(*kind, probed); }});
    }
  }
}

}  // namespace bpfmark
