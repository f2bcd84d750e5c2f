// SPDX-License-Identifier: BSD-2-Clause
// Measures:         copying a block, by every way a program has, and by what user space has.
// Timed region:     a batch inside a TC or XDP program; for user space a batch between two readings
//                   of its clock.
// Floor:            the same loop, which clears the last word of the destination and reads it back,
//                   without the copy.
// Does not measure: cold memory: source and destination stay in the first cache. A packet of 4096
//                   bytes lies in one piece in TC, and has its end in a fragment in XDP.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/copy.h"
#include "copy.skel.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

using Block = std::array<std::uint64_t, BPFMARK_COPY_MAX_BYTES / 8>;

constexpr std::uint32_t kSizes[] = {8, 64, 1000, 4096};
// Of a packet as a test-run takes it: less than a page with what the kernel puts around it.
constexpr std::uint32_t kMaxLinearBytes = 2048;

// No word is 0, so that one that was not copied shows.
const Block& source_block() {
  static const Block block = [] {
    Block words{};
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = (i + 1) * 0x9E3779B97F4A7C15u;
    return words;
  }();
  return block;
}

std::uint64_t last_word(std::uint32_t bytes) { return source_block()[bytes / 8 - 1]; }

Result<void> check_bytes(const __u64* copied, std::uint32_t bytes) {
  for (std::uint32_t i = 0; i < bytes / 8; ++i) {
    if (copied[i] != source_block()[i]) {
      return wrong_result(fmt::format("word {} of the copy is {:#x} instead of {:#x}", i, copied[i],
                                      source_block()[i]));
    }
  }
  return {};
}

// --- copies by programs

struct KernelCopy {
  const char* name;
  const char* what;
  const char* program;  // of each size its own if it ends in '_'
  const char* floor;
  const char* type;
  const char* first_kernel;
  bool copies = true;
  bool from_packet = false;
};

constexpr KernelCopy kKernelCopies[] = {
    {"words", "word moves", "words_", "floor", "tc", "4.12"},
    {"probe_read_kernel", "bpf_probe_read_kernel()", "probe_read", "floor", "tc", "5.5"},
    {"skb_load_bytes", "bpf_skb_load_bytes()", "skb_load", "floor", "tc", "4.5", true, true},
    {"xdp_load_bytes", "bpf_xdp_load_bytes()", "xdp_load", "floor_xdp", "xdp", "5.18", true, true},
    {"dynptr_read", "bpf_dynptr_read()", "dynptr_read", "floor_dynptr", "tc", "5.19"},
    {"dynptr_write", "bpf_dynptr_write()", "dynptr_write", "floor_dynptr", "tc", "5.19"},
    {"dynptr_slice", "bpf_dynptr_slice(), which only finds the bytes,", "slice", "floor_dynptr",
     "tc", "6.4", false},
    {"dynptr_copy", "bpf_dynptr_copy()", "dynptr_copy", "floor_dynptr", "tc", "6.16"},
};

std::string program_name(const KernelCopy& copy, std::uint32_t bytes) {
  const std::string name = std::string("copy_") + copy.program;
  return name.ends_with('_') ? name + std::to_string(bytes) : name;
}

TestRunInput input_of(const KernelCopy& copy, std::uint32_t bytes) {
  if (!copy.from_packet) return find_program_type(copy.type)->input();
  const bool grows = std::string_view(copy.type) == "tc";
  std::vector<std::byte> packet(std::max(64u, grows ? std::min(bytes, kMaxLinearBytes) : bytes));
  std::memcpy(packet.data(), source_block().data(), packet.size());
  return {.packet = std::move(packet), .context = {}};
}

Result<std::unique_ptr<PairedLoad>> load_copy(const KernelCopy& copy, std::uint32_t bytes) {
  return load_twin<copy_bpf>(
      {program_name(copy, bytes), std::string("copy_") + copy.floor, input_of(copy, bytes)},
      [&](copy_bpf& object) { object.rodata->bytes = bytes; },
      [&](copy_bpf& object) -> Result<TwinChecks> {
        std::ranges::copy(source_block(), object.bss->from);
        const auto all_bytes = [&copy, bytes, target = object.bss->to](
                                   const bpfmark_batch_result& result) -> Result<void> {
          Result<void> right = every_operation_finds(last_word(bytes))(result);
          if (right && copy.copies) right = check_bytes(target, bytes);
          std::fill_n(target, BPFMARK_COPY_MAX_BYTES / 8, 0);
          return right;
        };
        return TwinChecks{.subject = all_bytes, .floor = every_operation_finds(0)};
      });
}

