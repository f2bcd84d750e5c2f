// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>

#include "harness/capability.h"
#include "harness/result.h"

namespace bpfmark {

// How a thread waits: asleep, or asking over and over.
enum class Wait { kBlocking, kBusy };

// An io_uring that one thread makes, fills and empties (IORING_SETUP_SINGLE_ISSUER), and that does
// deferred work only when that thread asks for completions (IORING_SETUP_DEFER_TASKRUN): nothing of
// it interrupts the thread elsewhere. The kernel refuses submissions of other threads.
class Ring {
 public:
  // `entries` of the submission queue: 1 to 32768, rounded up to a power of two. Errors: kSystem
  // (EINVAL before Linux 6.1, EPERM where kernel.io_uring_disabled or a filter forbids it).
  static Result<Ring> create(unsigned entries);

  // For the functions of liburing.
  io_uring* get() const { return ring_.get(); }

  // To be filled by a function io_uring_prep_...(); nullptr while `entries` are not submitted yet.
  io_uring_sqe* next_entry() const { return io_uring_get_sqe(ring_.get()); }

  // Submits what is there and waits until `completions` can be taken. Errors: kSystem, with
  // ETIMEDOUT once they did not come for `patience_ns`.
  Result<void> submit(unsigned completions, Wait wait, std::uint64_t patience_ns) const;

  // Completions that can be taken.
  unsigned ready() const { return io_uring_cq_ready(ring_.get()); }

  struct Completion {
    std::uint64_t user_data = 0;  // of the entry
    int result = 0;               // as of the system call, -errno for an error
    std::uint32_t flags = 0;      // IORING_CQE_F_...
  };

  // Takes the oldest completion, of which there must be one.
  Completion take() const {
    io_uring_cqe* cqe = nullptr;
    io_uring_peek_cqe(ring_.get(), &cqe);
    const Completion taken{.user_data = cqe->user_data, .result = cqe->res, .flags = cqe->flags};
    io_uring_cqe_seen(ring_.get(), cqe);
    return taken;
  }

 private:
  struct Close {
    void operator()(io_uring* ring) const;
  };
  explicit Ring(std::unique_ptr<io_uring, Close> ring) : ring_(std::move(ring)) {}

  std::unique_ptr<io_uring, Close> ring_;
};

// Adds the capability "io_uring".
void add_ring_capability(Capabilities& capabilities);

}  // namespace bpfmark
