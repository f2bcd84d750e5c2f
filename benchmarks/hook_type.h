// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "benchmarks/attached_load.h"

namespace bpfmark {

// A way to attach, with what passes there.
struct HookType {
  std::string name;    // in the case's
  std::string driver;  // "kernel", "syscall", or "" where there is one only
  std::string what;    // that an operation does
  AttachedCase attached;
  std::vector<std::string> needs;
  std::uint64_t ops_per_batch = 1024;
};

// Those that hook_dispatch measures; the same way may be there with several drivers.
std::vector<HookType> hook_types();

}  // namespace bpfmark
