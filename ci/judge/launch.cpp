// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "ci/judge/owned_fd.h"
#include "harness/clock.h"
#include "harness/interrupt.h"

namespace bpfmark {
namespace {

constexpr int kPollMs = 100;
constexpr double kGraceNs = 10e9;  // bench writes what it has; after that it is killed
constexpr std::size_t kLastWordsBytes = 500;

// Between fork and exec: only what may be called there. Says errno through `report`.
[[noreturn]] void execute(char* const* arguments, pid_t parent, int out, int err, int report) {
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent && nothing >= 0 &&
      ::dup2(nothing, STDIN_FILENO) >= 0 && ::dup2(out, STDOUT_FILENO) >= 0 &&
      ::dup2(err, STDERR_FILENO) >= 0 && ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0) {
    ::execv(arguments[0], arguments);
  }
  const int errnum = errno;
  // A parent that does not hear this sees the status.
  [[maybe_unused]] const ssize_t written = ::write(report, &errnum, sizeof(errnum));
  ::_exit(127);
}

// Why the child could not be executed, or 0: the pipe closes by itself when it could.
int errno_of_exec(int report) {
  int errnum = 0;
  ssize_t got = 0;
  do {
    got = ::read(report, &errnum, sizeof(errnum));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(errnum) ? errnum : 0;
}

std::string content_of(int fd) {
  std::string text;
  std::array<char, 1 << 16> buffer;
  off_t place = 0;
  for (ssize_t got; (got = ::pread(fd, buffer.data(), buffer.size(), place)) > 0; place += got) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// True if the user asked to stop, in which case the group of the child has been ended.
bool wait_for_end(pid_t pid, int pidfd, OnStop on_stop) {
  double deadline_ns = 0;
  for (;;) {
    pollfd ended = {.fd = pidfd, .events = POLLIN, .revents = 0};
    if (::poll(&ended, 1, kPollMs) > 0) return deadline_ns > 0;
    if (on_stop == OnStop::kFinish || stop_signal() == 0) continue;
    const auto now = static_cast<double>(now_ns());
    if (deadline_ns == 0) {
      ::kill(-pid, SIGTERM);
      deadline_ns = now + kGraceNs;
    } else if (now > deadline_ns) {
      ::kill(-pid, SIGKILL);
    }
  }
}

}  // namespace

std::string ending_text(const ChildOutcome& outcome) {
  return outcome.signal != 0 ? fmt::format("was killed by signal {}", outcome.signal)
                             : fmt::format("ended with status {}", outcome.exit_code);
}

std::string last_words(const std::string& err) {
  std::string words = err.substr(err.size() - std::min(err.size(), kLastWordsBytes));
  while (!words.empty() && words.back() == '\n') words.pop_back();
  for (std::size_t at; (at = words.find('\n')) != std::string::npos;) words.replace(at, 1, " | ");
  return words.empty() ? "it said nothing" : words;
}

Result<ChildOutcome> run_child(const std::vector<std::string>& arguments, OnStop on_stop) {
  std::vector<std::string> texts = arguments;
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const OwnedFd out(::memfd_create("stdout", MFD_CLOEXEC)),
      err(::memfd_create("stderr", MFD_CLOEXEC));
  std::array<int, 2> ends{-1, -1};
  if (out.get() < 0 || err.get() < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return system_error(errno, "create a memory file");
  }
  const OwnedFd report(ends[0]);
  const std::uint64_t start_ns = now_ns();
  const pid_t parent = ::getpid(), pid = ::fork();
  if (pid == 0) execute(pointers.data(), parent, out.get(), err.get(), ends[1]);
  const int fork_errno = errno;
  ::close(ends[1]);
  if (pid < 0) return system_error(fork_errno, "fork");
  ::setpgid(pid, pid);  // Here too, for either may be the first to need it.
  const int exec_errno = errno_of_exec(report.get());
  const OwnedFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const bool stopped = pidfd.get() >= 0 && wait_for_end(pid, pidfd.get(), on_stop);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (exec_errno != 0) return system_error(exec_errno, texts.front());
  if (stopped) return interrupted();
  ChildOutcome outcome{.seconds = static_cast<double>(now_ns() - start_ns) * 1e-9,
                       .out = content_of(out.get()),
                       .err = content_of(err.get())};
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  return outcome;
}

}  // namespace bpfmark
