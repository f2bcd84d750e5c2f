// SPDX-License-Identifier: BSD-2-Clause
#include "tests/judge/results.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace bpfmark {

nlohmann::ordered_json empty_result() {
  return nlohmann::ordered_json::parse(R"({
    "context": {
      "date": "2026-01-01T00:00:00+00:00",
      "caches": [{"type": "Data", "level": 1}],
      "library_build_type": "release",
      "bpfmark": {
        "schema_version": 1,
        "build": {"commit": "c0ffee", "build_type": "Release", "libbpf": "1.4"},
        "arguments": ["bench"],
        "pinned_cpu": 1,
        "kernel": {
          "release": "6.18.0", "machine": "x86_64", "config_hash": "24f3a96e",
          "bpf": {"jit_enable": "1", "jit_harden": "0"},
          "mitigations": {"meltdown": "Not affected"}
        },
        "cpu": {"model": "AMD EPYC", "hypervisor": "KVMKVMKVM"},
        "user_clock_resolution_ns": 20.0
      }
    },
    "benchmarks": [],
    "skips": [],
    "failures": []
  })");
}

nlohmann::ordered_json entry_of(const std::string& name, const Metrics& metrics, int repetition) {
  nlohmann::ordered_json entry = {{"name", name},
                                  {"run_name", name},
                                  {"run_type", "iteration"},
                                  {"repetitions", 1},
                                  {"repetition_index", repetition},
                                  {"threads", 1},
                                  {"iterations", 4096},
                                  {"real_time", 12.5},
                                  {"cpu_time", 12.5},
                                  {"time_unit", "ns"}};
  for (const auto& [metric, value] : metrics) entry[metric] = value;
  return entry;
}

nlohmann::ordered_json result_of(const std::map<std::string, Metrics>& benchmarks) {
  nlohmann::ordered_json result = empty_result();
  for (const auto& [name, metrics] : benchmarks) {
    result["benchmarks"].push_back(entry_of(name, metrics));
  }
  return result;
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

ResultSet side_of(const SamplesByName& benchmarks, const std::string& metric) {
  ResultSet set;
  set.path = "made-up";
  for (const auto& [name, samples] : benchmarks) {
    set.index[name] = set.benchmarks.size();
    set.benchmarks.push_back({.name = name, .metrics = {{metric, samples}}});
    set.files.resize(std::max(set.files.size(), samples.size()), "made-up.json");
  }
  return set;
}

std::vector<double> samples_around(double centre, std::size_t n, double spread) {
  std::vector<double> samples;
  for (std::size_t i = 0; i < n; ++i) {
    const double place = n == 1 ? 0.5 : static_cast<double>(i) / static_cast<double>(n - 1);
    samples.push_back(centre * (1 + spread * (2 * place - 1)));
  }
  return samples;
}

}  // namespace bpfmark
