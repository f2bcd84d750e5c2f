// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/doctor_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/environment.h"
#include "harness/guards.h"
#include "harness/identity.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(Grades: A nothing against it; B one or two minor findings; C more of them, or a major one; D
several major ones. What cannot be seen from here is shown and does not count.

Examples:
  bench doctor
  sudo bench doctor --cpu=3 --seconds=5
  bench doctor --json

Exit status: 0 whatever the grade; 2 wrong usage.)";

Identity facts_of(int cpu, double seconds) {
  const auto before = EnvironmentCounters::read("", cpu);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto after = EnvironmentCounters::read("", cpu);
  Identity facts = live_environment("", cpu, before, after, seconds);
  const nlohmann::ordered_json identity = machine_identity(cpu);
  if (identity["cpu"].contains("hypervisor")) {
    facts["cpu.hypervisor"] = identity["cpu"]["hypervisor"].get<std::string>();
  }
  return facts;
}

}  // namespace

std::string doctor_table(const EnvironmentGrade& grade, int cpu) {
  std::string text = fmt::format("grade {} for measuring on CPU {}\n", grade.letter, cpu);
  for (const EnvironmentFinding& finding : grade.findings) {
    const bool is_unseen = finding.weight == Weight::kUnseen;
    text += fmt::format("{:<6} {:<21} {}{}{}\n", weight_name(finding.weight), finding.subject,
                        is_unseen               ? "cannot be seen from here"
                        : finding.value.empty() ? "none"
                                                : finding.value,
                        finding.unit.empty() ? "" : " ", finding.unit);
    if (finding.remedy.empty()) continue;
    text += fmt::format("       why: {}\n       do:  {}\n", finding.why, finding.remedy);
  }
  return text;
}

std::string doctor_json(const EnvironmentGrade& grade, int cpu) {
  nlohmann::ordered_json document = {{"format", "bpfmark-doctor"},
                                     {"schema_version", 1},
                                     {"cpu", cpu},
                                     {"grade", std::string(1, grade.letter)},
                                     {"findings", nlohmann::ordered_json::array()}};
  for (const EnvironmentFinding& finding : grade.findings) {
    nlohmann::ordered_json entry = {{"subject", finding.subject},
                                    {"weight", weight_name(finding.weight)}};
    if (finding.weight != Weight::kUnseen) entry["value"] = finding.value;
    if (!finding.unit.empty()) entry["unit"] = finding.unit;
    entry["why"] = finding.why;
    if (!finding.remedy.empty()) entry["remedy"] = finding.remedy;
    document["findings"].push_back(std::move(entry));
  }
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int run_doctor(const DoctorOptions& options, std::ostream& out) {
  const int cpu = options.cpu.value_or(quietest_cpu().cpu);
  const EnvironmentGrade grade = grade_facts(facts_of(cpu, options.seconds));
  out << (options.as_json ? doctor_json(grade, cpu) : doctor_table(grade, cpu)) << std::flush;
  return out ? kExitOk : kExitUsage;
}

Subcommand add_doctor_command(CLI::App& app) {
  const auto options = std::make_shared<DoctorOptions>();
  CLI::App* const command =
      app.add_subcommand("doctor", "grade this machine for measuring, and say what to do");
  command->footer(kFooter);
  command->add_option("--cpu", options->cpu, "CPU to judge (default: the one that a run chooses)")
      ->check(CLI::Range(0, 65535).description(""))
      ->type_name("N");
  command->add_option("--seconds", options->seconds, "watch steal and interrupts for so long")
      ->check(CLI::Range(0.1, 3600.0).description(""))
      ->type_name("S")
      ->capture_default_str();
  command->add_flag("--json", options->as_json, "as JSON");
  return {command, [options] { return run_doctor(*options, std::cout); }};
}

}  // namespace bpfmark
