// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/result_handler.h"

#include <array>
#include <optional>

#include "harness/result_document.h"
#include "harness/statistics.h"

namespace bpfmark {
namespace {

// No result file comes near these; without them a hostile file could cost quadratic time.
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxKeys = 1000;

std::optional<double> ns_per(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  return std::nullopt;
}

// Keys of an entry that are numbers of the format, not measurements.
constexpr std::array<std::string_view, 6> kBookkeeping = {
    "family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads",
    "iterations"};

void add_field_of_record(DetailRecord& record, const std::string& key, const Scalar& value) {
  if (value.kind == Scalar::Kind::kNumber) record.figures[key] = value.number;
  if (value.kind == Scalar::Kind::kString) record.texts[key] = value.text;
}

}  // namespace

std::string ResultHandler::place() const {
  std::string path;
  for (std::size_t i = 0; i < depth_; ++i) {
    const Level& level = levels_[i];
    if (level.is_array && level.elements > 0) {
      path += fmt::format("[{}]", level.elements - 1);
    } else if (level.key_count > 0) {
      path += fmt::format("{}{}", path.empty() ? "" : ".", level.key());
    }
  }
  return path;
}

bool ResultHandler::refuse(const std::string& complaint) {
  const std::string path = place();
  complaint_ = path.empty() ? complaint : fmt::format("{}: {}", path, complaint);
  return false;
}

bool ResultHandler::parse_error(std::size_t, const std::string&,
                                const nlohmann::json::exception& error) {
  constexpr int kNumberOverflow = 406;  // The only error that comes without line and column.
  std::string text = error.what();
  text.erase(0, text.find("] ") + 2);
  constexpr std::size_t kMaxText = 300;  // The text quotes what was read, and that can be anything.
  if (text.size() > kMaxText) text = text.substr(0, kMaxText) + "...";
  if (error.id == kNumberOverflow) return refuse(text);
  return refuse_document(text);
}

bool ResultHandler::key(const std::string& key) {
  Level& level = levels_[depth_ - 1];
  const auto end = level.keys.begin() + static_cast<std::ptrdiff_t>(level.key_count);
  const bool twice = std::find(level.keys.begin(), end, key) != end;
  if (level.key_count == kMaxKeys) return refuse(fmt::format("more than {} keys", kMaxKeys));
  if (level.key_count == level.keys.size()) level.keys.emplace_back();
  level.keys[level.key_count++] = key;
  if (twice) return refuse("the key stands twice");
  if (depth_ == 1) {
    section_ = key == "context"      ? Section::kContext
               : key == "benchmarks" ? Section::kBenchmarks
               : key == "skips"      ? Section::kSkips
               : key == "failures"   ? Section::kFailures
                                     : Section::kOther;
    has_benchmarks_ |= section_ == Section::kBenchmarks;
  }
  return true;
}

bool ResultHandler::begin(Shape shape) {
  if (depth_ == 0) {
    return shape == Shape::kObject || refuse("no bpfmark result: expected an object");
  }
  Level& parent = levels_[depth_ - 1];
  if (parent.is_array) ++parent.elements;
  if (depth_ == 1 && section_ == Section::kContext && shape != Shape::kObject) {
    return refuse("expected an object");
  }
  if (depth_ == 1 && in_list() && shape != Shape::kArray) return refuse("expected an array");
  if (depth_ == 2 && in_list()) {
    if (shape != Shape::kObject) return refuse("expected an object");
    entry_ = {};
  }
  if (depth_ >= 4 && section_ == Section::kBenchmarks && details_) return begin_detail();
  return true;
}

// An element of loads[], histograms[] or histograms[].buckets[] begins.
bool ResultHandler::begin_detail() {
  const std::string& list = levels_[2].key();
  if (depth_ == 4 && levels_[3].is_array) {
    if (list == "loads") ++entry_.details.loads;
    if (list == "histograms") entry_.details.distributions.emplace_back();
    if (auto* const records = records_of(list)) records->emplace_back();
  }
  if (depth_ == 6 && is_in_histogram() && levels_[4].key() == "buckets") {
    entry_.details.distributions.back().buckets.emplace_back();
  }
  return true;
}

bool ResultHandler::add_detail(const Scalar& value) {
  if (depth_ == 5 && levels_[4].key() == "name" && value.kind == Scalar::Kind::kString) {
    entry_.details.distributions.back().name = value.text;
  }
  if (depth_ != 7 || levels_[4].key() != "buckets") return true;
  Distribution& distribution = entry_.details.distributions.back();
  Distribution::Bucket& bucket = distribution.buckets.back();
  const std::size_t position = levels_[6].elements - 1;
  if (position > 2 || value.kind != Scalar::Kind::kNumber) return refuse("expected three numbers");
  (position == 0 ? bucket.lower_ns : position == 1 ? bucket.upper_ns : bucket.count) = value.number;
  if (position < 2) return true;
  const double previous_ns = distribution.buckets.size() < 2
                                 ? 0
                                 : distribution.buckets[distribution.buckets.size() - 2].upper_ns;
  return (bucket.lower_ns >= previous_ns && bucket.upper_ns > bucket.lower_ns &&
          bucket.count > 0) ||
         refuse("not a bucket, or not in ascending order");
}

// Where the elements of a list of the entry are kept, or nullptr.
std::vector<DetailRecord>* ResultHandler::records_of(std::string_view list) {
  CaseDetails& details = entry_.details;
  if (list == "trials") return &details.trials;
  if (list == "trial_checks") return &details.trial_checks;
  if (list == "foreign_programs") return &details.foreign_programs;
  return nullptr;
}

bool ResultHandler::enter(Shape shape) {
  if (depth_ == kMaxDepth) return refuse(fmt::format("nested deeper than {} levels", kMaxDepth));
  if (depth_ == levels_.size()) levels_.emplace_back();
  Level& level = levels_[depth_++];
  level.is_array = shape == Shape::kArray;
  level.elements = 0;
  level.key_count = 0;
  return true;
}

bool ResultHandler::scalar(const Scalar& value) {
  if (!begin(Shape::kScalar)) return false;
  if (section_ == Section::kContext && depth_ >= 2) return add_identity(value);
  if (in_list() && depth_ == 3) return add_field(levels_[2].key(), value);
  if (depth_ == 5 && is_in_element()) {
    if (auto* const records = records_of(levels_[2].key())) {
      add_field_of_record(records->back(), levels_[4].key(), value);
    }
  }
  if (depth_ == 4 && details_ && in_list() && levels_[2].key() == "parts") {
    if (value.kind != Scalar::Kind::kString) return refuse("expected a name");
    entry_.details.parts.emplace_back(value.text);
  }
  return !is_in_histogram() || add_detail(value);
}

bool ResultHandler::end_object() {
  if (in_list() && depth_ == 3 && !finish_entry()) return false;
  --depth_;
  return true;
}

bool ResultHandler::add_identity(const Scalar& value) {
  constexpr std::string_view kContext = "context.", kOurs = "context.bpfmark.";
  const std::string path = place();
  if (path.starts_with(kOurs)) {
    launch_.identity[path.substr(kOurs.size())] = value.as_text();
  } else {
    launch_.stock[path.substr(kContext.size())] = value.as_text();
    if (path == "context.library_build_type")
      launch_.identity["library_build_type"] = value.as_text();
  }
  return true;
}

bool ResultHandler::add_field(const std::string& key, const Scalar& value) {
  switch (value.kind) {
    case Scalar::Kind::kNumber:
      if (key == "repetition_index") entry_.repetition_index = value.number;
      if (key == "iterations") entry_.iterations = value.number;
      if (section_ == Section::kBenchmarks) add_metric(key, value.number);
      return true;
    case Scalar::Kind::kString:
      add_text(key, value.text);
      break;
    case Scalar::Kind::kBool:
      if (key == "error_occurred") entry_.error_occurred = value.truth;
      if (key == "skipped") entry_.skipped = value.truth;
      break;
    case Scalar::Kind::kNull:
      break;
  }
  return !is_wanted(key) || refuse("expected a number");
}

void ResultHandler::add_text(const std::string& key, std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string Entry::*>, 9> kFields = {{
      {"name", &Entry::name},
      {"run_type", &Entry::run_type},
      {"time_unit", &Entry::time_unit},
      {"cause", &Entry::cause},
      {"support", &Entry::support},
      {"remedy", &Entry::remedy},
      {"capability", &Entry::capability},
      {"error_message", &Entry::error_message},
      {"skip_message", &Entry::skip_message},
  }};
  for (const auto& [name, member] : kFields) {
    if (key == name) entry_.*member = text;
  }
  if (key == "verdict") entry_.details.verdict = text;
}

void ResultHandler::add_metric(const std::string& key, double value) {
  if (cases_.empty() && std::ranges::find(kBookkeeping, key) == kBookkeeping.end()) {
    launch_.metric_names.push_back(key);
  }
  const bool is_kept =
      rows_ ? std::ranges::find(kBookkeeping, key) == kBookkeeping.end() : is_wanted(key);
  if (!is_kept) return;
  const auto known = std::ranges::find(kept_names_, key);
  entry_.metrics.push_back({static_cast<std::size_t>(known - kept_names_.begin()), value});
  if (known == kept_names_.end()) kept_names_.push_back(key);
}

bool ResultHandler::finish_entry() {
  // The place is the entry, not its last field.
  levels_[depth_ - 1].key_count = 0;
  if (entry_.name.empty()) return refuse("no name");
  if (std::ranges::any_of(entry_.name, [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    return refuse("control character in the name");
  }
  switch (section_) {
    case Section::kSkips:
      launch_.skips.push_back({.name = entry_.name,
                               .reason = fmt::format("{}: {}", entry_.support, entry_.cause),
                               .capability = entry_.capability,
                               .remedy = entry_.remedy});
      return true;
    case Section::kFailures:
      launch_.failures.push_back({.name = entry_.name, .reason = entry_.error_message});
      return true;
    case Section::kBenchmarks:
      return add_repetition();
    case Section::kContext:
    case Section::kOther:
      break;
  }
  return true;
}

bool ResultHandler::add_repetition() {
  if (entry_.run_type == "aggregate") return true;
  if (entry_.run_type != "iteration") return refuse("run_type is neither iteration nor aggregate");
  // As Google Benchmark itself writes what gave no number.
  if (entry_.error_occurred) {
    launch_.failures.push_back({.name = entry_.name, .reason = entry_.error_message});
    return true;
  }
  if (entry_.skipped) {
    launch_.skips.push_back({.name = entry_.name, .reason = entry_.skip_message});
    return true;
  }
  const std::optional<double> scale = ns_per(entry_.time_unit);
  if (!scale) return refuse(fmt::format("time_unit '{}' is not ns, us, ms or s", entry_.time_unit));
  const auto [found, is_new] = case_index_.try_emplace(entry_.name, cases_.size());
  if (is_new) cases_.push_back({.name = entry_.name});
  CaseRepetitions& repetitions = cases_[found->second];
  repetitions.indices.push_back(entry_.repetition_index);
  if (details_) repetitions.details.merge(entry_.details);
  for (auto& [metric, value] : entry_.metrics) {
    const std::string& name = kept_names_[metric];
    if (name == "real_time" || name == "cpu_time") value *= *scale;
  }
  repetitions.metrics.insert(repetitions.metrics.end(), entry_.metrics.begin(),
                             entry_.metrics.end());
  if (rows_) {
    launch_.rows.push_back({.name = entry_.name,
                            .repetition = entry_.repetition_index,
                            .iterations = entry_.iterations,
                            .metrics = medians_of(entry_.metrics),  // of one value each
                            .details = std::move(entry_.details)});
  }
  return true;
}

std::map<std::string, double, std::less<>> ResultHandler::medians_of(
    std::vector<MetricValue> values) const {
  std::ranges::sort(values, {}, &MetricValue::metric);
  std::map<std::string, double, std::less<>> medians;
  std::vector<double> of_metric;
  for (auto next = values.begin(); next != values.end();) {
    const std::size_t metric = next->metric;
    of_metric.clear();
    for (; next != values.end() && next->metric == metric; ++next) of_metric.push_back(next->value);
    if (const auto value = median(of_metric)) medians.emplace(kept_names_[metric], *value);
  }
  return medians;
}

Result<Launch> ResultHandler::finish() {
  const auto refused = [this](const std::string& complaint) {
    refuse_document(complaint);
    return std::unexpected(error());
  };
  const auto version = launch_.identity.find("schema_version");
  if (version == launch_.identity.end()) {
    return refused("no bpfmark result: context.bpfmark.schema_version is missing");
  }
  if (version->second != fmt::format("{}", kResultSchemaVersion)) {
    return refused(fmt::format("context.bpfmark.schema_version: {}, but this program reads {}",
                               version->second, kResultSchemaVersion));
  }
  if (!has_benchmarks_) return refused("no bpfmark result: benchmarks is missing");
  if (cases_.empty() && needs_number_) {
    return refused(fmt::format(
        "no benchmark gave a number: {} skipped, {} failed{}", launch_.skips.size(),
        launch_.failures.size(),
        launch_.skips.empty() ? "" : fmt::format(" ({})", launch_.skips.front().reason)));
  }
  for (CaseRepetitions& repetitions : cases_) {
    std::ranges::sort(repetitions.indices);
    if (const auto twice = std::ranges::adjacent_find(repetitions.indices);
        twice != repetitions.indices.end()) {
      return refused(
          fmt::format("benchmarks: '{}' has repetition {} twice", repetitions.name, *twice));
    }
    CaseMedians& medians = launch_.cases.emplace_back(std::move(repetitions.name));
    medians.metrics = medians_of(std::move(repetitions.metrics));
    medians.details = std::move(repetitions.details);
  }
  return std::move(launch_);
}

}  // namespace bpfmark
