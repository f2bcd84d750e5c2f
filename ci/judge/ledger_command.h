// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <ostream>
#include <string>

#include "ci/judge/ledger.h"
#include "harness/commands.h"

namespace bpfmark {

enum class LedgerFormat { kTable, kMarkdown, kJson };

// What the command line asks of `bench ledger`.
struct LedgerOptions {
  std::string input;  // a result file
  LedgerRules rules;
  LedgerFormat format = LedgerFormat::kTable;
  bool force = false;
};

std::string render(const Ledger& ledger, LedgerFormat format);

Subcommand add_ledger_command(CLI::App& app);

// The command itself. Exit status 0: enough composites agree; 1: too few; 2: bad input.
int run_ledger(const LedgerOptions& options, std::ostream& out, std::ostream& err);

}  // namespace bpfmark
