// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <string>

namespace bpfmark {

// The first line of a file, as /proc and /sys have settings; nothing if it cannot be read.
std::optional<std::string> first_line(const std::string& path);

}  // namespace bpfmark
