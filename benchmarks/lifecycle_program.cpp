// SPDX-License-Identifier: BSD-2-Clause
// Measures:         BPF_PROG_LOAD of programs of a known shape and length, the parts of it that the
//                   kernel lets one tell apart, and letting go of the program.
// Timed region:     load: the whole system call. verify: the same call for the same program but for
//                   one instruction, which the verifier refuses after it has walked through all
//                   others; so nothing is fixed up, compiled or installed. unload: close() of the
//                   only descriptor.
// Floor:            two readings of the clock. What comes after verification (fix-ups, JIT, a name
//                   for the debugger, the descriptor) is load less verify: in one case the two
//                   would disturb each other, for the kernel frees what was loaded some time later.
// Does not measure: libbpf's work on an object (lifecycle/op:object_* does); what the kernel frees
//                   after close() has returned, when a grace period has passed.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/families.h"
#include "benchmarks/lifecycle_step.h"
#include "fixtures/foreign_programs.h"
#include "fixtures/kernel_memory.h"
#include "fixtures/unique_fd.h"
#include "fixtures/verifier_stats.h"
#include "harness/program_identity.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using Code = std::vector<bpf_insn>;

constexpr bpf_insn make(int code, int to, int from, int offset, int value) {
  bpf_insn made{};
  made.code = static_cast<__u8>(code);
  made.dst_reg = to & 0xf;
  made.src_reg = from & 0xf;
  made.off = static_cast<__s16>(offset);
  made.imm = value;
  return made;
}

