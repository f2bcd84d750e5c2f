// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <optional>
#include <ostream>
#include <string>

#include "ci/judge/environment_grade.h"
#include "harness/commands.h"

namespace bpfmark {

struct DoctorOptions {
  std::optional<int> cpu;  // absent: the one that a run would choose
  double seconds = 1;      // how long steal and interrupts are watched
  bool as_json = false;
};

Subcommand add_doctor_command(CLI::App& app);

std::string doctor_table(const EnvironmentGrade& grade, int cpu);
std::string doctor_json(const EnvironmentGrade& grade, int cpu);

// Changes nothing, needs no privilege. Exit status 0, also for a bad grade; 2 for wrong usage.
int run_doctor(const DoctorOptions& options, std::ostream& out);

}  // namespace bpfmark
