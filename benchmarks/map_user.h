// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "benchmarks/map_load.h"
#include "fixtures/unique_fd.h"
#include "harness/map_type.h"
#include "harness/paired.h"

// What the files of map_user have in common.
namespace bpfmark {

// No kernel knows it: the call is refused after the attributes were copied and before anything is
// done. The floor of every bpf(2).
inline constexpr int kUnknownCommand = 0x7fffffff;

// bpf(2) itself, without libbpf around it: 0, or -1 and errno.
long bpf_call(int command, bpf_attr& attributes, std::uint32_t bytes);

// Bytes that a call with that last member takes.
#define BPFMARK_ATTR_BYTES(member) \
  static_cast<std::uint32_t>(offsetof(bpf_attr, member) + sizeof(bpf_attr::member))

// A map that no program uses. Under each key from 0 on stands word_of(key), in every CPU's copy.
class UserMap {
 public:
  // Filled if `filled`. Errors: kAbsent for a want of memory, kSystem.
  static Result<UserMap> create(const MapType& type, std::uint32_t entries,
                                std::uint32_t value_bytes, bool filled);

  int fd() const { return fd_.get(); }
  // Copies of a value that the system call reads and writes: one for each possible CPU, or one.
  std::size_t copies() const { return copies_; }
  // 8-byte words of one copy.
  std::size_t copy_words() const { return copy_words_; }
  // Of all copies of a value, each with `word` at its start.
  std::vector<std::uint64_t> value(std::uint64_t word) const;

 private:
  UserMap(UniqueFd fd, std::size_t copies, std::size_t copy_words)
      : fd_(std::move(fd)), copies_(copies), copy_words_(copy_words) {}

  UniqueFd fd_;
  std::size_t copies_;
  std::size_t copy_words_;
};

// A loop in user space over a stream. `loop` does `ops` operations from place `first` on and adds
// up what they found, `found` says what that must be at each place, `check` sees what was left
// behind. Only the loop is timed. Errors of a loop: kSystem, kWrongResult.
struct UserArm {
  std::function<Result<std::uint64_t>(std::uint64_t first, std::uint64_t ops)> loop;
  std::vector<std::uint64_t> found;
  BatchCheck check = {};  // may be empty
};

// A subject and its floor, both in user space, each with its own place in its stream.
class UserLoad : public PairedLoad {
 public:
  // `possible_cpus` goes into the row if it is not 0.
  UserLoad(UserArm subject, UserArm floor, std::size_t possible_cpus = 0)
      : subject_(std::move(subject)), floor_(std::move(floor)), possible_cpus_(possible_cpus) {}

  Result<Batch> run(Arm arm, std::uint64_t ops) override;
  Result<void> finish(Findings& findings) override;

 private:
  struct Walk {
    explicit Walk(UserArm walked) : arm(std::move(walked)), sums(arm.found) {}

    UserArm arm;
    WindowSums sums;
    std::uint64_t cursor = 0;
  };

  Walk subject_;
  Walk floor_;
  std::size_t possible_cpus_;
};

// "map_user/op:.../type:.../keys:.../entries:.../key:4/value:..."
std::string map_user_name(std::string_view op, std::string_view type, KeyPattern keys,
                          std::uint32_t entries, std::uint32_t value_bytes);

}  // namespace bpfmark
