// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/promised.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ranges>

namespace bpfmark {

Lack classify_lack(const Error& error, std::string_view required) {
  const bool lacking = is_skip(error.kind) || error.errnum == EPERM;
  const bool promised = std::ranges::any_of(std::views::split(required, ','), [&](auto part) {
    const std::string_view name(part.begin(), part.end());
    return name == "bpf" || (!name.empty() && name == error.capability);
  });
  return lacking && !promised ? Lack::kSkip : Lack::kFail;
}

std::string required_by_environment() {
  const char* const names = std::getenv("BPFMARK_REQUIRE");
  return names == nullptr ? "" : names;
}

}  // namespace bpfmark
