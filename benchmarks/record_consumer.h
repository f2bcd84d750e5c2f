// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <sched.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "fixtures/record_reader.h"
#include "harness/pinned_thread.h"
#include "harness/result.h"

// What the families about records on their way to user space have in common.
namespace bpfmark {

// Records of a perf buffer before a wake-up: the kernel compares as a signed number.
inline constexpr std::uint32_t kNeverWake = 1u << 30;

// Of `cpus` one that is not the caller's, -1 if there is none.
inline int other_cpu(const std::vector<int>& cpus) {
  int other = -1;
  for (const int cpu : cpus) {
    if (cpu != ::sched_getcpu()) other = cpu;
  }
  return other;
}

// Reads each time the kernel sends a wake-up, until the thread is to stop. The stop joins the
// reader's own epoll instance, for one more layer would be in the number. Errors: kSystem.
inline Result<void> consume_on_wake_up(RecordReader& reader, const PinnedThread& consumer) {
  epoll_event stop{.events = EPOLLIN, .data = {}};
  if (::epoll_ctl(reader.poll_fd(), EPOLL_CTL_ADD, consumer.stop_fd(), &stop) != 0) {
    return system_error(errno, "wait for a stop beside the records");
  }
  while (!consumer.stopping()) {
    epoll_event woken{};
    if (::epoll_wait(reader.poll_fd(), &woken, 1, -1) < 0 && errno != EINTR) {
      return system_error(errno, "wait for records");
    }
    if (Result<void> done = reader.consume(); !done) return done;
  }
  return {};
}

}  // namespace bpfmark
