// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/matrix.h"

#include <map>
#include <set>

#include "ci/judge/comparability.h"
#include "ci/judge/export_cases.h"

namespace bpfmark {
namespace {

using Kind = MatrixCell::Kind;

std::string head_of(const MatrixColumn& column) {
  const std::string kernel = column.kernel.empty() ? "(unknown kernel)" : column.kernel;
  return column.label.empty() ? kernel : kernel + " " + column.label;
}

void name_columns(std::vector<MatrixColumn>& columns) {
  std::map<std::string, int> uses;
  for (const MatrixColumn& column : columns) ++uses[head_of(column)];
  for (MatrixColumn& column : columns) {
    column.head = head_of(column);
    if (uses[column.head] > 1) column.head += " " + column.path;
  }
}

MatrixCell cell_of(const CaseMedians& medians, bool shows_numbers) {
  if (!shows_numbers) return {.kind = Kind::kVerified};
  MatrixCell cell{.kind = Kind::kNumber, .verdict = medians.details.verdict};
  if (const auto net = medians.metrics.find("net_ns"); net != medians.metrics.end()) {
    cell.net_ns = net->second;
  }
  return cell;
}

// A case with a failed repetition has failed, whatever the others gave.
std::map<std::string, MatrixCell> cells_of(const Launch& launch, bool shows_numbers) {
  std::map<std::string, MatrixCell> cells;
  for (const CaseMedians& medians : launch.cases) {
    cells[medians.name] = cell_of(medians, shows_numbers);
  }
  for (const Absence& skip : launch.skips) {
    cells[skip.name] = {.kind = Kind::kSkipped,
                        .reason = skip.reason,
                        .capability = skip.capability,
                        .remedy = skip.remedy};
  }
  for (const Absence& failure : launch.failures) {
    cells[failure.name] = {.kind = Kind::kFailed, .reason = failure.reason};
  }
  return cells;
}

void count(MatrixColumn& column, Kind kind) {
  column.numbers += kind == Kind::kNumber;
  column.verified += kind == Kind::kVerified;
  column.skipped += kind == Kind::kSkipped;
  column.failed += kind == Kind::kFailed;
}

}  // namespace

const char* cell_kind_name(MatrixCell::Kind kind) {
  switch (kind) {
    case Kind::kNotRun:
      return "not run";
    case Kind::kNumber:
      return "number";
    case Kind::kVerified:
      return "verified";
    case Kind::kSkipped:
      return "skipped";
    case Kind::kFailed:
      return "failed";
  }
  return "not run";
}

Matrix make_matrix(const std::vector<Launch>& launches, bool force) {
  Matrix matrix;
  std::vector<std::map<std::string, MatrixCell>> outcomes;
  std::set<std::string> names;
  for (const Launch& launch : launches) {
    MatrixColumn& column =
        matrix.columns.emplace_back(MatrixColumn{.path = launch.path,
                                                 .kernel = identity_field(launch, "kernel.release"),
                                                 .label = identity_field(launch, "label"),
                                                 .defects = defects(launch.identity)});
    outcomes.push_back(cells_of(launch, force || column.defects.empty()));
    for (const auto& [name, cell] : outcomes.back()) {
      names.insert(name);
      count(column, cell.kind);
    }
  }
  name_columns(matrix.columns);
  for (const std::string& name : names) {
    MatrixRow& row = matrix.rows.emplace_back(MatrixRow{.name = name});
    for (const auto& cells : outcomes) {
      const auto found = cells.find(name);
      row.cells.push_back(found == cells.end() ? MatrixCell{} : found->second);
    }
  }
  return matrix;
}

}  // namespace bpfmark
