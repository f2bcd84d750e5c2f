// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/report_table.h"

#include <fmt/format.h>

#include "ci/judge/html.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {

std::string open_table(std::string_view id, std::size_t rows, std::string_view caption,
                       std::initializer_list<ReportColumn> columns) {
  std::string html = fmt::format(
      "<div class=\"tools scripted\"><label>Filter <input type=\"search\" data-table=\"{0}\" "
      "placeholder=\"words that occur in the row\"></label> <span class=\"muted\" id=\"{0}-count\" "
      "role=\"status\">{1} rows</span></div>\n<div class=\"scroll\"><table class=\"sortable\" "
      "id=\"{0}\"><caption>{2}</caption><thead><tr>",
      id, rows, caption);
  for (const auto& [title, is_number] : columns) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", is_number ? " class=\"num\"" : "", title);
  }
  return html + "</tr></thead><tbody>\n";
}

std::string name_cell(std::string_view name) {
  return fmt::format("<td class=\"name\">{}</td>", escape_html(name));
}

std::string text_cell(std::string_view text, std::string_view css) {
  if (css.empty()) return fmt::format("<td>{}</td>", escape_html(text));
  return fmt::format("<td class=\"{}\">{}</td>", css, escape_html(text));
}

std::string number_cell(const std::optional<double>& value, std::string_view css) {
  if (!value) return "<td class=\"num muted\">&ndash;</td>";
  return number_cell(*value, shown_number(*value), css);
}

std::string number_cell(double value, std::string_view text, std::string_view css) {
  return fmt::format("<td class=\"num{}{}\" data-v=\"{}\">{}</td>", css.empty() ? "" : " ", css,
                     value, escape_html(text));
}

}  // namespace bpfmark
