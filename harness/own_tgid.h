// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>

#include "harness/result.h"

namespace bpfmark {

// The id of this process as BPF programs see it, which in a pid namespace is not getpid(): for the
// filters of probes. Asks a program, each time. Errors: kSystem.
Result<std::uint32_t> own_tgid();

}  // namespace bpfmark
