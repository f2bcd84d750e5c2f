// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <functional>
#include <memory>
#include <vector>

#include "fixtures/skeleton.h"
#include "harness/in_kernel_batch.h"
#include "harness/key_stream.h"
#include "harness/paired.h"

// What the families about maps have in common.
namespace bpfmark {

// The first word of a value, so that the sum over a batch proves which values were read.
inline std::uint64_t word_of(std::uint32_t key) { return key * 0x9E3779B97F4A7C15u + 1; }

// For an object with lib/keys.bpf.h, before the load: as many keys, a power of two between
// BPFMARK_UNROLL and BPFMARK_MAX_KEYS. They are in bss_keys after the load. Errors: kSystem.
template <class S>
Result<void> set_stream_length(Skeleton<S>& skeleton, std::uint32_t length) {
  skeleton->rodata->key_mask = length - 1;
  const auto bytes = static_cast<std::uint32_t>(length * sizeof(skeleton->bss_keys->keys[0]));
  if (const int err = bpf_map__set_value_size(skeleton->maps.bss_keys, bytes); err != 0) {
    return system_error(-err, "set the length of the key stream");
  }
  return {};
}

// What a table is to hold.
struct TableSize {
  bpf_map_type type = BPF_MAP_TYPE_HASH;
  std::uint64_t entries = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  bool per_cpu = false;  // a value for every possible CPU
};

// A table that does not fit into memory is a limit of the machine, not a defect: a typed skip.
Error map_load_error(Error error, const TableSize& size);

// The same before anything was made, for a table of megabytes. The kernel refuses memory to a map
// beyond the limit of a cgroup, but to the stream of keys that goes with it no page: it kills.
// Errors: kAbsent.
Result<void> check_memory(const TableSize& size);

// Sees what a batch left behind, outside of its clock: where in the stream it started, and how many
// operations it did. Errors: kWrongResult.
using BatchCheck = std::function<Result<void>(std::uint64_t first, std::uint64_t ops)>;

// A program that walks along a stream of keys.
struct KeyedArm {
  InKernelBatch batch;
  std::vector<std::uint64_t> found;  // what the operation on each key of the stream adds to the sum
  bool hits = true;                  // every operation does, or none
  BatchCheck check;                  // may be empty
  BatchCheck before = {};            // may be empty
};

// A subject and its floor twin, each with its own place in the stream.
class KeyedLoad : public PairedLoad {
 public:
  // `owner` keeps alive what the arms refer to.
  KeyedLoad(std::shared_ptr<void> owner, KeyedArm subject, KeyedArm floor,
            std::vector<ProgramIdentity> programs);

  Result<Batch> run(Arm arm, std::uint64_t ops) override;
  std::vector<ProgramIdentity> programs() const override { return programs_; }

 private:
  struct Walk {
    explicit Walk(KeyedArm walked) : arm(std::move(walked)), sums(arm.found) {}

    KeyedArm arm;
    WindowSums sums;
    std::uint64_t cursor = 0;
  };

  std::shared_ptr<void> owner_;
  Walk subject_;
  Walk floor_;
  std::vector<ProgramIdentity> programs_;
};

}  // namespace bpfmark
