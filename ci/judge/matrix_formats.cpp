// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "ci/judge/matrix.h"
#include "ci/judge/shown_text.h"
#include "harness/csv.h"

namespace bpfmark {
namespace {

using Kind = MatrixCell::Kind;

// Reasons as numbered notes, each once: one lack often skips dozens of cases.
class Notes {
 public:
  std::size_t number_of(const MatrixCell& cell) {
    const std::string text =
        cell.remedy.empty() ? cell.reason : fmt::format("{} ({})", cell.reason, cell.remedy);
    const auto [place, is_new] = places_.try_emplace(text, notes_.size());
    if (is_new) notes_.emplace_back(text, 0);
    ++notes_[place->second].second;
    return place->second + 1;
  }

  // One line a note; `show` turns the text into that of the format.
  template <class Show>
  std::string text(std::string_view line_start, Show show) const {
    std::string lines;
    for (std::size_t i = 0; i < notes_.size(); ++i) {
      const auto& [note, count] = notes_[i];
      lines += fmt::format("{}[{}] {} case{}: {}\n", line_start, i + 1, count,
                           count == 1 ? "" : "s", show(note));
    }
    return lines;
  }

 private:
  std::vector<std::pair<std::string, std::size_t>> notes_;
  std::map<std::string, std::size_t> places_;
};

std::string shown_cell(const MatrixCell& cell, Notes& notes) {
  switch (cell.kind) {
    case Kind::kNotRun:
      return "-";
    case Kind::kNumber:
      return cell.verdict == "resolved" && cell.net_ns ? shown_number(*cell.net_ns)
             : cell.verdict.empty()                    ? "no verdict"
                                                       : cell.verdict;
    case Kind::kVerified:
      return "verified";
    case Kind::kSkipped:
      return fmt::format("skipped [{}]", notes.number_of(cell));
    case Kind::kFailed:
      return fmt::format("FAILED [{}]", notes.number_of(cell));
  }
  return "-";
}

std::string summary(const MatrixColumn& column) {
  std::string text = fmt::format("{}: {} numbers, {} verified, {} skipped, {} failed", column.head,
                                 column.numbers, column.verified, column.skipped, column.failed);
  for (const std::string& defect : column.defects) {
    text += fmt::format("{} {}", column.numbers > 0 ? "; FORCED:" : ";", defect);
  }
  return text;
}

constexpr std::string_view kWhatNumbersAre =
    "Numbers are net ns per operation; verified: it ran and its counts were right.";

}  // namespace

std::string matrix_text(const Matrix& matrix) {
  Notes notes;
  std::vector<std::vector<std::string>> lines;
  lines.push_back({"case"});
  for (const MatrixColumn& column : matrix.columns) lines.back().push_back(column.head);
  for (const MatrixRow& row : matrix.rows) {
    lines.push_back({row.name});
    for (const MatrixCell& cell : row.cells) lines.back().push_back(shown_cell(cell, notes));
  }
  std::vector<std::size_t> widths(matrix.columns.size() + 1);
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    text += fmt::format("{:<{}}", line.front(), widths.front());
    for (std::size_t i = 1; i < line.size(); ++i) {
      text += fmt::format("  {:>{}}", line[i], widths[i]);
    }
    text += "\n";
  }
  text += fmt::format("\n{}\n", kWhatNumbersAre);
  for (const MatrixColumn& column : matrix.columns) text += summary(column) + "\n";
  return text + notes.text("", [](const std::string& note) { return note; });
}

std::string matrix_markdown(const Matrix& matrix) {
  Notes notes;
  std::string text = "| case |", rule = "|---|";
  for (const MatrixColumn& column : matrix.columns) {
    text += fmt::format(" {} |", markdown_text(column.head));
    rule += "---:|";
  }
  text += fmt::format("\n{}\n", rule);
  for (const MatrixRow& row : matrix.rows) {
    text += fmt::format("| {} |", markdown_text(row.name));
    for (const MatrixCell& cell : row.cells) {
      text += fmt::format(" {} |", markdown_text(shown_cell(cell, notes)));
    }
    text += "\n";
  }
  text += fmt::format("\n{}\n\n", kWhatNumbersAre);
  for (const MatrixColumn& column : matrix.columns) {
    text += fmt::format("- {}\n", markdown_text(summary(column)));
  }
  return text + notes.text("- ", markdown_text);
}

std::string matrix_csv(const Matrix& matrix) {
  std::string text = "case,kernel,label,file,outcome,net_ns,verdict,capability,reason,remedy\n";
  for (const MatrixRow& row : matrix.rows) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const MatrixCell& cell = row.cells[i];
      const MatrixColumn& column = matrix.columns[i];
      if (cell.kind == Kind::kNotRun) continue;
      text += fmt::format(
          "{},{},{},{},{},{},{},{},{},{}\n", csv_cell(row.name), csv_cell(column.kernel),
          csv_cell(column.label), csv_cell(column.path), csv_cell(cell_kind_name(cell.kind)),
          cell.net_ns ? fmt::format("{}", *cell.net_ns) : "", csv_cell(cell.verdict),
          csv_cell(cell.capability), csv_cell(cell.reason), csv_cell(cell.remedy));
    }
  }
  return text;
}

std::string matrix_json(const Matrix& matrix) {
  using nlohmann::ordered_json;
  ordered_json document = {{"format", "bpfmark-matrix"},
                           {"schema_version", 1},
                           {"results", ordered_json::array()},
                           {"cases", ordered_json::array()}};
  for (const MatrixColumn& column : matrix.columns) {
    document["results"].push_back({{"kernel", column.kernel},
                                   {"label", column.label},
                                   {"file", column.path},
                                   {"defects", column.defects},
                                   {"numbers", column.numbers},
                                   {"verified", column.verified},
                                   {"skipped", column.skipped},
                                   {"failed", column.failed}});
  }
  for (const MatrixRow& row : matrix.rows) {
    ordered_json cells = ordered_json::array();
    for (const MatrixCell& cell : row.cells) {
      ordered_json entry = {{"outcome", cell_kind_name(cell.kind)}};
      if (cell.net_ns) entry["net_ns"] = *cell.net_ns;
      for (const auto& [field, value] : {std::pair{"verdict", &cell.verdict},
                                         {"capability", &cell.capability},
                                         {"reason", &cell.reason},
                                         {"remedy", &cell.remedy}}) {
        if (!value->empty()) entry[field] = *value;
      }
      cells.push_back(std::move(entry));
    }
    document["cases"].push_back({{"name", row.name}, {"cells", std::move(cells)}});
  }
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace bpfmark
