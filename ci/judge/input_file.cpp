// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/input_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

namespace bpfmark {

Result<void> open_input_file(const std::string& path, std::ifstream& in) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return system_error(ENOENT, fmt::format("read {}", path));
  }
  if (error) return system_error(error.value(), fmt::format("read {}", path));
  if (!std::filesystem::is_regular_file(status)) {
    return wrong_result(fmt::format("{}: not a regular file", path));
  }
  in.open(path, std::ios::binary);
  if (!in) return system_error(errno, fmt::format("read {}", path));
  return {};
}

}  // namespace bpfmark
