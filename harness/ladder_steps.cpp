// SPDX-License-Identifier: BSD-2-Clause
#include "harness/ladder_steps.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace bpfmark {

std::vector<LadderStep> ladder_steps(std::vector<LadderCase> cases) {
  std::erase_if(cases, [](const LadderCase& c) { return !median(c.net_ns); });
  std::ranges::stable_sort(cases, {}, [](const LadderCase& c) { return *median(c.net_ns); });
  std::vector<LadderStep> steps;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    LadderStep step{.value = cases[i].value, .net_ns = *median(cases[i].net_ns)};
    if (i > 0) {
      std::vector<double> above_ns(std::min(cases[i].net_ns.size(), cases[i - 1].net_ns.size()));
      std::ranges::transform(cases[i].net_ns, cases[i - 1].net_ns, above_ns.begin(), std::minus());
      step.above_ns = *median(above_ns);
      step.above_interval = order_statistic_interval_median(above_ns);
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace bpfmark
