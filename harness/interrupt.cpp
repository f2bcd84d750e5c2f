// SPDX-License-Identifier: BSD-2-Clause
#include "harness/interrupt.h"

#include <csignal>

namespace bpfmark {
namespace {

volatile std::sig_atomic_t requested_signal = 0;

void remember(int signal) { requested_signal = signal; }

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = remember;
  // No SA_RESTART: a test-run in flight must return EINTR instead of finishing its repeats first.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() { return requested_signal; }

}  // namespace bpfmark
