// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bpf/bpf.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "fixtures/unique_fd.h"

namespace bpfmark {

// A second descriptor of the map of that name which this process has open, whoever owns it: the way
// into a loaded case from outside. Empty if there is none. The kernel keeps 15 characters of a
// name.
inline UniqueFd own_map(const std::string& name) {
  for (const auto& descriptor : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream file(descriptor.path());
    for (std::string word; file >> word;) {
      __u32 id = 0;
      if (word != "map_id:" || !(file >> id)) continue;
      UniqueFd fd(bpf_map_get_fd_by_id(id));
      bpf_map_info info{};
      __u32 length = sizeof(info);
      if (fd && bpf_map_get_info_by_fd(fd.get(), &info, &length) == 0 && name == info.name) {
        return fd;
      }
    }
  }
  return {};
}

}  // namespace bpfmark
