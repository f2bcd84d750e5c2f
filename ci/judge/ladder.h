// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bpfmark {

// Cases whose names differ in the value of one key alone.
struct Ladder {
  struct Rung {
    std::string value;      // of the key
    std::size_t benchmark;  // place in the list of names
  };
  std::string name;  // "map_lookup/type:*/access:hit"
  std::string key;   // "type"
  std::vector<Rung> rungs;
};

// All ladders of at least `min_rungs`, the longest first. Rungs are in the order of the names, or
// ascending where all values are numbers.
std::vector<Ladder> find_ladders(const std::vector<std::string>& names, std::size_t min_rungs);

}  // namespace bpfmark
