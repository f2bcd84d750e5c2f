// SPDX-License-Identifier: BSD-2-Clause
#include "harness/findings.h"

#include <algorithm>

namespace bpfmark {

Histogram& Findings::histogram(const std::string& name) {
  const auto found = std::ranges::find(histograms, name, &NamedHistogram::name);
  if (found != histograms.end()) return found->histogram;
  return histograms.emplace_back(name, Histogram()).histogram;
}

void Findings::add_foreign(const ForeignProgram& program) {
  if (std::ranges::find(foreign_programs, program) == foreign_programs.end()) {
    foreign_programs.push_back(program);
  }
}

void Findings::add_missing(const std::string& what, const Error& why) {
  counters.erase(what);
  if (std::ranges::find(missing, what, &Missing::what) == missing.end()) {
    missing.push_back({.what = what, .why = why});
  }
}

}  // namespace bpfmark
