// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "ci/judge/input_file.h"

namespace bpfmark {
namespace {

using nlohmann::json;

// No line of this program comes near it; it bounds the memory that a hostile one takes.
constexpr std::size_t kMaxLineBytes = std::size_t{64} << 20;

bool has_control_character(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
}

// A number for every text.
class Names {
 public:
  std::size_t id_of(const std::string& name) {
    const auto [found, is_new] = ids_.try_emplace(name, names_.size());
    if (is_new) names_.push_back(name);
    return found->second;
  }
  const std::string& operator[](std::size_t id) const { return names_[id]; }

 private:
  std::unordered_map<std::string, std::size_t> ids_;
  std::vector<std::string> names_;
};

// Receives the parser's events of one line after the other.
class LineHandler {
 public:
  explicit LineHandler(const std::vector<std::string>& wanted) : wanted_(wanted) {}

  // Before every line.
  void begin_line(std::size_t line) {
    run_ = {.line = line};
    values_.clear();
    seen_ = 0;
    version_ = 0;
    depth_ = 0;
    complaint_.clear();
    digest_.clear();
  }

  // After a line that was parsed well: adds it, or says in complaint() why it is none.
  bool end_line(History& history);

  const std::string& complaint() const { return complaint_; }

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("unexpected boolean"); }
  bool number_integer(json::number_integer_t value) { return number(static_cast<double>(value)); }
  bool number_unsigned(json::number_unsigned_t value) { return number(static_cast<double>(value)); }
  bool number_float(json::number_float_t value, const std::string&) { return number(value); }
  bool string(const std::string& value);
  bool binary(json::binary_t&) { return refuse("binary value"); }
  bool key(const std::string& key);
  bool start_object(std::size_t);
  bool end_object() {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) { return refuse("unexpected array"); }
  bool end_array() { return true; }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    std::string text = error.what();
    text.erase(0, text.find("] ") + 2);
    if (const auto at = text.find("line 1, "); at != std::string::npos) text.erase(at, 8);
    constexpr std::size_t kMaxText = 300;
    if (text.size() > kMaxText) text = text.substr(0, kMaxText) + "...";
    complaint_ = text;
    return false;
  }

 private:
  enum Field { kVersion, kDate, kCommit, kLabel, kLaunches, kDigest, kEnvironment, kBenchmarks };
  static constexpr std::array<std::string_view, 8> kFields = {
      "schema_version", "date",   "commit",      "label",
      "launches",       "digest", "environment", "benchmarks"};

  struct Value {
    std::size_t benchmark, metric;
    double value;
  };

  bool refuse(const std::string& complaint) {
    complaint_ = depth_ == 0 ? complaint : fmt::format("{}: {}", place(), complaint);
    return false;
  }
  std::string place() const {
    std::string path(kFields[field_]);
    if (depth_ >= 2) path += "." + inner_key_;
    if (depth_ >= 3) path += "." + metric_;
    return path;
  }
  bool has(Field field) const { return (seen_ >> field & 1) != 0; }
  bool number(double value);
  // Whether a thing was not yet there in this line; `last_lines` remembers the line by its id.
  bool first_in_line(std::vector<std::size_t>& last_lines, std::size_t id) const {
    if (id >= last_lines.size()) last_lines.resize(id + 1);
    return std::exchange(last_lines[id], run_.line) != run_.line;
  }

  const std::vector<std::string>& wanted_;
  Names labels_, benchmarks_, metrics_;
  std::vector<std::size_t> benchmark_lines_;
  std::map<std::tuple<std::size_t, std::size_t, std::size_t>, std::size_t> series_;

  // Of the line at hand.
  TrackedRun run_;
  std::vector<Value> values_;
  unsigned seen_ = 0;
  double version_ = 0;
  std::string digest_;
  std::size_t depth_ = 0;
  Field field_ = kVersion;
  std::string inner_key_;  // of environment, or the name of a benchmark
  std::string metric_;
  std::size_t benchmark_ = 0;
  std::vector<std::string> metrics_of_benchmark_;
  std::string complaint_;
};

bool LineHandler::start_object(std::size_t) {
  if (depth_ == 0) {
    ++depth_;
    return true;
  }
  const bool expected = (depth_ == 1 && (field_ == kEnvironment || field_ == kBenchmarks)) ||
                        (depth_ == 2 && field_ == kBenchmarks);
  if (!expected) return refuse("unexpected object");
  if (depth_ == 2) {
    if (inner_key_.empty() || has_control_character(inner_key_)) return refuse("no proper name");
    benchmark_ = benchmarks_.id_of(inner_key_);
    if (!first_in_line(benchmark_lines_, benchmark_)) return refuse("the key stands twice");
    metrics_of_benchmark_.clear();
  }
  ++depth_;
  return true;
}

bool LineHandler::key(const std::string& key) {
  if (depth_ == 1) {
    const auto found = std::ranges::find(kFields, key);
    if (found == kFields.end()) {
      complaint_ = fmt::format("unknown field '{}'", key.substr(0, 100));
      return false;
    }
    field_ = static_cast<Field>(found - kFields.begin());
    if (has(field_)) return refuse("the key stands twice");
    seen_ |= 1u << field_;
    inner_key_.clear();
  } else if (depth_ == 2) {
    inner_key_ = key;
  } else {
    metric_ = key;
    if (std::ranges::find(metrics_of_benchmark_, key) != metrics_of_benchmark_.end()) {
      return refuse("the key stands twice");
    }
    metrics_of_benchmark_.push_back(key);
  }
  return true;
}

