// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

// Numbers and names as reports for people show them.
namespace bpfmark {

// Four significant digits, but never more than three decimals: 0.123, 12.35, 1235.
std::string shown_number(double value);

// Text without meaning to Markdown, on one line.
std::string markdown_text(std::string_view text);

}  // namespace bpfmark
