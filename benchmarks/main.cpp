// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/echo_devices.h"
#include "benchmarks/families.h"
#include "ci/judge/compare_command.h"
#include "ci/judge/export_command.h"
#include "ci/judge/ledger_command.h"
#include "ci/judge/matrix_command.h"
#include "ci/judge/paper_command.h"
#include "ci/judge/report_command.h"
#include "ci/judge/track_command.h"
#include "ci/machine/doctor_command.h"
#include "ci/machine/rerun_command.h"
#include "ci/machine/tune_command.h"
#include "harness/commands.h"

int main(int argc, char** argv) {
  bpfmark::Registry registry;
  bpfmark::register_all(registry, bpfmark::Capabilities::instance());
  return bpfmark::run_program(
      argc, argv, registry,
      {bpfmark::add_compare_command, bpfmark::add_export_command, bpfmark::add_track_command,
       bpfmark::add_matrix_command, bpfmark::add_report_command, bpfmark::add_ledger_command,
       bpfmark::add_paper_command, bpfmark::add_doctor_command, bpfmark::add_tune_command,
       bpfmark::add_untune_command, bpfmark::add_rerun_command},
      bpfmark::add_echo_devices);
}
