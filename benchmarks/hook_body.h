// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "bpf/shared/hook_body.h"
#include "fixtures/attachment.h"
#include "fixtures/skeleton.h"
#include "harness/result.h"
#include "hook_body.skel.h"

namespace bpfmark {

// What a program at a hook does (bpf/hook_body.bpf.c): the same instructions for all ways to
// attach.
struct HookBody {
  std::string_view name;  // "ringbuf"
  std::string_view what;
  bpf_program* decltype(hook_body_bpf::progs)::* program;
  bpf_map* decltype(hook_body_bpf::maps)::* map;  // the one that it uses, nullptr for none
  // The same without asking who runs; nullptr if its helper is for programs that trace, all of
  // which may ask.
  bpf_program* decltype(hook_body_bpf::progs)::* alone;
};

std::span<const HookBody> hook_bodies();

// nullptr if there is none of that name.
const HookBody* find_hook_body(std::string_view name);

// How a body becomes a program.
struct BodyRequest {
  const HookBody* body;
  const AttachType* type;
  HookPoint point;
  int verdict = 0;          // lets things take their course
  bool user_stack = false;  // for the stack id: of user space, not of the kernel
  bool ours_alone = false;  // nobody else passes: where the kernel lets no program ask, it need not
};

// A body, loaded as a program of one type. Owns program and maps, not the attachment.
class BodyProgram {
 public:
  // Errors: those of set_attach_target(), kSystem.
  static Result<BodyProgram> load(const BodyRequest& request);

  const bpf_program* program() const { return program_; }
  int fd() const { return bpf_program__fd(program()); }

  // Where the program looks for whom it is meant.
  volatile hook_filter& filter() { return (*skeleton_)->data->filter; }

  // How often the body ran, by what it left, since the last time; takes all records out of a
  // buffer, the lost ones counted as run. nullopt for the empty body, which leaves nothing.
  // Errors: kWrongResult if records are missing that were not reported lost, kSystem.
  Result<std::optional<std::uint64_t>> take_runs();

  // Records that found no room, since the load.
  std::uint64_t drops() const { return drops_; }

 private:
  struct Buffer;
  struct CloseBuffer {
    void operator()(Buffer* buffer) const;
  };

  BodyProgram(Skeleton<hook_body_bpf> skeleton, const HookBody& body, const bpf_program* program);

  Result<void> open_buffer();
  Result<std::uint64_t> traces();

  std::unique_ptr<Skeleton<hook_body_bpf>> skeleton_;
  const HookBody* body_;
  const bpf_program* program_;  // of the skeleton
  std::unique_ptr<Buffer, CloseBuffer> buffer_;
  std::uint64_t taken_ = 0;
  std::uint64_t drops_ = 0;
};

}  // namespace bpfmark