// --- copies in user space

using CopyFunction = void (*)(std::uint64_t* to, const std::uint64_t* from, std::size_t bytes);

void copy_nothing(std::uint64_t*, const std::uint64_t*, std::size_t) {}

void copy_by_libc(std::uint64_t* to, const std::uint64_t* from, std::size_t bytes) {
  std::memcpy(to, from, bytes);
}

// Word by word, which the compiler must not make a memcpy() or vectors of.
void copy_by_words(std::uint64_t* to, const std::uint64_t* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes / 8; ++i) {
    std::uint64_t word = from[i];
    asm volatile("" : "+r"(word));
    to[i] = word;
  }
}

#ifdef __x86_64__
void copy_by_rep_movsb(std::uint64_t* to, const std::uint64_t* from, std::size_t bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}
#endif

struct HostCopy {
  const char* name;
  const char* what;
  CopyFunction function;
};

constexpr HostCopy kHostCopies[] = {
    {"host_memcpy", "memcpy() in user space", copy_by_libc},
    {"host_words", "word moves in user space", copy_by_words},
#ifdef __x86_64__
    {"host_rep_movsb", "rep movsb in user space", copy_by_rep_movsb},
#endif
};

std::uint64_t copy_in_loop(CopyFunction function, Block& target, std::uint32_t bytes,
                           std::uint64_t ops) {
  volatile std::uint64_t* const last = &target[bytes / 8 - 1];
  const std::uint64_t* from = source_block().data();
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < ops; ++i) {
    asm volatile("" : "+r"(function), "+r"(from)::"memory");  // a call, and of what is not known
    *last = 0;
    function(target.data(), from, bytes);
    sum += *last;
  }
  return sum;
}

Result<std::unique_ptr<PairedLoad>> load_host_copy(const HostCopy& copy, std::uint32_t bytes) {
  const auto target = std::make_shared<Block>();
  const auto loop_of = [&](CopyFunction function) {
    return [=](std::uint64_t ops) { return copy_in_loop(function, *target, bytes, ops); };
  };
  const auto check = [=]() -> Result<void> {
    const Result<void> right = check_bytes(reinterpret_cast<const __u64*>(target->data()), bytes);
    target->fill(0);
    return right;
  };
  return std::make_unique<HostTwinLoad>(HostArm{loop_of(copy.function), last_word(bytes)},
                                        HostArm{loop_of(copy_nothing), 0}, check,
                                        std::map<std::string, double>{});
}

// --- registration

constexpr const char* kFloor = "the same loop without the copy";

Suite suite_of(std::string_view name, std::uint32_t bytes) {
  const bool shown = name == "words" || name == "probe_read_kernel" || name == "skb_load_bytes" ||
                     name == "host_memcpy";
  return bytes == 1000 && shown ? Suite::kDefault : Suite::kFull;
}

}  // namespace

void register_copy(Registry& registry, Capabilities& capabilities) {
  for (const KernelCopy& copy : kKernelCopies) {
    capabilities.add({fmt::format("copy_{}", copy.name),
                      fmt::format("load a program that copies by {}", copy.what), [&copy] {
                        return probe_program<copy_bpf>(program_name(copy, 8), copy.first_kernel);
                      }});
  }
  for (const std::uint32_t bytes : kSizes) {
    for (const KernelCopy& copy : kKernelCopies) {
      registry.add({.name = fmt::format("copy/bytes:{}/by:{}", bytes, copy.name),
                    .question = fmt::format("What do {} bytes by {} cost?", bytes, copy.what),
                    .floor = kFloor,
                    .needs = {fmt::format("test_run_{}", copy.type), "loop_bpf_loop",
                              fmt::format("copy_{}", copy.name), "jit"},
                    .suite = suite_of(copy.name, bytes),
                    .plan = plan_for(10 + bytes / 16),
                    .load = [&copy, bytes] { return load_copy(copy, bytes); }});
    }
    for (const HostCopy& copy : kHostCopies) {
      registry.add({.name = fmt::format("copy/bytes:{}/by:{}", bytes, copy.name),
                    .question = fmt::format("What do {} bytes by {} cost?", bytes, copy.what),
                    .floor = kFloor,
                    .needs = {},
                    .suite = suite_of(copy.name, bytes),
                    .plan = plan_for(10 + bytes / 16),
                    .load = [&copy, bytes] { return load_host_copy(copy, bytes); }});
    }
  }
}

}  // namespace bpfmark
