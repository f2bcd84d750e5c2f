// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/families.h"
#include "harness/capability.h"
#include "harness/guards.h"
#include "harness/registry.h"

namespace bpfmark {

// The very cases of the program.
inline const Registry& registered_cases() {
  static const Registry registry = [] {
    Registry all;
    register_all(all, Capabilities::instance());
    return all;
  }();
  return registry;
}

// nullptr if no case is called that.
inline const Case* find_case(std::string_view name) {
  for (const Case& candidate : registered_cases().cases()) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

// What the program does before it measures: pins the thread, checks the needs, loads. An LRU map
// that is filled from two CPUs evicts entries before it is full.
// Errors: a typed skip, or those of the loader.
inline Result<std::unique_ptr<PairedLoad>> load_case(const Case& c) {
  if (Result<void> pinned = pin_to_cpu(allowed_cpus().back()); !pinned) {
    return std::unexpected(pinned.error());
  }
  if (Result<void> met = Capabilities::instance().check(c.needs); !met) {
    return std::unexpected(met.error());
  }
  return c.load();
}

// GoogleTest's names have letters, digits and underscores only.
inline std::string test_name(const ::testing::TestParamInfo<const Case*>& info) {
  std::string name = info.param->name;
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

// Found by GoogleTest, which otherwise prints the pointer.
inline void PrintTo(const Case* c, std::ostream* out) { *out << (c ? c->name : "no case"); }

}  // namespace bpfmark
