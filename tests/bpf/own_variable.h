// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/bpf/own_map.h"

namespace bpfmark {

// A global variable of a loaded case, found by its name in the kernel's types of the map that holds
// it ("event_la.bss"): the way to a wrong count from outside.
class OwnVariable {
 public:
  OwnVariable(const std::string& map, const std::string& name) {
    const UniqueFd fd = own_map(map);
    bpf_map_info info{};
    __u32 length = sizeof(info);
    if (!fd || bpf_map_get_info_by_fd(fd.get(), &info, &length) != 0) return;
    const std::unique_ptr<btf, decltype(&btf__free)> types(btf__load_from_kernel_by_id(info.btf_id),
                                                           btf__free);
    if (!types) return;
    const btf_type* const section = btf__type_by_id(types.get(), info.btf_value_type_id);
    const btf_var_secinfo* const variables = btf_var_secinfos(section);
    for (int i = 0; i < btf_vlen(section); ++i) {
      const btf_type* const variable = btf__type_by_id(types.get(), variables[i].type);
      if (name != btf__name_by_offset(types.get(), variable->name_off)) continue;
      bytes_ = info.value_size;
      memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
      if (memory_ == MAP_FAILED) return;
      value_ =
          reinterpret_cast<std::uint64_t*>(static_cast<std::byte*>(memory_) + variables[i].offset);
    }
  }
  ~OwnVariable() {
    if (value_ != nullptr) ::munmap(memory_, bytes_);
  }
  OwnVariable(const OwnVariable&) = delete;
  OwnVariable& operator=(const OwnVariable&) = delete;

  // Its first 8 bytes; nullptr if there is no such variable.
  std::uint64_t* get() const { return value_; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint64_t* value_ = nullptr;
};

}  // namespace bpfmark
