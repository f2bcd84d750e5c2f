// SPDX-License-Identifier: BSD-2-Clause
#include "harness/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "harness/clock.h"

namespace bpfmark {

Progress::Progress(std::size_t total) : enabled_(::isatty(STDERR_FILENO) == 1), total_(total) {}

void Progress::start(const std::string& name) {
  const double now_s = static_cast<double>(now_ns()) * 1e-9;
  if (started_ == 0) first_start_s_ = now_s;
  ++started_;
  if (!enabled_) return;
  std::string left;
  if (started_ > 1) {
    const double per_case_s = (now_s - first_start_s_) / static_cast<double>(started_ - 1);
    left = ", " + duration_text(per_case_s * static_cast<double>(total_ - started_ + 1)) + " to go";
  }
  fmt::print(stderr, "\r\x1b[K[{}/{}{}] {}", started_, total_, left, name);
}

void Progress::clear() const {
  if (enabled_) fmt::print(stderr, "\r\x1b[K");
}

std::string duration_text(double seconds) {
  const long whole = std::lround(seconds);
  return whole < 60 ? fmt::format("{} s", whole)
                    : fmt::format("{} min {} s", whole / 60, whole % 60);
}

}  // namespace bpfmark
