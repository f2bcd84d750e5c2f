// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace bpfmark {

// A map type with a shape of its own; the capability is "map_" + name.
struct OtherMapType {
  std::string_view name;
  bpf_map_type type;
  std::uint32_t key_bytes;    // of the smallest map; 0: has no keys
  std::uint32_t value_bytes;  // 0: has no values
  std::uint32_t entries;
  std::uint32_t flags;
  std::string_view first_kernel;
  std::string_view config;
};

inline constexpr std::uint32_t kSmallestRingBytes = 4096;

inline const auto& other_map_types() {
  static constexpr std::array kTypes{
      OtherMapType{"arena", BPF_MAP_TYPE_ARENA, 0, 0, 1, BPF_F_MMAPABLE, "6.9", "CONFIG_BPF_JIT"},
      OtherMapType{"array_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0, "4.12",
                   "CONFIG_BPF_SYSCALL"},
      OtherMapType{"bloom_filter", BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 1, 0, "5.16",
                   "CONFIG_BPF_SYSCALL"},
      OtherMapType{"cpumap", BPF_MAP_TYPE_CPUMAP, 4, 8, 1, 0, "4.15", "CONFIG_NET"},
      OtherMapType{"devmap", BPF_MAP_TYPE_DEVMAP, 4, 8, 1, 0, "4.14", "CONFIG_NET"},
      OtherMapType{"devmap_hash", BPF_MAP_TYPE_DEVMAP_HASH, 4, 8, 1, 0, "5.4", "CONFIG_NET"},
      OtherMapType{"hash_of_maps", BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 1, 0, "4.12",
                   "CONFIG_BPF_SYSCALL"},
      OtherMapType{"lpm_trie", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1, BPF_F_NO_PREALLOC, "4.11",
                   "CONFIG_BPF_SYSCALL"},
      OtherMapType{"queue", BPF_MAP_TYPE_QUEUE, 0, 8, 1, 0, "4.20", "CONFIG_BPF_SYSCALL"},
      OtherMapType{"ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, kSmallestRingBytes, 0, "5.8",
                   "CONFIG_BPF_SYSCALL"},
      OtherMapType{"sockhash", BPF_MAP_TYPE_SOCKHASH, 4, 8, 1, 0, "4.18",
                   "CONFIG_BPF_STREAM_PARSER"},
      OtherMapType{"sockmap", BPF_MAP_TYPE_SOCKMAP, 4, 8, 1, 0, "4.14", "CONFIG_BPF_STREAM_PARSER"},
      OtherMapType{"stack", BPF_MAP_TYPE_STACK, 0, 8, 1, 0, "4.20", "CONFIG_BPF_SYSCALL"},
      OtherMapType{"user_ringbuf", BPF_MAP_TYPE_USER_RINGBUF, 0, 0, kSmallestRingBytes, 0, "6.1",
                   "CONFIG_BPF_SYSCALL"},
  };
  return kTypes;
}

}  // namespace bpfmark
