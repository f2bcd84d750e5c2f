// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "ci/judge/compare_report.h"
#include "ci/judge/export.h"
#include "ci/judge/export_cases.h"
#include "ci/judge/junit.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {
namespace {

// Skips for the same reason, which often are dozens.
struct SkipGroup {
  std::string reason, remedy, first_name;
  std::size_t count = 0;
};

std::vector<SkipGroup> skip_groups(const Launch& launch) {
  std::vector<SkipGroup> groups;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> places;
  for (const Absence& skip : launch.skips) {
    const auto [place, is_new] = places.try_emplace({skip.reason, skip.remedy}, groups.size());
    if (is_new) groups.push_back({skip.reason, skip.remedy, skip.name});
    ++groups[place->second].count;
  }
  return groups;
}

std::string cause_text(const std::string& reason, const std::string& remedy) {
  return remedy.empty() ? reason : fmt::format("{} ({})", reason, remedy);
}

std::string cases_text(std::size_t count) {
  return fmt::format("{} case{}", count, count == 1 ? "" : "s");
}

std::string summary(const Launch& launch, std::size_t cases) {
  return fmt::format("{} with a number, {} skipped, {} failed", cases_text(cases),
                     launch.skips.size(), launch.failures.size());
}

std::string markdown_case(const std::vector<const ResultRow*>& rows) {
  const auto medians = medians_of(rows);
  const auto cell = [&medians](std::string_view metric) {
    const auto value = medians.find(metric);
    return value == medians.end() ? std::string("-") : shown_number(value->second);
  };
  std::set<std::string> verdicts;
  for (const ResultRow* row : rows) verdicts.insert(row->details.verdict);
  return fmt::format("| {} | {} | {} | {} | {} .. {} | {} | {} |\n",
                     markdown_text(rows.front()->name), cell("real_time"), cell("floor_ns"),
                     cell("net_ns"), cell("net_lo_ns"), cell("net_hi_ns"), rows.size(),
                     markdown_text(fmt::format("{}", fmt::join(verdicts, ", "))));
}

// In the data of a workflow command, and in a property of it.
std::string command_data(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '%' || c == '\r' || c == '\n') {
      escaped += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string command_property(std::string_view text) {
  std::string escaped;
  for (const char c : command_data(text)) {
    if (c == ':' || c == ',') {
      escaped += fmt::format("%{:02X}", static_cast<unsigned>(c));
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

Result<std::string> export_markdown(const ExportInput& input) {
  const Launch& launch = input.launches.front();
  const auto cases = rows_by_case(launch);
  std::string text = fmt::format("### {}\n\n", summary(launch, cases.size()));
  const auto item = [](const std::string& line) {
    return fmt::format("- {}\n", markdown_text(line));
  };
  for (const auto& [name, field] : {std::pair{"label", "label"},
                                    {"kernel", "kernel.release"},
                                    {"CPU", "cpu.model"},
                                    {"commit", "build.commit"}}) {
    if (const std::string value = identity_field(launch, field); !value.empty()) {
      text += item(fmt::format("{}: {}", name, value));
    }
  }
  for (const std::string& forced : input.forced) text += item("FORCED: " + forced);
  for (const Absence& failure : launch.failures) {
    text += item(fmt::format("FAILED: {}: {}", failure.name, failure.reason));
  }
  text +=
      "\n| case | raw ns | floor ns | net ns | net, 95 % | n | verdict |\n"
      "|---|---:|---:|---:|---:|---:|---|\n";
  std::size_t cut = 0;
  for (const auto& rows : cases) {
    const std::string line = markdown_case(rows);
    if (text.size() + line.size() > kMaxMarkdownBytes) {
      ++cut;
    } else {
      text += line;
    }
  }
  if (cut > 0) text += fmt::format("\n{} left out: too large for a summary\n", cases_text(cut));
  if (launch.skips.empty()) return text;
  text +=
      fmt::format("\n<details><summary>{} skipped</summary>\n\n", cases_text(launch.skips.size()));
  for (const SkipGroup& group : skip_groups(launch)) {
    text += item(fmt::format("{}: {}; first: {}", cases_text(group.count),
                             cause_text(group.reason, group.remedy), group.first_name));
  }
  return text + "\n</details>\n";
}

Result<std::string> export_junit(const ExportInput& input) {
  const Launch& launch = input.launches.front();
  JunitCases cases;
  for (const auto& rows : rows_by_case(launch)) {
    cases.add(rows.front()->name, JunitOutcome::kPassed);
  }
  for (const Absence& failure : launch.failures) {
    cases.add(failure.name, JunitOutcome::kFailed, failure.reason);
  }
  for (const Absence& skip : launch.skips) {
    cases.add(skip.name, JunitOutcome::kSkipped, cause_text(skip.reason, skip.remedy));
  }
  std::vector<JunitProperty> properties;
  for (const auto& [field, value] : launch.identity) properties.push_back({field, value});
  for (const std::string& forced : input.forced) properties.push_back({"forced", forced});
  return junit_document("bench", properties, cases);
}

// GitHub shows ten of each kind for a step, so skips are told by reason.
Result<std::string> export_github_annotations(const ExportInput& input) {
  const Launch& launch = input.launches.front();
  std::string text;
  for (const Absence& failure : launch.failures) {
    text += fmt::format("::error title={}::{}\n", command_property("bench: " + failure.name),
                        command_data(failure.reason));
  }
  for (const std::string& forced : input.forced) {
    text += fmt::format("::warning title=bench::{}\n", command_data("forced: " + forced));
  }
  for (const SkipGroup& group : skip_groups(launch)) {
    text += fmt::format(
        "::notice title={}::{}\n",
        command_property(fmt::format("bench: {} skipped", cases_text(group.count))),
        command_data(fmt::format("{}; first: {}", cause_text(group.reason, group.remedy),
                                 group.first_name)));
  }
  return text;
}

}  // namespace bpfmark
