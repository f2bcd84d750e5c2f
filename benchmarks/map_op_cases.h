// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness/key_stream.h"
#include "harness/registry.h"

namespace bpfmark {

// The programs that serve a type, and their floor.
struct Operation {
  std::string_view name;
  const char* program;
  const char* floor;
  const char* section = "tc";
};

struct OpCase {
  Operation op;
  std::string_view type;
  KeyPattern keys = KeyPattern::kUniform;
  std::uint32_t entries = 1024;
  std::uint32_t key_bytes = 8;
  std::uint32_t value_bytes = 8;
  std::uint32_t fill_pct = 0;  // 0: the type does not know it
  bool percpu_lists = false;
  bool no_prealloc = false;
  std::uint32_t depth = 0;
  unsigned about_ns = 40;
  Suite suite = Suite::kFull;

  bool is_lru() const { return type.starts_with("lru"); }
  bool is_ring() const { return type.ends_with("ringbuf"); }
  bool inserts() const { return op.name == "insert_delete"; }
  // Different keys that are in the map before a batch, or are asked for.
  std::uint32_t population() const {
    const std::uint64_t filled = std::uint64_t{entries} * fill_pct / 100;
    return fill_pct == 0 || filled == 0 ? entries : static_cast<std::uint32_t>(filled);
  }
};

// map_op/op:... of a case.
std::string name_of(const OpCase& c);

// All of map_op: one thing at a time varied around a hash of 1024 entries, keys of 8 bytes drawn
// uniformly.
std::vector<OpCase> op_cases();

}  // namespace bpfmark
