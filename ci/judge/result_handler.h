// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ci/judge/result_parser.h"

// What result_parser.cpp hands to the JSON parser.
namespace bpfmark {

// A value that is neither object nor array.
struct Scalar {
  enum class Kind { kNull, kBool, kNumber, kString };
  Kind kind = Kind::kNull;
  bool truth = false;
  double number = 0;
  std::string_view text;

  std::string as_text() const {
    switch (kind) {
      case Kind::kNull:
        return "null";
      case Kind::kBool:
        return truth ? "true" : "false";
      case Kind::kNumber:
        return fmt::format("{}", number);
      case Kind::kString:
        break;
    }
    return std::string(text);
  }
};

// A value of the metric whose name has this place in a list.
struct MetricValue {
  std::size_t metric;
  double value;
};

// Fields of one element of benchmarks[], skips[] or failures[].
struct Entry {
  std::string name, run_type, time_unit;
  std::string cause, support, remedy, capability, error_message, skip_message;
  bool error_occurred = false, skipped = false;
  double repetition_index = 0, iterations = 0;
  std::vector<MetricValue> metrics;
  CaseDetails details;
};

// The repetitions of one case. A launch has thousands of cases with one repetition each, so all
// values are in one list.
struct CaseRepetitions {
  std::string name;
  std::vector<double> indices;
  std::vector<MetricValue> metrics;
  CaseDetails details;
};

enum class Keep {
  kMedians,   // of the metrics wanted
  kDetails,   // and the details
  kOutcomes,  // the same, also of a result without any number
  kRows,      // and every number of every repetition
};

// Receives the parser's events, so that no document is ever held in memory. Every event returns
// whether to go on; after a refusal error() says why.
class ResultHandler {
 public:
  ResultHandler(const std::string& path, const std::vector<std::string>& wanted, Keep keep)
      : wanted_(wanted),
        details_(keep != Keep::kMedians),
        rows_(keep == Keep::kRows),
        needs_number_(keep != Keep::kOutcomes) {
    launch_.path = path;
  }

  // Needs the parse to have ended well.
  Result<Launch> finish();

  Error error() const {
    return {.kind = ErrorKind::kWrongResult,
            .what = fmt::format("{}: {}", launch_.path, complaint_)};
  }

  bool null() { return scalar({}); }
  bool boolean(bool value) { return scalar({.kind = Scalar::Kind::kBool, .truth = value}); }
  bool number_integer(nlohmann::json::number_integer_t value) {
    return number(static_cast<double>(value));
  }
  bool number_unsigned(nlohmann::json::number_unsigned_t value) {
    return number(static_cast<double>(value));
  }
  bool number_float(nlohmann::json::number_float_t value, const std::string&) {
    return number(value);
  }
  bool string(const std::string& value) {
    return scalar({.kind = Scalar::Kind::kString, .text = value});
  }
  bool binary(nlohmann::json::binary_t&) { return refuse("binary value"); }
  bool key(const std::string& key);
  bool start_object(std::size_t) { return begin(Shape::kObject) && enter(Shape::kObject); }
  bool start_array(std::size_t) { return begin(Shape::kArray) && enter(Shape::kArray); }
  bool end_array() {
    --depth_;
    return true;
  }
  bool end_object();
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error);

 private:
  enum class Shape { kObject, kArray, kScalar };
  enum class Section { kOther, kContext, kBenchmarks, kSkips, kFailures };

  struct Level {
    bool is_array = false;
    std::size_t elements = 0;       // begun so far
    std::vector<std::string> keys;  // the first key_count are this object's; kept for their memory
    std::size_t key_count = 0;

    const std::string& key() const { return keys[key_count - 1]; }
  };

  // Within benchmarks[].LIST[].
  bool is_in_element() const {
    return details_ && section_ == Section::kBenchmarks && depth_ >= 5 && levels_[3].is_array &&
           !levels_[4].is_array;
  }
  bool is_in_histogram() const { return is_in_element() && levels_[2].key() == "histograms"; }
  bool in_list() const { return section_ >= Section::kBenchmarks; }
  bool number(double value) { return scalar({.kind = Scalar::Kind::kNumber, .number = value}); }
  bool scalar(const Scalar& value);
  bool begin(Shape shape);
  bool enter(Shape shape);
  bool add_identity(const Scalar& value);
  bool add_field(const std::string& key, const Scalar& value);
  void add_text(const std::string& key, std::string_view text);
  void add_metric(const std::string& key, double value);
  bool begin_detail();
  bool add_detail(const Scalar& value);
  std::vector<DetailRecord>* records_of(std::string_view list);
  bool is_wanted(const std::string& key) const {
    return std::ranges::find(wanted_, key) != wanted_.end();
  }
  bool finish_entry();
  bool add_repetition();
  std::map<std::string, double, std::less<>> medians_of(std::vector<MetricValue> values) const;
  std::string place() const;
  bool refuse(const std::string& complaint);
  bool refuse_document(const std::string& complaint) {
    depth_ = 0;
    return refuse(complaint);
  }

  const std::vector<std::string>& wanted_;
  bool details_, rows_, needs_number_;
  Launch launch_;
  std::string complaint_;
  std::vector<Level> levels_;
  std::size_t depth_ = 0;
  Section section_ = Section::kOther;
  bool has_benchmarks_ = false;
  Entry entry_;
  std::vector<std::string> kept_names_;  // of what is kept
  std::vector<CaseRepetitions> cases_;
  std::unordered_map<std::string, std::size_t> case_index_;
};

}  // namespace bpfmark
