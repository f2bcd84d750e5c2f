// SPDX-License-Identifier: BSD-2-Clause
#include "harness/ring.h"

#include <cerrno>
#include <string>

#include "harness/clock.h"
#include "harness/first_line.h"
#include "harness/interrupt.h"

namespace bpfmark {
namespace {

ProbeResult probe_ring() {
  const Result<Ring> ring = Ring::create(1);
  if (ring) return {Support::kSupported, "", ""};
  ProbeResult result = classify(std::unexpected(ring.error()), "6.1", "CONFIG_IO_URING");
  const std::string disabled = first_line("/proc/sys/kernel/io_uring_disabled").value_or("0");
  if (result.support == Support::kNotPermitted && disabled != "0") {
    result.cause += ": kernel.io_uring_disabled is " + disabled;
    result.remedy = "set kernel.io_uring_disabled to 0, or with 1 be root";
  }
  return result;
}

}  // namespace

void Ring::Close::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  delete ring;
}

Result<Ring> Ring::create(unsigned entries) {
  auto ring = std::make_unique<io_uring>();
  const int err = io_uring_queue_init(entries, ring.get(),
                                      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
  if (err != 0) return system_error(-err, "make an io_uring with deferred work");
  return Ring(std::unique_ptr<io_uring, Close>(ring.release()));
}

Result<void> Ring::submit(unsigned completions, Wait wait, std::uint64_t patience_ns) const {
  __kernel_timespec patience{.tv_sec = static_cast<long long>(patience_ns / 1'000'000'000),
                             .tv_nsec = static_cast<long long>(patience_ns % 1'000'000'000)};
  std::uint64_t deadline_ns = 0;  // read only once something has to be waited for
  while (true) {
    io_uring_cqe* first = nullptr;
    const int done =
        wait == Wait::kBusy
            ? io_uring_submit_and_get_events(ring_.get())
            : io_uring_submit_and_wait_timeout(ring_.get(), &first, completions, &patience, nullptr);
    if (ready() >= completions) return {};
    if (done == -EINTR && stop_signal() != 0) return interrupted();
    if (done < 0 && done != -EINTR && done != -ETIME) {
      return system_error(-done, "submit to an io_uring");
    }
    const std::uint64_t now = now_ns();
    if (deadline_ns == 0) deadline_ns = now + patience_ns;
    if (done == -ETIME || now >= deadline_ns) {
      return system_error(ETIMEDOUT, "wait for completions of an io_uring");
    }
  }
}

void add_ring_capability(Capabilities& capabilities) {
  capabilities.add({"io_uring",
                    "make an io_uring for one thread, with its work deferred until it is asked for",
                    probe_ring});
}

}  // namespace bpfmark
