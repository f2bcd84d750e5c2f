// SPDX-License-Identifier: BSD-2-Clause
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <set>
#include <tuple>

#include "ci/judge/history.h"
#include "ci/judge/owned_fd.h"

namespace bpfmark {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> write_error(int errnum, const std::string& path) {
  return system_error(errnum, fmt::format("write {}", path));
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return write_error(errno, path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Within the kernel, and without a copy where the file system can share blocks.
Result<void> copy_all(int from, int to, const std::string& path) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 30;
  for (;;) {
    const ssize_t copied = ::copy_file_range(from, nullptr, to, nullptr, kAtOnce, 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return write_error(errno, path);
    if (copied == 0) return {};
  }
}

Result<void> write_successor(const std::string& path, const std::string& name,
                             std::string_view lines) {
  // Left by a writer that was killed; the lock says that it is nobody's now.
  if (::unlink(name.c_str()) != 0 && errno != ENOENT) return write_error(errno, name);
  const OwnedFd to(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (to.get() < 0) return write_error(errno, path);
  const OwnedFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (from.get() < 0 && errno != ENOENT) return system_error(errno, fmt::format("read {}", path));
  if (from.get() >= 0) {
    struct stat status{};
    if (::fstat(from.get(), &status) != 0 || ::fchmod(to.get(), status.st_mode & 07777) != 0) {
      return write_error(errno, path);
    }
    // Only root can give files away, and only root needs to.
    if (::fchown(to.get(), status.st_uid, status.st_gid) != 0 && errno != EPERM) {
      return write_error(errno, path);
    }
    if (Result<void> copied = copy_all(from.get(), to.get(), path); !copied) return copied;
  }
  if (Result<void> written = write_all(to.get(), lines, path); !written) return written;
  if (::fsync(to.get()) != 0) return write_error(errno, path);
  if (::rename(name.c_str(), path.c_str()) != 0) return write_error(errno, path);
  return {};
}

// What makes two runs the same.
auto key_of(const TrackedRun& run) {
  return std::tuple(run.date, run.commit, run.label, environment_digest(run.environment));
}

}  // namespace

Result<void> append_history(const std::string& path, const std::vector<TrackedRun>& runs,
                            const std::vector<TrackedValues>& values) {
  std::error_code error;
  // What a symbolic link names is replaced, not the link.
  const fs::path target = fs::weakly_canonical(path, error);
  if (error) return write_error(error.value(), path);
  const fs::path directory = target.parent_path();
  // The history itself cannot carry the lock, for another file takes its place.
  const OwnedFd lock(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.get() < 0) return write_error(errno, path);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return system_error(errno, fmt::format("lock {}", directory.string()));
  }
  std::set<std::tuple<std::string, std::string, std::string, std::string>> known;
  if (fs::exists(target, error)) {
    const Result<History> history = read_history(path, {"net_ns"});
    if (!history) return std::unexpected(history.error());
    for (const TrackedRun& run : history->runs) known.insert(key_of(run));
  }
  std::string lines;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!known.insert(key_of(runs[i])).second) {
      return wrong_result(fmt::format("{}: holds the run of {} already (commit {}{})", path,
                                      runs[i].date, runs[i].commit,
                                      runs[i].label.empty() ? "" : ", label " + runs[i].label));
    }
    lines += history_line(runs[i], values[i]) + "\n";
  }
  const std::string name = target.string() + ".new";
  if (Result<void> written = write_successor(target.string(), name, lines); !written) {
    ::unlink(name.c_str());
    return written;
  }
  // The new name lasts once the directory does; failing that, the file is whole all the same.
  ::fsync(lock.get());
  return {};
}

}  // namespace bpfmark
