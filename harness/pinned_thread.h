// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "harness/result.h"

namespace bpfmark {

// A thread on one CPU that does its work until it is told to stop; the destructor tells it so and
// joins it. The work ends when stopping() is true, and may sleep on stop_fd() among others.
class PinnedThread {
 public:
  using Work = std::function<Result<void>(const PinnedThread&)>;

  // Returns once the thread is on its CPU. Errors: kSystem, kWrongResult.
  static Result<std::unique_ptr<PinnedThread>> start(int cpu, Work work);

  ~PinnedThread();
  PinnedThread(const PinnedThread&) = delete;
  PinnedThread& operator=(const PinnedThread&) = delete;

  bool stopping() const { return stop_.load(std::memory_order_relaxed); }
  // An eventfd that is readable once the thread is to stop.
  int stop_fd() const { return stop_fd_; }

  // Why the work ended although nobody told it to; nullopt while it goes on.
  std::optional<Error> failure() const;

 private:
  explicit PinnedThread(int stop_fd) : stop_fd_(stop_fd) {}

  int stop_fd_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ended_ = false;
  Result<void> outcome_;
  std::jthread thread_;
};

}  // namespace bpfmark
