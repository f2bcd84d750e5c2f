// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/measurement.h"
#include "harness/result.h"

namespace bpfmark {

// What the kernel says about a loaded program. Errors: kSystem.
Result<ProgramIdentity> identify_program(int prog_fd, std::string role);

// Subject and floor of a paired load; what the kernel does not tell is left out.
std::vector<ProgramIdentity> identify_pair(int subject_fd, int floor_fd);

// Of a load whose floor is no program, or the same; none where `subject_fd` is -1.
std::vector<ProgramIdentity> identify_subject(int subject_fd);

// How often the program ran since BPF statistics were switched on. Errors: kSystem.
Result<std::uint64_t> program_run_count(int prog_fd);

// And how long, by the kernel's own clock readings. Errors: kSystem.
Result<std::uint64_t> program_run_time_ns(int prog_fd);

}  // namespace bpfmark
