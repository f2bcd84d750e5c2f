// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ci/judge/result_parser.h"

// What became of every case on every kernel. All functions are pure.
namespace bpfmark {

struct MatrixCell {
  enum class Kind {
    kNotRun,    // the case is not in this result
    kNumber,    // it gave one
    kVerified,  // it gave one that says nothing about cost: a dry run, an emulated machine
    kSkipped,
    kFailed,
  };
  Kind kind = Kind::kNotRun;
  std::optional<double> net_ns;            // of kNumber; the median over the repetitions
  std::string verdict;                     // of that
  std::string reason, capability, remedy;  // of a skip; `reason` also of a failure
};

// "not run", "number", "verified", "skipped", "failed".
const char* cell_kind_name(MatrixCell::Kind kind);

// One result.
struct MatrixColumn {
  std::string head;  // kernel and label; the file too where these do not tell two columns apart
  std::string path, kernel, label;
  std::vector<std::string> defects;  // why its numbers are not shown, or are shown by force
  std::size_t numbers = 0, verified = 0, skipped = 0, failed = 0;
};

struct MatrixRow {
  std::string name;
  std::vector<MatrixCell> cells;  // one a column
};

struct Matrix {
  std::vector<MatrixColumn> columns;  // in the order given
  std::vector<MatrixRow> rows;        // by name
};

// `launches` are from read_outcomes(). With `force` numbers with defects count as numbers.
Matrix make_matrix(const std::vector<Launch>& launches, bool force);

// Forms of it: for people, with the reasons as numbered notes; CSV (RFC 4180), a line a cell that
// was run; JSON, with all of it.
std::string matrix_text(const Matrix& matrix);
std::string matrix_markdown(const Matrix& matrix);
std::string matrix_csv(const Matrix& matrix);
std::string matrix_json(const Matrix& matrix);

}  // namespace bpfmark
