// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/capability.h"
#include "harness/commands.h"

namespace bpfmark {

int run_probe(const std::vector<std::string>& names, bool as_json) {
  Capabilities& capabilities = Capabilities::instance();
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Capability* capability : capabilities.all()) {
    if (!names.empty() && std::ranges::find(names, capability->name) == names.end()) continue;
    const ProbeResult& result = capabilities.probe(capability->name);
    if (as_json) {
      list.push_back({{"name", capability->name},
                      {"what", capability->what},
                      {"support", support_name(result.support)},
                      {"cause", result.cause},
                      {"remedy", result.remedy}});
      continue;
    }
    fmt::print("{:<36}{:<15}{}\n", capability->name, support_name(result.support),
               capability->what);
    if (result.support != Support::kSupported) {
      fmt::print("{:<36}cause:  {}\n{:<36}remedy: {}\n", "", result.cause, "", result.remedy);
    }
  }
  if (as_json) fmt::print("{}\n", list.dump(2));
  return kExitOk;
}

}  // namespace bpfmark
