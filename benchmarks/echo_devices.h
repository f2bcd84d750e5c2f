// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "harness/commands.h"

namespace bpfmark {

// The flags --client-if, --dut-if and --peer: cases of echo_rtt and echo_open_loop over devices
// that are there already. With both devices the run goes over these; with the client's alone, to
// another machine; with the DUT's alone, one case is answered in the place of a run, until
// somebody ends it. An AddRunFlags.
AroundRun add_echo_devices(CLI::App& app, const Registry& registry);

}  // namespace bpfmark
