// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/tune_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "ci/judge/shown_text.h"
#include "ci/machine/tune.h"
#include "harness/guards.h"

namespace bpfmark {
namespace {

constexpr const char* kTuneFooter =
    R"(Sets what makes measurements calmer and can be put back: governor 'performance', turbo off,
BPF statistics, NMI watchdog and perf's sampling off, device interrupts away from the CPU to be
measured on. Every former value is on record before its setting is changed; 'bench untune' restores
them. A second tune adds to the record and never replaces a former value.

Examples:
  bench tune --dry-run
  sudo bench tune --cpu=3
  sudo bench untune

Exit status: 0 all is set; 1 something could not be set, or somebody else changed it since; 2 wrong
usage, or no record could be kept, and then nothing was changed.)";

constexpr const char* kUntuneFooter =
    R"(Restores the settings on record, last change first. A setting that somebody else changed since is
reported and left as it is. What could not be restored stays on record.

Examples:
  sudo bench untune
  bench untune --dry-run

Exit status: 0 all is as it was; 1 something could not be restored or is somebody else's now; 2 wrong
usage, or the record could not be read.)";

int complain(std::ostream& err, const char* command, const std::string& text) {
  err << complaint_line(command, text);
  return kExitUsage;
}

// `from` and `to` in the direction in which the command works.
std::string step_line(const TuneStep& step, const std::string& from, const std::string& to) {
  const std::string change = fmt::format("{}: '{}' -> '{}'", step.setting.path, from, to);
  switch (step.outcome) {
    case TuneStep::Outcome::kPlanned:
      return "would set " + change;
    case TuneStep::Outcome::kDone:
      return "set       " + change;
    case TuneStep::Outcome::kFailed:
      return fmt::format("FAILED    {}: {}", change, step.detail);
    case TuneStep::Outcome::kForeign:
      return fmt::format("FOREIGN   {}: was '{}', set to '{}', {}", step.setting.path,
                         step.setting.former, step.setting.wanted, step.detail);
    case TuneStep::Outcome::kUnchanged:
      break;
  }
  return fmt::format("unchanged {}: '{}'", step.setting.path, to);
}

int status_of(const std::vector<TuneStep>& steps) {
  const bool all_well = std::ranges::none_of(steps, [](const TuneStep& step) {
    return step.outcome == TuneStep::Outcome::kFailed ||
           step.outcome == TuneStep::Outcome::kForeign;
  });
  return all_well ? kExitOk : kExitFailure;
}

void add_common_options(CLI::App& command, TuneCommandOptions& options) {
  command.add_flag("--dry-run", options.dry_run, "only say what would be done");
  command.add_option("--state", options.state_path, "the record of former values")
      ->type_name("FILE")
      ->capture_default_str();
}

}  // namespace

int run_tune(const TuneCommandOptions& options, std::ostream& out, std::ostream& err) {
  const int cpu = options.cpu.value_or(quietest_cpu().cpu);
  const std::vector<TunedSetting> plan =
      tune_plan({.root = options.root, .cpu = cpu, .offline_sibling = options.offline_sibling});
  if (plan.empty()) {
    out << fmt::format("nothing to change for CPU {}\n", cpu);
    return kExitOk;
  }
  if (options.dry_run) {
    for (const TunedSetting& setting : plan) {
      out << step_line({.setting = setting}, setting.former, setting.wanted) << '\n';
    }
    return kExitOk;
  }
  Result<TuneState> state = TuneState::open(options.state_path);
  if (!state) return complain(err, "tune", state.error().what + "; nothing was changed");
  std::vector<TuneStep> steps;
  const Result<void> tuned = tune(plan, *state, steps);
  for (const TuneStep& step : steps) {
    out << step_line(step, step.setting.former, step.setting.wanted) << '\n';
  }
  if (!tuned) return complain(err, "tune", tuned.error().what + "; the rest was not changed");
  out << fmt::format("on record in {}; 'bench untune' restores\n", options.state_path);
  return status_of(steps);
}

int run_untune(const TuneCommandOptions& options, std::ostream& out, std::ostream& err) {
  std::error_code ignored;
  if (!std::filesystem::exists(options.state_path, ignored)) {
    out << fmt::format("nothing to restore: no {}\n", options.state_path);
    return kExitOk;
  }
  Result<TuneState> state = TuneState::open(options.state_path);
  if (!state) return complain(err, "untune", state.error().what);
  std::vector<TuneStep> steps;
  Result<void> restored;
  if (options.dry_run) {
    for (const TunedSetting& setting : state->settings()) steps.push_back({.setting = setting});
    std::ranges::reverse(steps);
  } else {
    restored = untune(*state, steps);
  }
  for (const TuneStep& step : steps) {
    out << step_line(step, step.setting.wanted, step.setting.former) << '\n';
  }
  if (!restored) return complain(err, "untune", restored.error().what);
  return status_of(steps);
}

Subcommand add_tune_command(CLI::App& app) {
  const auto options = std::make_shared<TuneCommandOptions>();
  CLI::App* const command =
      app.add_subcommand("tune", "set this machine up for measuring; untune restores it");
  command->footer(kTuneFooter);
  command->add_option("--cpu", options->cpu, "CPU to measure on (default: as a run chooses)")
      ->check(CLI::Range(0, 65535).description(""))
      ->type_name("N");
  command->add_flag("--offline-sibling", options->offline_sibling,
                    "also take the SMT siblings of that CPU offline");
  add_common_options(*command, *options);
  return {command, [options] { return run_tune(*options, std::cout, std::cerr); }};
}

Subcommand add_untune_command(CLI::App& app) {
  const auto options = std::make_shared<TuneCommandOptions>();
  CLI::App* const command = app.add_subcommand("untune", "restore what bench tune changed");
  command->footer(kUntuneFooter);
  add_common_options(*command, *options);
  return {command, [options] { return run_untune(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