bool LineHandler::number(double value) {
  if (depth_ == 1 && field_ == kVersion) {
    version_ = value;
    return true;
  }
  if (depth_ == 1 && field_ == kLaunches) {
    if (!(value >= 1 && value <= 1e6 && value == std::floor(value))) return refuse("not a count");
    run_.launches = static_cast<std::uint64_t>(value);
    return true;
  }
  if (depth_ != 3) return refuse("unexpected number");
  if (has_control_character(metric_)) return refuse("no proper name");
  if (wanted_.empty() || std::ranges::find(wanted_, metric_) != wanted_.end()) {
    values_.push_back({benchmark_, metrics_.id_of(metric_), value});
  }
  return true;
}

bool LineHandler::string(const std::string& value) {
  if (depth_ == 2 && field_ == kEnvironment) {
    return run_.environment.try_emplace(inner_key_, value).second || refuse("the key stands twice");
  }
  if (depth_ != 1) return refuse("unexpected text");
  switch (field_) {
    case kDate:
      run_.date = value;
      break;
    case kCommit:
      run_.commit = value;
      break;
    case kLabel:
      run_.label = value;
      break;
    case kDigest:
      digest_ = value;
      return true;
    default:
      return refuse("unexpected text");
  }
  return !has_control_character(value) || refuse("control character");
}

bool LineHandler::end_line(History& history) {
  if (!has(kVersion)) {
    complaint_ = "no record of a history: schema_version is missing";
    return false;
  }
  if (version_ != kHistorySchemaVersion) {
    complaint_ = fmt::format("schema_version: {}, but this program reads {}", version_,
                             kHistorySchemaVersion);
    return false;
  }
  for (const Field field : {kDate, kLaunches, kDigest, kEnvironment, kBenchmarks}) {
    if (has(field)) continue;
    complaint_ = fmt::format("{} is missing", kFields[field]);
    return false;
  }
  if (digest_ != environment_digest(run_.environment)) {
    complaint_ = fmt::format("digest: {} does not belong to this environment", digest_);
    return false;
  }
  const std::size_t label = labels_.id_of(run_.label);
  for (const auto& [benchmark, metric, value] : values_) {
    const auto [place, is_new] =
        series_.try_emplace({label, benchmark, metric}, history.series.size());
    if (is_new) {
      history.series.push_back(
          {.label = run_.label, .benchmark = benchmarks_[benchmark], .metric = metrics_[metric]});
    }
    Series& series = history.series[place->second];
    series.runs.push_back(history.runs.size());
    series.values.push_back(value);
  }
  history.runs.push_back(std::move(run_));
  return true;
}

// Lines of a stream, of bounded length.
class LineReader {
 public:
  explicit LineReader(std::istream& in) : in_(in) {}

  // std::nullopt at the end, and then too_long() and rest() say what is left.
  std::optional<std::string_view> next() {
    for (std::size_t searched = begin_;;) {
      const std::size_t end = buffer_.find('\n', searched);
      if (end != std::string::npos) {
        const std::string_view line(buffer_.data() + begin_, end - begin_);
        begin_ = end + 1;
        return line;
      }
      searched = buffer_.size() - begin_;
      buffer_.erase(0, begin_);
      begin_ = 0;
      if (buffer_.size() > kMaxLineBytes || !fill()) return std::nullopt;
    }
  }

  bool too_long() const { return buffer_.size() > kMaxLineBytes; }
  bool rest() const { return !buffer_.empty(); }

 private:
  bool fill() {
    constexpr std::size_t kBlockBytes = std::size_t{1} << 16;
    const std::size_t size = buffer_.size();
    buffer_.resize(size + kBlockBytes);
    in_.read(buffer_.data() + size, kBlockBytes);
    buffer_.resize(size + static_cast<std::size_t>(in_.gcount()));
    return buffer_.size() > size;
  }

  std::istream& in_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace

std::string environment_digest(const Identity& environment) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const auto& [field, value] : environment) {
    for (const std::string_view part : {std::string_view(field), std::string_view("\0", 1),
                                        std::string_view(value), std::string_view("\0", 1)}) {
      for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    }
  }
  return fmt::format("{:016x}", hash);
}

std::string history_line(const TrackedRun& run, const TrackedValues& values) {
  nlohmann::ordered_json line = {{"schema_version", kHistorySchemaVersion}, {"date", run.date}};
  if (!run.commit.empty()) line["commit"] = run.commit;
  if (!run.label.empty()) line["label"] = run.label;
  line["launches"] = run.launches;
  line["digest"] = environment_digest(run.environment);
  line["environment"] = run.environment;
  line["benchmarks"] = values;
  return line.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<History> parse_history(std::istream& in, const std::string& path,
                              const std::vector<std::string>& metrics) {
  History history{.path = path};
  LineReader reader(in);
  LineHandler handler(metrics);
  std::size_t number = 0;
  const auto broken = [&](std::string complaint) {
    // It quotes what was read, and that can be anything.
    std::ranges::replace_if(complaint, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
    return wrong_result(fmt::format("{}:{}: {}", path, number, complaint));
  };
  while (const auto line = reader.next()) {
    ++number;
    handler.begin_line(number);
    if (line->empty()) return broken("an empty line");
    if (!json::sax_parse(line->begin(), line->end(), &handler) || !handler.end_line(history)) {
      return broken(handler.complaint());
    }
  }
  ++number;
  if (reader.too_long()) return broken(fmt::format("longer than {} bytes", kMaxLineBytes));
  if (reader.rest()) return broken("the line has no end: this file is cut off");
  return history;
}

Result<History> read_history(const std::string& path, const std::vector<std::string>& metrics) {
  std::ifstream in;
  if (Result<void> opened = open_input_file(path, in); !opened) {
    return std::unexpected(opened.error());
  }
  errno = 0;
  Result<History> history = parse_history(in, path, metrics);
  if (in.bad()) return system_error(errno, fmt::format("read {}", path));
  return history;
}

}  // namespace bpfmark
