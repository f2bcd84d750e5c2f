// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

// Text as a part of something else. Pure functions; what comes from a file goes through one of
// them.
namespace bpfmark {

// For text and for attributes in double quotes. Control characters become U+FFFD.
std::string escape_html(std::string_view text);

// JSON that can stand within <script type="application/json">.
std::string escape_script_json(std::string_view json);

// Words of a command line as a POSIX shell reads them.
std::string shell_quoted(const std::vector<std::string>& words);

}  // namespace bpfmark
