// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// Larger files are refused unread. Memory does not grow with the file, only with the number of its
// benchmarks, so this bounds time: at 100 MB/s, 20 s.
inline constexpr std::uintmax_t kMaxResultBytes = std::uintmax_t{2} << 30;

// What context.bpfmark of a result file says, as text, by the path of the field:
// "kernel.bpf.jit_enable". Also context.library_build_type, by that name.
using Identity = std::map<std::string, std::string, std::less<>>;

// A case that gave no number, and why.
struct Absence {
  std::string name;
  std::string reason;
  std::string capability, remedy;  // of a typed skip
};

// A latency distribution: buckets that are not empty, ascending, upper ends exclusive.
struct Distribution {
  struct Bucket {
    double lower_ns = 0, upper_ns = 0, count = 0;
  };
  std::string name;
  std::vector<Bucket> buckets;

  // Adds the samples of another one.
  void merge(const Distribution& other);
};

// An element of "trials", "trial_checks" or "foreign_programs": its scalars by the name of the
// field.
struct DetailRecord {
  using Texts = std::map<std::string, std::string, std::less<>>;
  Texts texts;                                         // "clock", "filter" ...
  std::map<std::string, double, std::less<>> figures;  // "trial", "avg_ns", "count" ...

  // "" where there is no such text.
  std::string text(std::string_view field) const;
};

// What else is to be told about a case; read on demand.
struct CaseDetails {
  std::string verdict;    // where repetitions differ, one that is not "resolved"
  std::size_t loads = 0;  // behind its interval, over all repetitions
  std::vector<Distribution> distributions;
  std::vector<DetailRecord> trials;  // in the order of the file
  std::vector<DetailRecord> trial_checks;
  std::vector<DetailRecord> foreign_programs;  // each once, whatever its id
  std::vector<std::string> parts;  // of a composite: the cases that measure its operations

  // Adds what another repetition or launch says.
  void merge(const CaseDetails& other);
};

// The numbers of one case in one launch: per metric the median over the repetitions. Times are in
// ns whatever the file's unit.
struct CaseMedians {
  std::string name;
  std::map<std::string, double, std::less<>> metrics;
  CaseDetails details;
};

// One repetition of a case, with every number that the file has for it.
struct ResultRow {
  std::string name;
  double repetition = 0;
  double iterations = 0;
  std::map<std::string, double, std::less<>> metrics;  // real_time in ns
  CaseDetails details;
};

// One result file, which is one launch of the program.
struct Launch {
  std::string path;
  Identity identity;
  Identity stock;  // the scalars of context that are Google Benchmark's: date, host_name ...
  std::vector<CaseMedians> cases;  // in the order of the file
  std::vector<Absence> skips;
  std::vector<Absence> failures;
  std::vector<std::string> metric_names;  // of its first benchmark
  std::vector<ResultRow> rows;            // only from read_rows(), in the order of the file
};

// Reads a whole result file, keeping the metrics that are named, and CaseDetails if asked. Strict:
// what is not JSON, has a key twice, is no result of this program, has another schema version, a
// field of the wrong type or no number at all is an Error (kWrongResult), whose text names the file
// (`path`) and the line or the place in the document. The fields of other writers are ignored, as
// the format demands.
Result<Launch> parse_launch(std::istream& in, const std::string& path,
                            const std::vector<std::string>& metrics, bool details = false);

// As above, from the file at `path`. Errors: also kSystem, and kWrongResult for an empty file, one
// above kMaxResultBytes and one that is not a regular file.
Result<Launch> read_launch(const std::string& path, const std::vector<std::string>& metrics,
                           bool details = false);

// As above, with the nets and the details: what became of each case. Takes a result without any
// number too.
Result<Launch> parse_outcomes(std::istream& in, const std::string& path);
Result<Launch> read_outcomes(const std::string& path);

// As above, with `rows`: every number of every repetition, and its details.
Result<Launch> parse_rows(std::istream& in, const std::string& path);
Result<Launch> read_rows(const std::string& path);

}  // namespace bpfmark
