// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

// Costs planted into the bodies of subjects, to prove that an alarm rings (ci/alarm-proof). Only a
// build with -DBPFMARK_PLANTED=ON can: its BPF programs have a place for the work
// (bpf/lib/batch.bpf.h), those of other builds do not.
namespace bpfmark {

#ifdef BPFMARK_PLANTED
inline constexpr bool kCanPlant = true;
#else
inline constexpr bool kCanPlant = false;
#endif

// ns per operation, by the name of the case.
using Plants = std::map<std::string, double, std::less<>>;

// Adds "NAME=NS". What is wrong with it, or nothing.
std::optional<std::string> add_plant(const std::string& text, Plants& plants);

// Announces what the next load is to get; 0 for nothing. Threads that are started later see it.
void announce_plant(double ns_per_op);

// What was announced, in steps of a multiply chain for `ops` operations; takes the announcement.
std::uint32_t take_planted_steps(unsigned ops);

// Whether nobody took the announcement: the case has no place for it.
bool plant_is_left();

// For a loader, before the load: plants into programs that have the place.
template <class Rodata>
void plant([[maybe_unused]] Rodata& rodata, [[maybe_unused]] unsigned ops_a_pass) {
  if constexpr (requires { rodata.planted_steps; }) {
    rodata.planted_steps = take_planted_steps(ops_a_pass);
  }
}

}  // namespace bpfmark
