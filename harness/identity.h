// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <nlohmann/json.hpp>

namespace bpfmark {

// Everything that decides whether two results may be compared: kernel, its switches, the CPU,
// virtualisation, libraries, compilers, commit. What cannot be read is left out, never guessed.
// `cpu` is the CPU that the run is pinned to.
nlohmann::ordered_json machine_identity(int cpu);

// Versions and commit of this program.
nlohmann::ordered_json build_identity();

}  // namespace bpfmark
