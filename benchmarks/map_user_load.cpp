// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "benchmarks/map_user.h"
#include "fixtures/map.h"
#include "harness/clock.h"

namespace bpfmark {

long bpf_call(int command, bpf_attr& attributes, std::uint32_t bytes) {
  return ::syscall(__NR_bpf, command, &attributes, bytes);
}

Result<UserMap> UserMap::create(const MapType& type, std::uint32_t entries,
                                std::uint32_t value_bytes, bool filled) {
  const TableSize size = {.type = type.type,
                          .entries = entries,
                          .key_bytes = sizeof(std::uint32_t),
                          .value_bytes = value_bytes,
                          .per_cpu = type.per_cpu};
  if (Result<void> fits = check_memory(size); !fits) return std::unexpected(fits.error());
  const auto too_large = [&size](const Error& error) {
    return std::unexpected(map_load_error(error, size));
  };
  const int copies = type.per_cpu ? libbpf_num_possible_cpus() : 1;
  if (copies < 0) return system_error(-copies, "count the possible CPUs");
  UniqueFd fd(
      bpf_map_create(type.type, "user_map", sizeof(std::uint32_t), value_bytes, entries, nullptr));
  if (!fd) return too_large(system_error(errno, "create a map").error());
  if (filled) {
    const MapShape shape = {
        .entries = entries, .value_bytes = value_bytes, .per_cpu = type.per_cpu};
    if (Result<void> done = fill_map(fd.get(), shape, word_of); !done) {
      return too_large(done.error());
    }
  }
  return UserMap(std::move(fd), static_cast<std::size_t>(copies),
                 value_bytes / sizeof(std::uint64_t));
}

std::vector<std::uint64_t> UserMap::value(std::uint64_t word) const {
  std::vector<std::uint64_t> words(copies_ * copy_words_);
  for (std::size_t first = 0; first < words.size(); first += copy_words_) words[first] = word;
  return words;
}

Result<Batch> UserLoad::run(Arm arm, std::uint64_t ops) {
  Walk& walk = arm == Arm::kSubject ? subject_ : floor_;
  const std::uint64_t first = walk.cursor;
  const std::uint64_t start = now_ns();
  const Result<std::uint64_t> sum = walk.arm.loop(first, ops);
  const auto elapsed_ns = static_cast<double>(now_ns() - start);
  if (!sum) return std::unexpected(sum.error());
  walk.cursor += ops;
  if (const std::uint64_t expected = walk.sums.sum(first, ops); *sum != expected) {
    return wrong_result(fmt::format("the values found add up to {} instead of {}", *sum, expected));
  }
  if (walk.arm.check) {
    if (Result<void> right = walk.arm.check(first, ops); !right) {
      return std::unexpected(right.error());
    }
  }
  return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
}

Result<void> UserLoad::finish(Findings& findings) {
  if (possible_cpus_ != 0) {
    findings.counters["possible_cpus"] = static_cast<double>(possible_cpus_);
  }
  return {};
}

std::string map_user_name(std::string_view op, std::string_view type, KeyPattern keys,
                          std::uint32_t entries, std::uint32_t value_bytes) {
  return fmt::format("map_user/op:{}/type:{}/keys:{}/entries:{}/key:4/value:{}", op, type,
                     key_pattern_name(keys), entries, value_bytes);
}

}  // namespace bpfmark
