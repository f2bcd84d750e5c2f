// SPDX-License-Identifier: BSD-2-Clause
// What the reader of histories says to any bytes: a history or an error of one line, never a crash.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "ci/judge/history.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  const auto history = bpfmark::parse_history(in, "fuzzed.jsonl", {});
  const bool told = history ? history->path == "fuzzed.jsonl"
                            : history.error().what.starts_with("fuzzed.jsonl:") &&
                                  history.error().what.find('\n') == std::string::npos;
  if (!told) std::abort();
  return 0;
}
