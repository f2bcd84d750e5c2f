// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ci/judge/result_file.h"
#include "harness/result.h"

// A history: JSON Lines, one line a run. README.md lists the fields.
namespace bpfmark {

// Version of a line; raised when a reader must change.
inline constexpr int kHistorySchemaVersion = 1;

// What is kept of every benchmark that has it, beside what is asked for.
inline constexpr std::array<const char*, 6> kTrackedMetrics = {
    "net_ns", "real_time", "p50_ns", "p99_ns", "insns_xlated", "jited_bytes"};

// One run: what it was and where it ran.
struct TrackedRun {
  std::string date;    // as the result file has it
  std::string commit;  // empty where the result names none
  std::string label;
  std::uint64_t launches = 1;  // whose medians the values are
  Identity environment;        // see environment_of()
  std::size_t line = 0;        // in the file, from 1
};

using TrackedValues =
    std::map<std::string, std::map<std::string, double, std::less<>>, std::less<>>;

// The values of one metric of one benchmark under one label, over the runs that have it.
struct Series {
  std::string label, benchmark, metric;
  std::vector<std::size_t> runs;  // places in History::runs, ascending
  std::vector<double> values;
};

struct History {
  std::string path;
  std::vector<TrackedRun> runs;
  std::vector<Series> series;  // in the order in which they first occur
};

// Tells environments apart, is no seal: 16 hexadecimal digits.
std::string environment_digest(const Identity& environment);

// One line without its end.
std::string history_line(const TrackedRun& run, const TrackedValues& values);

// Reads lines until the end, keeping the metrics that are named, or all if none is. Strict: a line
// that is not a whole record of this schema, has a key twice, or a digest that is not that of its
// environment is an Error (kWrongResult) that names file and line. An empty file is a history of no
// runs.
Result<History> parse_history(std::istream& in, const std::string& path,
                              const std::vector<std::string>& metrics);

// As above, from a file. Errors: also kSystem.
Result<History> read_history(const std::string& path, const std::vector<std::string>& metrics);

// Appends lines, all or none. A copy with the lines at its end takes the place of the file, so that
// whoever reads, whoever is killed and whatever disk is full, the old or the new file is there,
// whole; writers take turns by a lock. The file is made if it is not there. Errors: those of
// read_history(), a run that is in the history already (kWrongResult), and kSystem; then nothing
// has changed.
Result<void> append_history(const std::string& path, const std::vector<TrackedRun>& runs,
                            const std::vector<TrackedValues>& values);

}  // namespace bpfmark
