// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "harness/paired.h"

namespace bpfmark {

enum class Suite { kDefault, kFull };  // kFull: only with --suite=full or a filter

// One registered measurement.
struct Case {
  std::string name;                // stable and public: family/key:value/key:value
  std::string question;            // what the number answers, one line
  std::string floor;               // what is subtracted, one line
  std::vector<std::string> needs;  // capabilities
  Suite suite = Suite::kDefault;
  std::string ladder;  // the key whose values are laid side by side below the table; mostly none
  Plan plan;
  Loader load;
  // Of a composite: the cases that measure its operations one by one. Else empty.
  std::vector<std::string> parts = {};
};

// The cases of the program in the order of registration, which is the order in which they run.
class Registry {
 public:
  // A name that is taken already is a programming error.
  void add(Case added);

  const std::vector<Case>& cases() const { return cases_; }

  // Cases whose name matches the extended regular expression `filter` anywhere (a leading '-'
  // selects those that do not match, as in Google Benchmark), or those of `suite` if it is empty.
  // Errors: kSystem for a filter that is no regular expression.
  Result<std::vector<const Case*>> select(std::string_view filter, Suite suite) const;

 private:
  std::vector<Case> cases_;
};

}  // namespace bpfmark
