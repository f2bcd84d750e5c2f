// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/result_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "ci/judge/input_file.h"
#include "ci/judge/result_handler.h"

namespace bpfmark {

void Distribution::merge(const Distribution& other) {
  std::vector<Bucket> all = std::move(buckets);
  all.insert(all.end(), other.buckets.begin(), other.buckets.end());
  std::ranges::stable_sort(all, {}, &Bucket::lower_ns);
  buckets.clear();
  for (const Bucket& bucket : all) {
    const bool same = !buckets.empty() && buckets.back().lower_ns == bucket.lower_ns &&
                      buckets.back().upper_ns == bucket.upper_ns;
    if (same) {
      buckets.back().count += bucket.count;
    } else {
      buckets.push_back(bucket);
    }
  }
}

std::string DetailRecord::text(std::string_view field) const {
  const auto found = texts.find(field);
  return found == texts.end() ? std::string() : found->second;
}

void CaseDetails::merge(const CaseDetails& other) {
  loads += other.loads;
  if (verdict.empty() || verdict == "resolved") verdict = other.verdict;
  for (const Distribution& distribution : other.distributions) {
    const auto found = std::ranges::find(distributions, distribution.name, &Distribution::name);
    if (found == distributions.end()) {
      distributions.push_back(distribution);
    } else {
      found->merge(distribution);
    }
  }
  trials.insert(trials.end(), other.trials.begin(), other.trials.end());
  trial_checks.insert(trial_checks.end(), other.trial_checks.begin(), other.trial_checks.end());
  for (const DetailRecord& program : other.foreign_programs) {
    // Its id is another one in every boot.
    if (std::ranges::find(foreign_programs, program.texts, &DetailRecord::texts) ==
        foreign_programs.end()) {
      foreign_programs.push_back(program);
    }
  }
  if (parts.empty()) parts = other.parts;
}

namespace {

Result<Launch> parse(std::istream& in, const std::string& path,
                     const std::vector<std::string>& metrics, Keep keep) {
  ResultHandler handler(path, metrics, keep);
  if (!nlohmann::json::sax_parse(in, &handler)) return std::unexpected(handler.error());
  return handler.finish();
}

Result<Launch> read(const std::string& path, const std::vector<std::string>& metrics, Keep keep) {
  std::vector<char> buffer(std::size_t{1} << 18);
  std::ifstream in;
  in.rdbuf()->pubsetbuf(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  if (Result<void> opened = open_input_file(path, in); !opened) {
    return std::unexpected(opened.error());
  }
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return system_error(error.value(), fmt::format("read {}", path));
  if (size == 0) return wrong_result(fmt::format("{}: the file is empty", path));
  if (size > kMaxResultBytes) {
    return wrong_result(
        fmt::format("{}: {} bytes; files above {} bytes are refused", path, size, kMaxResultBytes));
  }
  try {
    return parse(in, path, metrics, keep);
  } catch (const std::ios_base::failure&) {  // What the standard library makes of a failed read().
    return system_error(errno, fmt::format("read {}", path));
  }
}

}  // namespace

Result<Launch> parse_launch(std::istream& in, const std::string& path,
                            const std::vector<std::string>& metrics, bool details) {
  return parse(in, path, metrics, details ? Keep::kDetails : Keep::kMedians);
}

Result<Launch> read_launch(const std::string& path, const std::vector<std::string>& metrics,
                           bool details) {
  return read(path, metrics, details ? Keep::kDetails : Keep::kMedians);
}

Result<Launch> parse_outcomes(std::istream& in, const std::string& path) {
  return parse(in, path, {"net_ns"}, Keep::kOutcomes);
}

Result<Launch> read_outcomes(const std::string& path) {
  return read(path, {"net_ns"}, Keep::kOutcomes);
}

Result<Launch> parse_rows(std::istream& in, const std::string& path) {
  return parse(in, path, {}, Keep::kRows);
}

Result<Launch> read_rows(const std::string& path) { return read(path, {}, Keep::kRows); }

}  // namespace bpfmark
