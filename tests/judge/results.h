// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ci/judge/result_file.h"

// Made-up results for the tests of the judge.
namespace bpfmark {

using Metrics = std::map<std::string, double>;

// A result file in the format of this program, as a launch without any benchmark to begin with.
nlohmann::ordered_json empty_result();

nlohmann::ordered_json entry_of(const std::string& name, const Metrics& metrics,
                                int repetition = 0);

nlohmann::ordered_json result_of(const std::map<std::string, Metrics>& benchmarks);

void write_text(const std::string& path, const std::string& text);
std::string text_of(const std::string& path);

using SamplesByName = std::vector<std::pair<std::string, std::vector<double>>>;

// A side that has been read: one metric, samples of each benchmark.
ResultSet side_of(const SamplesByName& benchmarks, const std::string& metric = "net_ns");

// `n` samples around `centre`, spread evenly over +-`spread` of it.
std::vector<double> samples_around(double centre, std::size_t n = 10, double spread = 0.005);

}  // namespace bpfmark
