// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>

namespace bpfmark {

// One line on stderr that says what runs, how many loads of cases are left and for how long,
// rewritten in place. Silent unless stderr is a terminal.
class Progress {
 public:
  explicit Progress(std::size_t total);

  void start(const std::string& name);
  // Takes the line away, so that a row of the table does not start in the middle of it.
  void clear() const;

 private:
  bool enabled_;
  std::size_t total_;
  std::size_t started_ = 0;
  double first_start_s_ = 0;
};

// "1 min 5 s" for a person.
std::string duration_text(double seconds);

}  // namespace bpfmark
