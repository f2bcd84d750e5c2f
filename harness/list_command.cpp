// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "harness/commands.h"

namespace bpfmark {

int run_list(const Registry& registry, bool names_only, bool as_json) {
  if (as_json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Case& c : registry.cases()) {
      list.push_back({{"name", c.name},
                      {"question", c.question},
                      {"floor", c.floor},
                      {"needs", c.needs},
                      {"suite", c.suite == Suite::kDefault ? "default" : "full"},
                      {"ops_per_batch", c.plan.ops_per_batch},
                      {"rounds", c.plan.rounds},
                      {"loads", c.plan.loads}});
    }
    fmt::print("{}\n", list.dump(2));
    return kExitOk;
  }
  for (const Case& c : registry.cases()) {
    if (names_only) {
      fmt::print("{}\n", c.name);
    } else {
      fmt::print("{}\n    {}\n    floor: {}\n    needs: {}{}\n", c.name, c.question, c.floor,
                 c.needs.empty() ? "nothing" : fmt::format("{}", fmt::join(c.needs, ", ")),
                 c.suite == Suite::kFull ? "; only with --suite=full or a filter" : "");
    }
  }
  return kExitOk;
}

}  // namespace bpfmark
