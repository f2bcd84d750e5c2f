// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <utility>

#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"

namespace bpfmark {
namespace {

constexpr double kNsPerS = 1e9;

// In a label's value backslash, quote and line feed are escaped; the rest is free.
std::string label_text(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
    } else {
      if (c == '\\' || c == '"') escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

using Labels = std::vector<std::pair<std::string_view, std::string>>;

// Samples of one family stand together, below its description.
class Family {
 public:
  Family(std::string_view name, std::string_view type, std::string_view unit, std::string_view help)
      : name_(name) {
    head_ = fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
    if (!unit.empty()) head_ += fmt::format("# UNIT {} {}\n", name, unit);
  }

  void add(const Labels& labels, double value, std::string_view suffix = "") {
    std::string list;
    for (const auto& [key, text] : labels) {
      list += fmt::format("{}{}=\"{}\"", list.empty() ? "" : ",", key, label_text(text));
    }
    samples_ += fmt::format("{}{}{{{}}} {}\n", name_, suffix, list, value);
  }

  std::string text() const { return samples_.empty() ? "" : head_ + samples_; }

 private:
  std::string_view name_;
  std::string head_, samples_;
};

void add_latency(Family& latency, const ExportedCase& c) {
  const auto samples = c.metrics.find("samples");
  if (samples == c.metrics.end()) return;
  for (const auto& [metric, quantile] :
       {std::pair{"p50_ns", "0.5"}, {"p90_ns", "0.9"}, {"p99_ns", "0.99"}, {"p999_ns", "0.999"}}) {
    const auto value = c.metrics.find(metric);
    if (value == c.metrics.end()) continue;
    latency.add({{"benchmark", c.name}, {"quantile", quantile}}, value->second / kNsPerS);
  }
  latency.add({{"benchmark", c.name}}, samples->second, "_count");
}

std::string info(const Launch& launch) {
  Family family("bpfmark_info", "gauge", "", "What was measured, and with what.");
  Labels labels;
  for (const auto& [label, field] : {std::pair{"version", "build.version"},
                                     {"commit", "build.commit"},
                                     {"libbpf", "build.libbpf"},
                                     {"kernel", "kernel.release"},
                                     {"cpu_model", "cpu.model"},
                                     {"label", "label"}}) {
    labels.emplace_back(label, identity_field(launch, field));
  }
  family.add(labels, 1);
  return family.text();
}

}  // namespace

Result<std::string> export_openmetrics(const ExportInput& input) {
  const Launch& launch = input.launches.front();
  Family op("bpfmark_op_seconds", "gauge", "seconds",
            "Time of one operation: raw, and net of its floor with the 95 % interval.");
  Family latency("bpfmark_latency_seconds", "summary", "seconds",
                 "Distribution of single operations.");
  Family instructions("bpfmark_program_instructions", "gauge", "",
                      "Translated instructions of the subject's program.");
  Family jited("bpfmark_program_jited_bytes", "gauge", "bytes",
               "Machine code of the subject's program.");
  for (const ExportedCase& c : exported_cases(launch).cases) {
    for (const auto& [kind, metric] : {std::pair{"raw", "real_time"},
                                       {"net", "net_ns"},
                                       {"net_lo", "net_lo_ns"},
                                       {"net_hi", "net_hi_ns"},
                                       {"floor", "floor_ns"}}) {
      if (const auto value = c.metrics.find(metric); value != c.metrics.end()) {
        op.add({{"benchmark", c.name}, {"metric", kind}}, value->second / kNsPerS);
      }
    }
    add_latency(latency, c);
    if (const auto value = c.metrics.find("insns_xlated"); value != c.metrics.end()) {
      instructions.add({{"benchmark", c.name}}, value->second);
    }
    if (const auto value = c.metrics.find("jited_bytes"); value != c.metrics.end()) {
      jited.add({{"benchmark", c.name}}, value->second);
    }
  }
  Family skipped("bpfmark_skipped", "gauge", "", "Cases that gave no number, and why.");
  for (const Absence& skip : launch.skips) {
    skipped.add({{"benchmark", skip.name}, {"reason", skip.reason}}, 1);
  }
  Family failed("bpfmark_failed", "gauge", "", "Cases that went wrong.");
  for (const Absence& failure : launch.failures) {
    failed.add({{"benchmark", failure.name}, {"reason", failure.reason}}, 1);
  }
  Family time("bpfmark_last_success_timestamp_seconds", "gauge", "seconds", "When the run was.");
  if (const auto seconds = run_time_s(launch)) time.add({}, *seconds);
  return op.text() + latency.text() + instructions.text() + jited.text() + skipped.text() +
         failed.text() + info(launch) + time.text() + "# EOF\n";
}

}  // namespace bpfmark
