// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fixtures/skeleton.h"
#include "harness/capability.h"
#include "harness/program_identity.h"
#include "harness/twin_load.h"

// What the families have in common whose object holds many small programs, each with its floor
// twin.
namespace bpfmark {

// Work of a case whose operation takes about that long: batches of 50 to 100 us.
inline Plan plan_for(unsigned about_ns) {
  const std::uint64_t ops = std::bit_floor(100'000u / std::max(about_ns, 1u));
  return {.ops_per_batch = std::clamp<std::uint64_t>(ops, 8, 32768), .rounds = 40, .loads = 12};
}

// Opens the object and chooses programs by name; all others stay out. Errors: kSystem, kWrongResult
// for a name that is not in it.
template <class S>
Result<Skeleton<S>> open_programs(const std::vector<std::string>& names) {
  Result<Skeleton<S>> skeleton = Skeleton<S>::open();
  if (!skeleton) return skeleton;
  std::vector<const bpf_program*> chosen;
  for (const std::string& name : names) {
    const bpf_program* const program =
        bpf_object__find_program_by_name((*skeleton)->obj, name.c_str());
    if (program == nullptr) return wrong_result("there is no program " + name);
    chosen.push_back(program);
  }
  skeleton->select(chosen);
  return skeleton;
}

// The descriptor of a loaded program.
template <class S>
int program_fd(const Skeleton<S>& skeleton, const std::string& name) {
  return bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, name.c_str()));
}

// Whether the very program can be loaded.
template <class S>
ProbeResult probe_program(const std::string& name, const std::string& first_kernel) {
  Result<Skeleton<S>> skeleton = open_programs<S>({name});
  const Result<void> loaded =
      skeleton ? skeleton->load() : Result<void>(std::unexpected(skeleton.error()));
  return classify(loaded, first_kernel, "");
}

struct TwinChecks {
  ResultCheck subject;
  ResultCheck floor;
};

// Names of the two programs, and what their test-run is given.
struct TwinPrograms {
  std::string subject;
  std::string floor;
  TestRunInput input;
};

// Loads subject and floor. `knobs` sees the object before it is loaded, `ready` afterwards: it
// fills the inputs and says what the batches must find.
template <class S>
Result<std::unique_ptr<PairedLoad>> load_twin(const TwinPrograms& programs,
                                              const std::function<void(S&)>& knobs,
                                              const std::function<Result<TwinChecks>(S&)>& ready) {
  Result<Skeleton<S>> opened = open_programs<S>({programs.subject, programs.floor});
  if (!opened) return std::unexpected(opened.error());
  const auto skeleton = std::make_shared<Skeleton<S>>(std::move(*opened));
  if (knobs) knobs(*skeleton->get());
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  Result<TwinChecks> checks = ready(*skeleton->get());
  if (!checks) return std::unexpected(checks.error());
  const int subject_fd = program_fd(*skeleton, programs.subject);
  const int floor_fd = program_fd(*skeleton, programs.floor);
  auto* const bss = (*skeleton)->bss;
  return std::make_unique<TwinLoad>(
      skeleton,
      TwinArm{{subject_fd, programs.input, bss->request, bss->result}, std::move(checks->subject)},
      TwinArm{{floor_fd, programs.input, bss->request, bss->result}, std::move(checks->floor)},
      identify_pair(subject_fd, floor_fd));
}

}  // namespace bpfmark