constexpr bpf_insn kAddOne = make(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_0, 0, 0, 1);
constexpr bpf_insn kExit = make(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
// Of a register that was never written: the verifier's own complaint.
constexpr bpf_insn kRefused = make(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_9, 0, 0);

// The length of the packet, and one that no packet here has.
constexpr bpf_insn kLength = make(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, 0, 0);
constexpr int kLongest = 0x7fff;

constexpr bpf_insn set_result(int value) {
  return make(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
}

// --- bodies of programs; each leaves `n` in register 0

// n additions, one after the other.
Code straight(int n) {
  Code code = {set_result(0)};
  code.insert(code.end(), static_cast<std::size_t>(n), kAddOne);
  return code;
}

// n branches on the length of the packet, none of which is taken and all of which could be.
Code branches(int n) {
  Code code = {set_result(0)};
  for (int i = 0; i < n; ++i) {
    code.push_back(kLength);
    code.push_back(make(BPF_JMP | BPF_JGT | BPF_K, BPF_REG_2, 0, 1, kLongest));
    code.push_back(kAddOne);
  }
  return code;
}

// A loop of n passes, each of which the verifier walks through.
Code loop(int n) {
  return {set_result(0), kAddOne, make(BPF_JMP | BPF_JLT | BPF_K, BPF_REG_0, 0, -2, n)};
}

struct Shape {
  const char* name;
  const char* what;
  Code (*body)(int n);
  int steps;   // instructions that the verifier walks through for each of the n
  bool exact;  // or more, for it goes both ways of a branch
};

constexpr Shape kStraight{"straight", "additions in a row", straight, 1, true};
constexpr Shape kBranches{"branches", "branches", branches, 3, false};
constexpr Shape kLoop{"loop", "passes of a loop", loop, 2, true};

struct Program {
  const Shape* shape;
  int n;
  std::uint64_t ops_per_batch;
  Suite suite = Suite::kFull;
};

constexpr Program kLongLoop{&kLoop, 4096, 2};

constexpr Program kPrograms[] = {
    {&kStraight, 1, 16},   {&kStraight, 64, 16},
    {&kStraight, 1024, 8}, {&kStraight, 4000, 2, Suite::kDefault},
    {&kBranches, 64, 16},  {&kBranches, 256, 4},
    {&kLoop, 64, 16},      kLongLoop,
};

// --- loading

// The descriptor, or the negative errno. The verifier's account goes to `stats_log`.
int load(const Code& code, std::vector<char>* stats_log = nullptr) {
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  if (stats_log != nullptr) {
    options.log_level = kVerifierLogStats;
    options.log_buf = stats_log->data();
    options.log_size = static_cast<__u32>(stats_log->size());
  }
  return bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "bpfmark_life", "Dual BSD/GPL", code.data(),
                       code.size(), &options);
}

// The body between a branch and its other way, which is never taken. The verifier leaves that for
// the end: what it refuses there, it refuses after it has walked through everything else.
Code with_last_way(const Program& program, const bpf_insn& last) {
  const Code body = program.shape->body(program.n);
  const int past_body = static_cast<int>(body.size()) + 1;
  Code code = {kLength, make(BPF_JMP | BPF_JGT | BPF_K, BPF_REG_2, 0, past_body, kLongest)};
  code.insert(code.end(), body.begin(), body.end());
  code.insert(code.end(), {kExit, last, kExit});
  return code;
}

Code accepted(const Program& program) { return with_last_way(program, set_result(0)); }

Code refused(const Program& program) { return with_last_way(program, kRefused); }

// The verifier's account of a load, which must end with `wanted`: 0 or an errno.
struct Verified {
  UniqueFd program;
  VerifierStats stats;
  Result<std::uint64_t> peak_bytes;  // of the kernel's memory, while it loaded
};

Result<Verified> load_with_log(const Code& code, int wanted) {
  std::vector<char> text(4096);
  const int outcome = load(code, &text);
  UniqueFd program(outcome);
  if (std::min(outcome, 0) != -wanted) {
    return system_error(-outcome, "load a program with the verifier's log");
  }
  const Result<VerifierStats> stats = parse_verifier_stats(text.data());
  if (!stats) return std::unexpected(stats.error());
  return Verified{std::move(program), *stats, 0};
}

Result<Verified> load_and_count(const Code& code, int wanted) {
  Result<Verified> verified;
  const Result<std::uint64_t> peak_bytes = peak_kernel_bytes([&]() -> Result<void> {
    verified = load_with_log(code, wanted);
    return verified ? Result<void>() : std::unexpected(verified.error());
  });
  if (!peak_bytes) return std::unexpected(peak_bytes.error());
  verified->peak_bytes = *peak_bytes;
  return verified;
}

// Of what it kept at one time each state has the registers of a frame.
bool has_room_for_its_states(const Verified& verified) {
  constexpr std::uint64_t kLeastStateBytes = 1024;
  return *verified.peak_bytes >= verified.stats.peak_states * kLeastStateBytes;
}

// Whether the kernel charges the memory of the verifier to who calls it (6.17): that of a long loop
// could not be missed.
ProbeResult probe_verifier_memory() {
  const Result<Verified> verified = load_and_count(refused(kLongLoop), EACCES);
  if (!verified && is_skip(verified.error().kind)) {
    return {support_of(verified.error().kind), verified.error().what, verified.error().remedy};
  }
  if (!verified) return classify(std::unexpected(verified.error()), "6.17", "CONFIG_MEMCG_V1");
  if (has_room_for_its_states(*verified)) return {Support::kSupported, "", ""};
  return {Support::kAbsent, "the kernel does not charge the memory of the verifier",
          "needs Linux 6.17"};
}

// With the memory, or why it cannot be had.
Result<Verified> load_with_account(const Code& code, int wanted) {
  if (Result<void> met = Capabilities::instance().check({"verifier_memory"}); !met) {
    Result<Verified> verified = load_with_log(code, wanted);
    if (verified) verified->peak_bytes = std::unexpected(met.error());
    return verified;
  }
  Result<Verified> verified = load_and_count(code, wanted);
  if (verified && !has_room_for_its_states(*verified)) {
    return wrong_result(fmt::format("the verifier kept {} states in {} bytes",
                                    verified->stats.peak_states, *verified->peak_bytes));
  }
  return verified;
}

std::unexpected<Error> wrong_walk(std::uint64_t walked, std::uint64_t wanted) {
  return wrong_result(
      fmt::format("the verifier walked through {} instructions instead of {}", walked, wanted));
}

// Loads the program that is accepted: each of its instructions must have been walked through.
Result<Verified> load_accepted(const Program& program, const Code& code) {
  Result<Verified> verified = load_with_account(code, 0);
  if (!verified) return verified;
  const std::uint64_t walked = verified->stats.insns;
  const auto outside = static_cast<int>(code.size() - program.shape->body(program.n).size());
  const auto wanted = static_cast<std::uint64_t>(1 + program.shape->steps * program.n + outside);
  if (program.shape->exact ? walked != wanted : walked < wanted) return wrong_walk(walked, wanted);
  return verified;
}

void add_counters(const Verified& verified, Findings& findings) {
  const VerifierStats& stats = verified.stats;
  findings.counters["verifier_insns"] = static_cast<double>(stats.insns);
  findings.counters["verifier_states"] = static_cast<double>(stats.states);
  findings.counters["verifier_peak_states"] = static_cast<double>(stats.peak_states);
  if (stats.time_us) {
    findings.counters["verifier_ns"] = static_cast<double>(*stats.time_us) * 1000;
  }
  constexpr const char* kPeak = "verifier_peak_bytes";
  if (verified.peak_bytes) {
    findings.counters[kPeak] = static_cast<double>(*verified.peak_bytes);
  } else {
    findings.add_missing(kPeak, verified.peak_bytes.error());
  }
}

// --- steps

class LoadStep : public LifecycleStep {
 public:
  explicit LoadStep(const Program& program) : program_(program), code_(accepted(program)) {}

  Result<void> perform() override {
    const int outcome = load(code_);
    loaded_ = UniqueFd(outcome);
    return loaded_ ? Result<void>() : system_error(-outcome, "load a program");
  }

  Result<void> after() override {
    loaded_ = UniqueFd();
    return {};
  }

  // Runs the program as well: what was loaded computes what it must.
  Result<void> report(Findings& findings) override {
    const Result<Verified> verified = load_accepted(program_, code_);
    if (!verified) return std::unexpected(verified.error());
    add_counters(*verified, findings);
    const int fd = verified->program.get();
    const Result<TestRunOutcome> outcome =
        TestRun(fd, find_program_type("socket_filter")->input()).run(1);
    if (!outcome) return std::unexpected(outcome.error());
    if (outcome->retval != static_cast<std::uint32_t>(program_.n)) {
      return wrong_result(fmt::format("the program that was loaded returned {} instead of {}",
                                      outcome->retval, program_.n));
    }
    Result<ProgramIdentity> identity = identify_program(fd, "subject");
    if (!identity) return std::unexpected(identity.error());
    identity_ = std::move(*identity);
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identity_ ? std::vector{*identity_} : std::vector<ProgramIdentity>();
  }

 protected:
  const Program& program_;
  Code code_;
  UniqueFd loaded_;
  std::optional<ProgramIdentity> identity_;
};

class UnloadStep : public LoadStep {
 public:
  using LoadStep::LoadStep;

  Result<void> before() override {
    if (Result<void> loaded = LoadStep::perform(); !loaded) return loaded;
    const Result<std::uint32_t> id = program_id(loaded_.get());
    if (!id) return std::unexpected(id.error());
    id_ = *id;
    return {};
  }

  Result<void> perform() override {
    loaded_ = UniqueFd();
    return {};
  }

  // Its number is free again: that was the last reference.
  Result<void> after() override { return check_gone(bpf_prog_get_fd_by_id(id_), "program"); }

 private:
  std::uint32_t id_ = 0;
};

class VerifyStep : public LifecycleStep {
 public:
  explicit VerifyStep(const Program& program) : program_(program), code_(refused(program)) {}

  Result<void> perform() override {
    const int outcome = load(code_);
    if (outcome == -EACCES) return {};
    if (outcome < 0) return system_error(-outcome, "load a program that is to be refused");
    const UniqueFd close(outcome);
    return wrong_result("the verifier accepted a program that reads what was never written");
  }

  // It stopped one instruction before the end of what it walks through in the accepted program.
  Result<void> report(Findings& findings) override {
    const Result<Verified> whole = load_accepted(program_, accepted(program_));
    if (!whole) return std::unexpected(whole.error());
    const Result<Verified> verified = load_with_account(code_, EACCES);
    if (!verified) return std::unexpected(verified.error());
    if (verified->stats.insns + 1 != whole->stats.insns) {
      return wrong_walk(verified->stats.insns, whole->stats.insns - 1);
    }
    add_counters(*verified, findings);
    return {};
  }

 private:
  const Program& program_;
  Code code_;
};

template <class Step>
StepMaker make_step(const Program& program) {
  return [&program]() -> Result<std::unique_ptr<LifecycleStep>> {
    return std::make_unique<Step>(program);
  };
}

ProbeResult probe_load() {
  LoadStep step(kPrograms[0]);
  Findings ignored;
  Result<void> outcome = step.perform();
  if (outcome) outcome = step.report(ignored);
  return classify(outcome, "5.2", "CONFIG_BPF_SYSCALL");
}

}  // namespace

