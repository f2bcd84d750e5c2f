// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tests/judge/results.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {

inline constexpr const char* kHostile =
    "x'\"></title><script>alert(1)</script><img src=\"//a.invalid\">&amp;";

// A result with everything that a report shows, and text that would like to be more than text.
nlohmann::ordered_json hostile_result(double factor);

// A page about it, with a comparison of launches and a history, in a directory of its own.
class MadeUpReport {
 public:
  MadeUpReport();

  std::string page_path() const { return directory_.file("report.html"); }
  std::string page() const { return text_of(page_path()); }
  std::string directory() const { return directory_.path().string(); }
  std::string file(const std::string& name) const { return directory_.file(name); }

 private:
  TemporaryDirectory directory_;
};

}  // namespace bpfmark
