// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/hook_body.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>

namespace bpfmark {
namespace {

using Programs = decltype(hook_body_bpf::progs);
using Maps = decltype(hook_body_bpf::maps);

constexpr std::array kBodies{
    HookBody{"empty", "does nothing", &Programs::body_empty, nullptr, &Programs::alone_empty},
    HookBody{"counter", "counts in a global variable", &Programs::body_counter, nullptr,
             &Programs::alone_counter},
    HookBody{"hash", "increments in a hash map, by a number", &Programs::body_hash,
             &Maps::by_number, &Programs::alone_hash},
    HookBody{"hash_struct", "increments in a hash map, by a struct", &Programs::body_hash_struct,
             &Maps::by_struct, &Programs::alone_hash_struct},
    HookBody{"ringbuf", "writes an event with its time to a ring buffer", &Programs::body_ringbuf,
             &Maps::ring, &Programs::alone_ringbuf},
    HookBody{"perfbuf", "writes an event with its time to a perf buffer", &Programs::body_perfbuf,
             &Maps::perf, &Programs::alone_perfbuf},
    HookBody{"stackid", "asks for the id of its stack", &Programs::body_stackid, &Maps::stacks,
             nullptr},
};

// Without an entry the increments would find nothing to increment.
Result<void> add_zero(const bpf_map* map, const void* key) {
  const std::uint64_t value = 0;
  if (const int err = bpf_map_update_elem(bpf_map__fd(map), key, &value, BPF_ANY); err != 0) {
    return system_error(-err, "set the entry to increment");
  }
  return {};
}

Result<std::uint64_t> value_of(const bpf_map* map, const void* key) {
  std::uint64_t value = 0;
  if (const int err = bpf_map_lookup_elem(bpf_map__fd(map), key, &value); err != 0) {
    return system_error(-err, "read the entry to increment");
  }
  return value;
}

// Whether programs of a type may ask which process runs. Whoever may not load a program to find
// out hears of that when the program itself is loaded.
bool may_ask_for_process(bpf_prog_type type) {
  return libbpf_probe_bpf_helper(type, BPF_FUNC_get_current_pid_tgid, nullptr) != 0;
}

constexpr std::uint32_t kNumber = 1;
constexpr hook_key kStruct = {.tgid = 1, .id = 1};

}  // namespace

// The consumer's end of a ring buffer or a perf buffer.
struct BodyProgram::Buffer {
  ring_buffer* ring = nullptr;
  perf_buffer* perf = nullptr;
  std::uint64_t received = 0;
  std::uint64_t out_of_order = 0;
  std::uint64_t lost = 0;  // by the perf buffer's own account

