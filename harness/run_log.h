// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "harness/measurement.h"
#include "harness/result.h"

namespace bpfmark {

// What became of every repetition of every case. Google Benchmark carries numbers only; programs,
// raw loads and the cause of a skip travel here, from the case to the reporters.
class RunLog {
 public:
  using Outcome = Result<Measurement>;

  void add(const std::string& name, Outcome outcome) {
    outcomes_[name].push_back(std::move(outcome));
  }

  // nullptr if there is no such repetition.
  const Outcome* find(const std::string& name, std::int64_t repetition) const;

  // Skips of these capabilities are failures (--require=).
  void require(std::set<std::string> capabilities) { required_ = std::move(capabilities); }
  bool is_failure(const Error& error) const {
    return error.kind != ErrorKind::kInterrupted &&
           (!is_skip(error.kind) || required_.contains(error.capability));
  }

 private:
  std::map<std::string, std::vector<Outcome>> outcomes_;
  std::set<std::string> required_;
};

}  // namespace bpfmark
