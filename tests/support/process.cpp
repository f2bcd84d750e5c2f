// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace bpfmark {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kCannotExecute = 127;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> create_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(errno, "create a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// The terminal's own side is what the program gets to write to.
Result<Pipe> create_terminal() {
  int ours = -1, terminal = -1;
  if (::openpty(&ours, &terminal, nullptr, nullptr, nullptr) != 0) {
    return system_error(errno, "create a pseudo-terminal");
  }
  for (const int fd : {ours, terminal}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return Pipe{UniqueFd(ours), UniqueFd(terminal)};
}

bool become_nobody() {
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
         ::setresuid(kNobody, kNobody, kNobody) == 0;
}

// Between fork and exec: only what may be called there.
[[noreturn]] void execute(const ProcessOptions& options, char* const* arguments, int out, int err) {
  const int to = options.stdout_path.empty() ? out : ::open(options.stdout_path.c_str(), O_WRONLY);
  bool ready = ::dup2(to, STDOUT_FILENO) >= 0 && ::dup2(err, STDERR_FILENO) >= 0;
  if (!options.stdin_path.empty()) {
    ready = ready && ::dup2(::open(options.stdin_path.c_str(), O_RDONLY), STDIN_FILENO) >= 0;
  }
  if (options.file_size_limit) {
    const rlimit limit = {*options.file_size_limit, *options.file_size_limit};
    ready = ready && ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
  }
  if (options.as_nobody && ::geteuid() == 0) ready = ready && become_nobody();
  if (ready) ::execv(options.program.c_str(), arguments);
  ::_exit(kCannotExecute);
}

// Appends what is there to read; forgets the stream at its end, which a terminal reports as EIO.
void drain(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
  if (count > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || errno != EINTR) {
    fd = UniqueFd();
  }
}

}  // namespace

Result<Process> Process::start(const ProcessOptions& options) {
  Result<Pipe> out = create_pipe();
  if (!out) return std::unexpected(out.error());
  Result<Pipe> err = options.stderr_is_terminal ? create_terminal() : create_pipe();
  if (!err) return std::unexpected(err.error());
  std::vector<std::string> texts = options.arguments;
  texts.insert(texts.begin(), options.program);
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return system_error(errno, "fork");
  if (pid == 0) execute(options, arguments.data(), out->write_end.get(), err->write_end.get());
  return Process(pid, std::move(out->read_end), std::move(err->read_end));
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)),
      result_(std::move(other.result_)) {}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::send(int signal) const { ::kill(pid_, signal); }

bool Process::read_some(Deadline deadline) {
  if (!out_ && !err_) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  if (left.count() <= 0) return false;
  // poll() passes over negative descriptors.
  std::array<pollfd, 2> streams = {
      {{.fd = out_.get(), .events = POLLIN}, {.fd = err_.get(), .events = POLLIN}}};
  if (::poll(streams.data(), streams.size(), static_cast<int>(left.count())) <= 0) return true;
  if (streams[0].revents != 0) drain(out_, result_.out);
  if (streams[1].revents != 0) drain(err_, result_.err);
  return true;
}

bool Process::wait_for_stderr(const std::string& text, std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  while (result_.err.find(text) == std::string::npos) {
    if (!read_some(deadline)) return false;
  }
  return true;
}

Result<ProcessResult> Process::wait(std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  while (read_some(deadline)) {
  }
  const bool late = out_ || err_;
  if (late) ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(std::exchange(pid_, 0), &status, 0);
  if (late) return system_error(ETIMEDOUT, "wait for the program");
  if (WIFEXITED(status)) result_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result_.signal = WTERMSIG(status);
  return std::move(result_);
}

}  // namespace bpfmark
