// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bpfmark {

// What is known of a machine, as text. Names are those of context.bpfmark in a result file
// ("cpu.governor", "kernel.bpf.stats_enabled"); what only a live machine tells begins with "live.".
using MachineFacts = std::map<std::string, std::string, std::less<>>;

enum class Weight {
  kGood,
  kNote,    // to be known, no fault
  kMinor,   // makes numbers noisier, or shifts them a little
  kMajor,   // makes numbers wrong, or not to be repeated
  kUnseen,  // not among the facts
};

std::string_view weight_name(Weight weight);

// The verdict of one rule on one fact.
struct MachineFinding {
  std::string subject;  // "governor"
  std::string value;    // empty where unseen
  Weight weight = Weight::kUnseen;
  std::string why, remedy;  // what to do is only said where something is to be done
};

struct MachineGrade {
  char letter = 'A';
  std::vector<MachineFinding> findings;  // one for each rule, in the order of the table
};

// The letter: A, nothing against it; B, one or two minor findings; C, more of them, or one that is
// major; D, several major ones. What cannot be seen does not count, and is shown.
MachineGrade grade_machine(const MachineFacts& facts);

}  // namespace bpfmark
