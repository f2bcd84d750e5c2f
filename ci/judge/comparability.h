// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "ci/judge/result_parser.h"

// Which differences between two identities forbid to compare the numbers, and which are what one
// compares. All functions are pure.
namespace bpfmark {

struct Difference {
  std::string field;      // "cpu.model"
  std::string old_value;  // "(absent)" where only the other side has the field
  std::string new_value;
};

// "cpu.model differs: 'AMD EPYC' | 'Intel Xeon'"
std::string to_text(const Difference& difference);

// Differences for which the numbers do not mean the same: CPU, hypervisor, architecture, build
// type, clock source, JIT and statistics switches, mitigations, and the kernel's configuration.
// Two releases never have the same configuration hash, for the file names the release, and a newer
// one lists more vulnerabilities: between two releases these two belong to what one compares.
std::vector<Difference> forbidding_differences(const Identity& old_side, const Identity& new_side);

// Differences that are worth a line: commit, compilers, libraries, kernel, microcode, governor,
// label, CPU that was measured on.
std::vector<Difference> notable_differences(const Identity& old_side, const Identity& new_side);

// What the launches of one side must have in common: all that forbids, and the very things whose
// change one looks for (commit, compilers, libbpf, kernel).
std::vector<Difference> launch_differences(const Identity& first, const Identity& other);

// What a change of speed is not to be blamed on a commit for: the machine, its kernel, switches,
// microcode and boot parameters, the libraries and compilers. Commit, version and label are no part
// of it.
Identity environment_of(const Identity& identity);

// All fields in which two environments differ.
std::vector<Difference> environment_differences(const Identity& old_side, const Identity& new_side);

// Why the numbers of one launch are not meant to be judged (dry run, debug build, stopped
// half-way, emulated machine, planted cost), or nothing.
std::vector<std::string> defects(const Identity& identity);

}  // namespace bpfmark
