// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>
#include <vector>

// Numbers and names as reports for people show them.
namespace bpfmark {

// Four significant digits, but never more than three decimals: 0.123, 12.35, 1235.
std::string shown_number(double value);

// One command line for a shell.
std::string shell_line(const std::vector<std::string>& words);

// "bench COMMAND: TEXT" as one line of stderr. Such text quotes what was read, and that can be
// anything: of a control character, also a line break, '?' is left.
std::string complaint_line(std::string_view command, std::string text);

// Text without meaning to Markdown, on one line.
std::string markdown_text(std::string_view text);

}  // namespace bpfmark