void register_lifecycle_program(Registry& registry, Capabilities& capabilities) {
  capabilities.add({"prog_load",
                    "load a small program with the verifier's account of it, and run it",
                    probe_load});
  capabilities.add({"verifier_memory",
                    "count the memory that the verifier takes, in a cgroup of one thread",
                    probe_verifier_memory});
  struct Operation {
    const char* name;
    const char* what;
    StepMaker (*step)(const Program& program);
    Suite least;
  };
  constexpr Operation kOperations[] = {
      {"load", "load", make_step<LoadStep>, Suite::kDefault},
      {"verify", "verify", make_step<VerifyStep>, Suite::kDefault},
      {"unload", "let go of", make_step<UnloadStep>, Suite::kFull},
  };
  for (const Operation& operation : kOperations) {
    for (const Program& program : kPrograms) {
      registry.add({.name = fmt::format("lifecycle/op:{}/program:{}/n:{}", operation.name,
                                        program.shape->name, program.n),
                    .question = fmt::format("What does it take to {} a program of {} {}?",
                                            operation.what, program.n, program.shape->what),
                    .floor = kClockFloor,
                    .needs = {"prog_load", "jit"},
                    .suite = std::max(operation.least, program.suite),
                    .plan = {.ops_per_batch = program.ops_per_batch, .rounds = 8, .loads = 12},
                    .load = step_loader(operation.step(program))});
    }
  }
}

}  // namespace bpfmark
