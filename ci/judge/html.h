// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

// Text as a part of a page. Pure functions; what comes from a file goes through one of
// them.
namespace bpfmark {

// For text and for attributes in double quotes. Control characters become U+FFFD.
std::string escape_html(std::string_view text);

// JSON that can stand within <script type="application/json">.
std::string escape_script_json(std::string_view json);

}  // namespace bpfmark
