// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fixtures/unique_fd.h"

namespace bpfmark {

// Descriptors of the attached programs of this process.
inline std::vector<int> own_links() {
  std::vector<int> links;
  for (const auto& descriptor : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream file(descriptor.path());
    for (std::string word; file >> word;) {
      if (word == "link_type:") links.push_back(std::stoi(descriptor.path().filename()));
    }
  }
  return links;
}

// Detaches them without their owners' knowledge: what they own from now on is no link.
inline void detach_own_links() {
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const int link : own_links()) ::dup3(nothing.get(), link, O_CLOEXEC);
}

}  // namespace bpfmark
