// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/baseline.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace bpfmark {
namespace {

namespace fs = std::filesystem;

bool is_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= 100 && !name.starts_with('.') &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::unexpected<Error> copy_error(const std::error_code& error, const fs::path& to) {
  return system_error(error.value(), fmt::format("write {}", to.string()));
}

// The position goes first, so that two files of one name can be kept and their order stays.
Result<void> copy_files(const std::vector<std::string>& files, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to, error);
  if (error) return copy_error(error, to);
  std::size_t position = 0;
  for (const std::string& file : files) {
    const fs::path target =
        to / fmt::format("{:05}-{}.json", position++, fs::path(file).stem().string());
    fs::copy_file(file, target, error);
    if (error) return copy_error(error, target);
  }
  return {};
}

// Puts `fresh` in the place of `target`, whether or not that exists.
Result<void> exchange(const fs::path& fresh, const fs::path& target) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    return {};
  }
  if (errno == ENOENT && ::rename(fresh.c_str(), target.c_str()) == 0) return {};
  return system_error(errno, fmt::format("write {}", target.string()));
}

}  // namespace

Result<std::string> baseline_directory(const std::string& name) {
  if (!is_name(name)) {
    return wrong_result(fmt::format(
        "baseline '{}': a name is letters, digits, '.', '_' and '-', at most 100", name));
  }
  const char* const data = std::getenv("XDG_DATA_HOME");
  const char* const home = std::getenv("HOME");
  fs::path directory;
  if (data != nullptr && data[0] == '/') {  // The XDG specification has relative paths ignored.
    directory = data;
  } else if (home != nullptr && home[0] != '\0') {
    directory = fs::path(home) / ".local/share";
  } else {
    return wrong_result("baselines: neither XDG_DATA_HOME nor HOME is set");
  }
  return (directory / "bpfmark/baselines" / name).string();
}

Result<void> save_baseline(const std::string& name, const std::vector<std::string>& files) {
  const auto directory = baseline_directory(name);
  if (!directory) return std::unexpected(directory.error());
  const fs::path target = *directory;
  // No baseline can have this name.
  const fs::path scratch = target.parent_path() / fmt::format(".{}.{}", name, ::getpid());
  Result<void> saved = copy_files(files, scratch);
  if (saved) saved = exchange(scratch, target);
  std::error_code ignored;
  fs::remove_all(scratch, ignored);  // The copies of a failure, or the baseline that was replaced.
  return saved;
}

}  // namespace bpfmark
