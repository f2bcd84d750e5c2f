// SPDX-License-Identifier: BSD-2-Clause
#include "harness/first_line.h"

#include <fstream>

namespace bpfmark {

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  return line;
}

}  // namespace bpfmark
