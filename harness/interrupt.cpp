// SPDX-License-Identifier: BSD-2-Clause
#include "harness/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace bpfmark {
namespace {

volatile std::sig_atomic_t requested_signal = 0;

void remember(int signal) { requested_signal = signal; }

// No SA_RESTART: a test-run in flight must return EINTR instead of finishing its repeats first.
void remember_signals(std::initializer_list<int> signals, int flags) {
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = flags;
  for (const int signal : signals) sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_stop_signals() { remember_signals({SIGINT, SIGTERM}, static_cast<int>(SA_RESETHAND)); }

void hold_stop_signals() {
  remember_signals({SIGINT, SIGTERM}, 0);
  struct sigaction action = {};
  sigaction(SIGHUP, nullptr, &action);
  if (action.sa_handler != SIG_IGN) remember_signals({SIGHUP}, 0);  // nohup has it ignored
}

int stop_signal() { return requested_signal; }

}  // namespace bpfmark
