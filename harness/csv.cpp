// SPDX-License-Identifier: BSD-2-Clause
#include "harness/csv.h"

namespace bpfmark {

std::string csv_cell(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

}  // namespace bpfmark
