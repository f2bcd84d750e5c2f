// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/shown_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bpfmark {

std::string shown_number(double value) {
  const double size = std::fabs(value);
  const int decimals = size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0;
  return size < 1e7 ? fmt::format("{:.{}f}", value, decimals) : fmt::format("{:.2e}", value);
}

std::string complaint_line(std::string_view command, std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return fmt::format("bench {}: {}\n", command, text);
}

std::string markdown_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\`*_|<>[]").contains(c)) escaped += '\\';
    escaped += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return escaped;
}

std::string shell_line(const std::vector<std::string>& words) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,+@%";
  std::string line;
  for (const std::string& word : words) {
    std::string quoted;
    if (word.empty() || word.find_first_not_of(kPlain) != std::string::npos) {
      for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
      quoted = fmt::format("'{}'", quoted);
    }
    line += fmt::format("{}{}", line.empty() ? "" : " ", quoted.empty() ? word : quoted);
  }
  return line;
}

}  // namespace bpfmark
