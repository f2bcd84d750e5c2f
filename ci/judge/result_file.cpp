// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/result_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "ci/judge/comparability.h"

namespace bpfmark {
namespace {

Result<std::vector<std::string>> result_files(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return std::vector{path};
  std::vector<std::string> files;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".json") files.push_back(it->path().string());
  }
  if (error) return system_error(error.value(), fmt::format("read {}", path));
  if (files.empty()) return wrong_result(fmt::format("{}: no *.json in this directory", path));
  std::ranges::sort(files);
  return files;
}

// What speaks against this launch as a further one of `set`.
std::vector<std::string> objections(const ResultSet& set, const Launch& launch) {
  std::vector<std::string> found;
  for (const std::string& defect : defects(launch.identity)) {
    found.push_back(fmt::format("{}: {}", launch.path, defect));
  }
  if (set.files.empty()) return found;
  for (const Difference& difference : launch_differences(set.identity, launch.identity)) {
    found.push_back(fmt::format("{} and {} are not launches of one thing: {}", set.files.front(),
                                launch.path, to_text(difference)));
  }
  return found;
}

void take_launch(ResultSet& set, Launch launch) {
  if (set.files.empty()) {
    set.identity = std::move(launch.identity);
    set.stock = std::move(launch.stock);
    set.metric_names = std::move(launch.metric_names);
  }
  set.files.push_back(std::move(launch.path));
  for (CaseMedians& medians : launch.cases) {
    const auto [place, is_new] = set.index.try_emplace(medians.name, set.benchmarks.size());
    if (is_new) set.benchmarks.push_back({.name = std::move(medians.name)});
    BenchmarkSamples& benchmark = set.benchmarks[place->second];
    for (const auto& [metric, value] : medians.metrics) {
      benchmark.metrics[metric].push_back(value);
    }
    benchmark.details.merge(medians.details);
  }
  for (Absence& skip : launch.skips) {
    if (!set.skips.try_emplace(skip.name, skip.reason).second) continue;
    set.skip_list.push_back(std::move(skip));
  }
  for (Absence& failure : launch.failures) {
    set.failures.try_emplace(failure.name, std::move(failure.reason));
  }
}

}  // namespace

Result<void> add_launch(ResultSet& set, Launch launch, bool force) {
  for (std::string& objection : objections(set, launch)) {
    if (!force) return wrong_result(objection + " (--force takes it nevertheless)");
    set.forced.push_back(std::move(objection));
  }
  take_launch(set, std::move(launch));
  return {};
}

ResultSet pooled(const ResultSet& first, const ResultSet& again) {
  ResultSet both = first;
  both.files.insert(both.files.end(), again.files.begin(), again.files.end());
  both.forced.insert(both.forced.end(), again.forced.begin(), again.forced.end());
  both.skips.insert(again.skips.begin(), again.skips.end());
  both.failures.insert(again.failures.begin(), again.failures.end());
  for (const BenchmarkSamples& benchmark : again.benchmarks) {
    const auto [place, is_new] = both.index.try_emplace(benchmark.name, both.benchmarks.size());
    if (is_new) both.benchmarks.push_back({.name = benchmark.name});
    for (const auto& [metric, samples] : benchmark.metrics) {
      std::vector<double>& all = both.benchmarks[place->second].metrics[metric];
      all.insert(all.end(), samples.begin(), samples.end());
    }
  }
  return both;
}

const BenchmarkSamples* ResultSet::find(const std::string& name) const {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : &benchmarks[found->second];
}

Result<ResultSet> read_results(const std::string& path, const ReadOptions& options) {
  return read_results(std::vector{path}, options);
}

Result<ResultSet> read_results(const std::vector<std::string>& paths, const ReadOptions& options) {
  ResultSet set;
  set.path = paths.size() == 1 ? paths.front()
                               : fmt::format("{} and {} more", paths.front(), paths.size() - 1);
  for (const std::string& path : paths) {
    const auto files = result_files(path);
    if (!files) return std::unexpected(files.error());
    for (const std::string& file : *files) {
      Result<Launch> launch = read_launch(file, options.metrics, options.details);
      if (!launch) return std::unexpected(launch.error());
      if (Result<void> added = add_launch(set, std::move(*launch), options.force); !added) {
        return std::unexpected(added.error());
      }
    }
  }
  return set;
}

}  // namespace bpfmark
