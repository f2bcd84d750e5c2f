// SPDX-License-Identifier: BSD-2-Clause
// What the reader of result files says to any bytes: a launch or an error of one line, never a
// crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "ci/judge/result_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  const auto launch = bpfmark::parse_launch(in, "fuzzed.json", {"net_ns", "real_time"});
  const bool told = launch ? launch->path == "fuzzed.json"
                           : launch.error().what.find("fuzzed.json") != std::string::npos &&
                                 launch.error().what.find('\n') == std::string::npos;
  if (!told) std::abort();
  return 0;
}
