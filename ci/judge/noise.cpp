// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/noise.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "ci/judge/input_file.h"

namespace bpfmark {
namespace {

using nlohmann::json;

std::string field(const Identity& identity, std::string_view name) {
  const auto found = identity.find(name);
  return found == identity.end() ? "" : found->second;
}

std::optional<double> median_of(const BenchmarkSamples& benchmark, std::string_view metric) {
  const auto found = benchmark.metrics.find(metric);
  return found == benchmark.metrics.end() ? std::nullopt : median(found->second);
}

bool is_of_single_events(std::string_view metric) {
  return metric == "max_ns" || metric == "min_ns" ||
         (metric.starts_with('p') && metric.ends_with("_ns"));
}

// A line of the file, or what is wrong with it.
struct Line {
  std::string machine;
  std::map<std::pair<std::string, std::string>, double> rows;
};

std::optional<Line> parse_line(const std::string& text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object() || document.value("noise_schema", 0) != 1) return std::nullopt;
  const auto machine = document.find("machine"), rows = document.find("rows");
  if (machine == document.end() || !machine->is_string() || rows == document.end() ||
      !rows->is_array()) {
    return std::nullopt;
  }
  Line line{.machine = *machine};
  for (const json& row : *rows) {
    if (!row.is_array() || row.size() != 3 || !row[0].is_string() || !row[1].is_string() ||
        !row[2].is_number() || !(row[2].get<double>() >= 0)) {
      return std::nullopt;
    }
    line.rows[{row[0], row[1]}] = row[2];
  }
  return line;
}

}  // namespace

std::optional<double> largest_change(MedianBootstrap& bootstrap, Values first, Values again,
                                     bool as_ratio) {
  if (first.size() < 2 || again.size() < 2) return std::nullopt;
  const auto interval =
      as_ratio ? bootstrap.ratio(first, again) : bootstrap.difference(first, again);
  if (!interval) return std::nullopt;
  const double origin = as_ratio ? 1 : 0;
  return std::max(std::abs(interval->lo - origin), std::abs(interval->hi - origin));
}

std::optional<double> clock_resolution_ns(const Identity& identity,
                                          const BenchmarkSamples& benchmark,
                                          std::string_view metric) {
  const std::string text = field(identity, "user_clock_resolution_ns");
  double resolution_ns = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), resolution_ns).ec != std::errc()) {
    return std::nullopt;
  }
  if (is_of_single_events(metric)) return resolution_ns;
  const auto batch_ns = median_of(benchmark, "batch_ns"),
             raw_ns = median_of(benchmark, "real_time");
  if (!batch_ns || !raw_ns || !(*batch_ns > 0) || !(*raw_ns > 0)) return std::nullopt;
  return resolution_ns * *raw_ns / *batch_ns;
}

Result<NoiseHistory> NoiseHistory::read(const std::string& path, const std::string& machine) {
  NoiseHistory history;
  std::ifstream file;
  if (const Result<void> opened = open_input_file(path, file); !opened) {
    if (opened.error().errnum == ENOENT) return history;
    return std::unexpected(opened.error());
  }
  std::size_t number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    std::optional<Line> line = parse_line(text);
    if (!line || file.eof()) {  // A whole line ends with a newline.
      return wrong_result(fmt::format("{}: line {} is no record of noise", path, number));
    }
    if (line->machine == machine) history.runs_.push_back(std::move(line->rows));
  }
  if (file.bad()) return system_error(EIO, fmt::format("read {}", path));
  const std::size_t too_many = history.runs_.size() - std::min(history.runs_.size(), kNoiseRuns);
  history.runs_.erase(history.runs_.begin(),
                      history.runs_.begin() + static_cast<std::ptrdiff_t>(too_many));
  return history;
}

std::optional<double> NoiseHistory::largest(const std::string& name,
                                            const std::string& metric) const {
  std::optional<double> largest;
  for (const Run& run : runs_) {
    const auto found = run.find({name, metric});
    if (found != run.end()) largest = std::max(largest.value_or(0), found->second);
  }
  return largest;
}

Result<void> append_noise(const std::string& path, const std::string& machine,
                          const std::vector<NoiseRecord>& records) {
  json rows = json::array();
  for (const NoiseRecord& r : records) rows.push_back({r.name, r.metric, r.difference});
  const std::string line =
      json{{"noise_schema", 1}, {"machine", machine}, {"rows", std::move(rows)}}.dump(
          -1, ' ', false, json::error_handler_t::replace) +
      "\n";
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return system_error(errno, fmt::format("write {}", path));
  const off_t before = ::lseek(fd, 0, SEEK_END);
  const ssize_t written = ::write(fd, line.data(), line.size());
  int errnum = written < 0 ? errno : 0;
  if (errnum == 0 && static_cast<std::size_t>(written) != line.size()) {
    // A full disk: half a line would make the file unreadable.
    errnum = ::ftruncate(fd, before) == 0 ? ENOSPC : errno;
  }
  ::close(fd);
  if (errnum != 0) return system_error(errnum, fmt::format("write {}", path));
  return {};
}

std::string machine_key(const Identity& identity) {
  return fmt::format("{} | {} | {}", field(identity, "cpu.model"),
                     field(identity, "cpu.hypervisor"), field(identity, "kernel.release"));
}

}  // namespace bpfmark
