// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

// The tables of a report: with scripts on they sort and filter (report/report.js). Pure functions.
namespace bpfmark {

struct ReportColumn {
  std::string_view title;
  bool is_number = false;
};

// Its filter, and all up to its first row. `caption` and titles are HTML.
std::string open_table(std::string_view id, std::size_t rows, std::string_view caption,
                       std::initializer_list<ReportColumn> columns);
inline constexpr std::string_view kCloseTable = "</tbody></table></div>\n";

// Cells; texts are escaped. A number sorts by its value; without one the cell says so.
std::string name_cell(std::string_view name);
std::string text_cell(std::string_view text, std::string_view css = "");
std::string number_cell(const std::optional<double>& value, std::string_view css = "");
// A number that is shown as `text`.
std::string number_cell(double value, std::string_view text, std::string_view css);

}  // namespace bpfmark
