// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace bpfmark {

// SIGINT and SIGTERM ask the run to stop: the batch in flight ends, what is finished is written. A
// second signal ends the process at once (nothing is pinned, so nothing stays behind).
void catch_stop_signals();

// As above, for SIGHUP as well and for every further signal: for a process that has something to
// put back before it ends.
void hold_stop_signals();

// The signal that asked to stop, or 0.
int stop_signal();

}  // namespace bpfmark