  void take(const void* data, std::size_t bytes) {
    hook_event event{};
    std::memcpy(&event, data, std::min(bytes, sizeof(event)));
    out_of_order += event.number != received;
    ++received;
  }
};

void BodyProgram::CloseBuffer::operator()(Buffer* buffer) const {
  ring_buffer__free(buffer->ring);
  perf_buffer__free(buffer->perf);
  delete buffer;
}

std::span<const HookBody> hook_bodies() { return kBodies; }

const HookBody* find_hook_body(std::string_view name) {
  const auto found = std::ranges::find(kBodies, name, &HookBody::name);
  return found == kBodies.end() ? nullptr : found;
}

BodyProgram::BodyProgram(Skeleton<hook_body_bpf> skeleton, const HookBody& body,
                         const bpf_program* program)
    : skeleton_(std::make_unique<Skeleton<hook_body_bpf>>(std::move(skeleton))),
      body_(&body),
      program_(program) {}

Result<BodyProgram> BodyProgram::load(const BodyRequest& request) {
  auto skeleton = Skeleton<hook_body_bpf>::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  const bool asks = !request.ours_alone || request.body->alone == nullptr ||
                    may_ask_for_process(program_type(*request.type, request.point));
  bpf_program* const program =
      (*skeleton)->progs.*(asks ? request.body->program : request.body->alone);
  skeleton->select({program});
  bpf_map* const used = request.body->map ? (*skeleton)->maps.*request.body->map : nullptr;
  for (bpf_map* const map :
       {(*skeleton)->maps.by_number, (*skeleton)->maps.by_struct, (*skeleton)->maps.ring,
        (*skeleton)->maps.perf, (*skeleton)->maps.stacks}) {
    bpf_map__set_autocreate(map, map == used);
  }
  (*skeleton)->rodata->verdict = request.verdict;
  (*skeleton)->rodata->stack_flags =
      BPF_F_REUSE_STACKID | (request.user_stack ? BPF_F_USER_STACK : 0);
  if (Result<void> set = set_attach_target((*skeleton)->obj, program, *request.type, request.point);
      !set) {
    return std::unexpected(set.error());
  }
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  BodyProgram made(std::move(*skeleton), *request.body, program);
  if (Result<void> opened = made.open_buffer(); !opened) return std::unexpected(opened.error());
  return made;
}

Result<void> BodyProgram::open_buffer() {
  const auto& maps = (*skeleton_)->maps;
  if (body_->map == &Maps::by_number) return add_zero(maps.by_number, &kNumber);
  if (body_->map == &Maps::by_struct) return add_zero(maps.by_struct, &kStruct);
  buffer_.reset(new Buffer);
  if (body_->map == &Maps::ring) {
    const auto take = [](void* buffer, void* data, std::size_t bytes) {
      static_cast<Buffer*>(buffer)->take(data, bytes);
      return 0;
    };
    buffer_->ring = ring_buffer__new(bpf_map__fd(maps.ring), take, buffer_.get(), nullptr);
    if (buffer_->ring == nullptr) return system_error(errno, "open the ring buffer");
  }
  if (body_->map == &Maps::perf) {
    constexpr std::size_t kPages = 256;
    const auto take = [](void* buffer, int, perf_event_header* header) {
      if (header->type == PERF_RECORD_LOST) {
        struct Lost {
          perf_event_header header;
          std::uint64_t id, lost;
        };
        static_cast<Buffer*>(buffer)->lost += reinterpret_cast<const Lost*>(header)->lost;
        return LIBBPF_PERF_EVENT_CONT;
      }
      // perf_event_sample: the header, the size, and then what the program wrote.
      const char* const data = reinterpret_cast<const char*>(header + 1) + sizeof(std::uint32_t);
      static_cast<Buffer*>(buffer)->take(data, sizeof(hook_event));
      return LIBBPF_PERF_EVENT_CONT;
    };
    perf_event_attr attr{};
    attr.type = PERF_TYPE_SOFTWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_SW_BPF_OUTPUT;
    attr.sample_type = PERF_SAMPLE_RAW;
    attr.sample_period = 1;
    attr.wakeup_events = std::numeric_limits<std::int32_t>::max();  // nobody waits
    int cpu = ::sched_getcpu();
    LIBBPF_OPTS(perf_buffer_raw_opts, options, .cpu_cnt = 1, .cpus = &cpu, .map_keys = &cpu);
    buffer_->perf =
        perf_buffer__new_raw(bpf_map__fd(maps.perf), kPages, &attr, take, buffer_.get(), &options);
    if (buffer_->perf == nullptr) return system_error(errno, "open the perf buffer");
  }
  return {};
}

// What the body has left so far in all.
Result<std::uint64_t> BodyProgram::traces() {
  // The program wrote through its own mapping: the compiler cannot know that the memory changed.
  asm volatile("" ::: "memory");
  const hook_counts& counts = (*skeleton_)->bss->counts;
  if (body_->map == &Maps::by_number) return value_of((*skeleton_)->maps.by_number, &kNumber);
  if (body_->map == &Maps::by_struct) return value_of((*skeleton_)->maps.by_struct, &kStruct);
  if (body_->map == nullptr) return counts.runs;
  drops_ = counts.lost;
  if (body_->map == &Maps::stacks) {
    if (counts.lost > 0) return wrong_result(fmt::format("{} stacks not found", counts.lost));
    return counts.events;
  }
  const int err =
      buffer_->ring ? ring_buffer__consume(buffer_->ring) : perf_buffer__consume(buffer_->perf);
  if (err < 0) return system_error(-err, "read the buffer");
  if (buffer_->received != counts.events || buffer_->out_of_order > 0) {
    return wrong_result(fmt::format("{} records received, {} out of order, of {} written",
                                    buffer_->received, buffer_->out_of_order, counts.events));
  }
  return counts.events + counts.lost;
}

Result<std::optional<std::uint64_t>> BodyProgram::take_runs() {
  if (body_->program == &Programs::body_empty) return std::nullopt;
  const Result<std::uint64_t> now = traces();
  if (!now) return std::unexpected(now.error());
  return *now - std::exchange(taken_, *now);
}

}  // namespace bpfmark
