// SPDX-License-Identifier: BSD-2-Clause
#include "harness/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace bpfmark {
namespace {

std::string temporary_name(const std::string& path) {
  return fmt::format("{}.{}.tmp", path, getpid());
}

// A device or pipe (--benchmark_out=/dev/stdout) cannot be replaced by a rename.
bool is_special_file(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

Result<int> open_new(const std::string& name, const std::string& path) {
  const int fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return system_error(errno, fmt::format("write {}", path));
  return fd;
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(errno, fmt::format("write {}", path));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_special_file(const std::string& path, std::string_view content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return system_error(errno, fmt::format("write {}", path));
  const Result<void> written = write_all(fd, content, path);
  ::close(fd);
  return written;
}

}  // namespace

Result<void> check_writable(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return system_error(EISDIR, fmt::format("write {}", path));
  }
  if (is_special_file(path)) {
    return ::access(path.c_str(), W_OK) == 0 ? Result<void>{}
                                             : system_error(errno, fmt::format("write {}", path));
  }
  const std::string name = temporary_name(path);
  const Result<int> fd = open_new(name, path);
  if (!fd) return std::unexpected(fd.error());
  ::close(*fd);
  ::unlink(name.c_str());
  return {};
}

Result<void> write_whole_file(const std::string& path, std::string_view content) {
  if (is_special_file(path)) return write_special_file(path, content);
  const std::string name = temporary_name(path);
  const Result<int> fd = open_new(name, path);
  if (!fd) return std::unexpected(fd.error());
  Result<void> written = write_all(*fd, content, path);
  // Only fsync and close tell about some full disks.
  if (::fsync(*fd) != 0 && written) written = system_error(errno, fmt::format("write {}", path));
  if (::close(*fd) != 0 && written) written = system_error(errno, fmt::format("write {}", path));
  if (written && std::rename(name.c_str(), path.c_str()) != 0) {
    written = system_error(errno, fmt::format("write {}", path));
  }
  if (!written) ::unlink(name.c_str());
  return written;
}

}  // namespace bpfmark
