// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <array>
#include <string_view>

namespace bpfmark {

// A map type that takes a 4-byte key; the capability is "map_" + name.
struct MapType {
  std::string_view name;
  bpf_map_type type;
  bool per_cpu;
  std::string_view first_kernel;
};

inline const auto& map_types() {
  static constexpr std::array kTypes{
      MapType{"array", BPF_MAP_TYPE_ARRAY, false, "3.19"},
      MapType{"hash", BPF_MAP_TYPE_HASH, false, "3.19"},
      MapType{"lru_hash", BPF_MAP_TYPE_LRU_HASH, false, "4.10"},
      MapType{"lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH, true, "4.10"},
      MapType{"percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY, true, "4.6"},
      MapType{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, true, "4.6"},
  };
  return kTypes;
}

}  // namespace bpfmark
