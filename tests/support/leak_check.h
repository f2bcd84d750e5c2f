// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace bpfmark {

enum class BpfKind { kProgram, kMap, kBtf, kLink };

struct BpfObjectId {
  BpfKind kind;
  std::uint32_t id;

  auto operator<=>(const BpfObjectId&) const = default;
};

// What may be left behind: descriptors of this process, BPF objects of the machine.
struct Inventory {
  std::map<int, std::string> descriptors;  // with what they refer to
  std::set<BpfObjectId> bpf_objects;       // empty without the privilege to list them

  static Inventory take();
};

// The kernel frees programs and maps some time after the last reference is gone.
inline constexpr std::chrono::milliseconds kLeakPatience{2000};

// What exists now, did not in `before`, and still does after `patience`; one line each, with number
// or id and name. BPF objects that another process has open are that process's own business.
std::vector<std::string> left_behind(const Inventory& before,
                                     std::chrono::milliseconds patience = kLeakPatience);

// Fails every test that leaves something behind. Installed by tests/support/main.cpp.
class LeakListener : public ::testing::EmptyTestEventListener {
 public:
  void OnTestStart(const ::testing::TestInfo& info) override;
  void OnTestEnd(const ::testing::TestInfo& info) override;

 private:
  Inventory before_;
};

}  // namespace bpfmark
