// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace bpfmark {

// Whether the hypervisor with this CPUID vendor string translates instructions instead of letting
// the CPU execute them (QEMU without KVM does): then counts are right, and no time means anything.
bool is_emulator(std::string_view hypervisor);

// Whether this machine is such a one. Always false where there is no CPUID.
bool machine_is_emulated();

// Everything that decides whether two results may be compared: kernel, its switches, the CPU,
// virtualisation, libraries, compilers, commit. What cannot be read is left out, never guessed.
// `cpu` is the CPU that the run is pinned to.
nlohmann::ordered_json machine_identity(int cpu);

// Versions and commit of this program.
nlohmann::ordered_json build_identity();

}  // namespace bpfmark
