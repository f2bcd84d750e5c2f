// SPDX-License-Identifier: BSD-2-Clause
#include "harness/pinned_thread.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "harness/guards.h"

namespace bpfmark {

Result<std::unique_ptr<PinnedThread>> PinnedThread::start(int cpu, Work work) {
  const int stop_fd = ::eventfd(0, EFD_CLOEXEC);
  if (stop_fd < 0) return system_error(errno, "make an eventfd");
  std::unique_ptr<PinnedThread> started(new PinnedThread(stop_fd));
  Result<void> pinned;
  std::atomic<bool> ready = false;
  started->thread_ = std::jthread([&, self = started.get(), work = std::move(work)] {
    const Result<void> own = pin_to_cpu(cpu);
    pinned = own;
    ready = true;
    ready.notify_one();
    if (own) self->outcome_ = work(*self);
    self->ended_ = true;
  });
  ready.wait(false);
  if (!pinned) return std::unexpected(pinned.error());
  return started;
}

PinnedThread::~PinnedThread() {
  stop_ = true;
  ::eventfd_write(stop_fd_, 1);
  if (thread_.joinable()) thread_.join();
  ::close(stop_fd_);
}

std::optional<Error> PinnedThread::failure() const {
  if (!ended_) return std::nullopt;
  return outcome_ ? Error{.kind = ErrorKind::kSystem, .what = "the thread ended too early"}
                  : outcome_.error();
}

}  // namespace bpfmark
