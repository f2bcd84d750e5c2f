// SPDX-License-Identifier: BSD-2-Clause
#include "harness/planted.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "bpf/shared/batch.h"
#include "harness/clock.h"

namespace bpfmark {
namespace {

double announced_ns = 0;

}  // namespace

std::optional<std::string> add_plant(const std::string& text, Plants& plants) {
  const auto equals = text.rfind('=');
  double ns = 0;
  if (equals != std::string::npos && equals > 0) {
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, ns);
    if (error == std::errc() && stop == end && ns > 0 && ns <= BPFMARK_MAX_PLANTED_NS) {
      plants[text.substr(0, equals)] = ns;
      return std::nullopt;
    }
  }
  return fmt::format("{}: expected NAME=NS, up to {} ns", text, BPFMARK_MAX_PLANTED_NS);
}

void announce_plant(double ns_per_op) { announced_ns = ns_per_op; }

std::uint32_t take_planted_steps(unsigned ops) {
  return static_cast<std::uint32_t>(
      std::lround(std::exchange(announced_ns, 0) * ops / reference_step_ns()));
}

bool plant_is_left() { return announced_ns > 0; }

}  // namespace bpfmark
