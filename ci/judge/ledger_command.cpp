// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/ledger_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "ci/judge/comparability.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFooter = R"(Examples:
  bench --benchmark_out=run.json --benchmark_filter='^(composite/|clock/read:ktime$|map_lookup/.*entries:1024/value:8$|map_op/op:update/type:array/|helper/)'
  bench ledger run.json

Exit status: 0 at least 90 % of the composites agree with the sum of their parts; 1 fewer do;
2 bad input, wrong usage.)";

std::string interval_text(const Cost& cost) {
  if (!cost.interval) return "-";
  return fmt::format("{} .. {}", shown_number(cost.interval->lo), shown_number(cost.interval->hi));
}

std::string tolerance_text(const LedgerRules& rules) {
  return fmt::format("max({:g} ns, {:g} %)", rules.tolerance_ns, 100 * rules.tolerance);
}

std::string summary(const Ledger& ledger) {
  const std::size_t agree = ledger.count(LedgerVerdict::kAgrees);
  const std::size_t missing = ledger.count(LedgerVerdict::kPartMissing);
  std::string text = fmt::format(
      "{} composites: {} agree within {}, {} differ, {} undecided: {:.1f} % agree (aim {:g} %)",
      ledger.judged(), agree, tolerance_text(ledger.rules), ledger.count(LedgerVerdict::kDiffers),
      ledger.count(LedgerVerdict::kUndecided),
      100 * static_cast<double>(agree) / static_cast<double>(ledger.judged()),
      100 * ledger.rules.least_share);
  if (missing > 0) text += fmt::format("; {} not judged, for a part is missing", missing);
  return text;
}

struct Cells {
  std::string predicted, measured, difference, interval, verdict;
};

Cells cells_of(const LedgerRow& row) {
  Cells cells{.predicted = "-",
              .measured = shown_number(row.measured.ns),
              .difference = "-",
              .interval = "-",
              .verdict = ledger_verdict_name(row.verdict)};
  if (row.predicted) {
    cells.predicted = shown_number(row.predicted->ns);
    cells.difference = shown_number(row.difference->ns);
    cells.interval = interval_text(*row.difference);
  } else {
    cells.verdict += ": " + row.missing;
  }
  return cells;
}

std::string table(const Ledger& ledger) {
  constexpr int kNameColumns = 62;
  std::string text = fmt::format("{:<{}}{:>10}{:>10}{:>10}{:>19} {}\n", "composite", kNameColumns,
                                 "predicted", "measured", "diff ns", "95 % interval", "verdict");
  for (const LedgerRow& row : ledger.rows) {
    const Cells c = cells_of(row);
    text += fmt::format("{:<{}}{:>10}{:>10}{:>10}{:>19} {}\n", row.name, kNameColumns, c.predicted,
                        c.measured, c.difference, c.interval, c.verdict);
  }
  return text + summary(ledger) + "\n";
}

std::string markdown(const Ledger& ledger) {
  std::string text =
      "| composite | predicted (ns) | measured (ns) | difference (ns) | 95 % interval | verdict |\n"
      "|---|--:|--:|--:|--:|---|\n";
  for (const LedgerRow& row : ledger.rows) {
    const Cells c = cells_of(row);
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", markdown_text(row.name), c.predicted,
                        c.measured, c.difference, c.interval, markdown_text(c.verdict));
  }
  return text + "\n" + summary(ledger) + "\n";
}

ordered_json cost_json(const Cost& cost) {
  ordered_json json = {{"ns", cost.ns}};
  if (cost.interval) {
    json["lo_ns"] = cost.interval->lo;
    json["hi_ns"] = cost.interval->hi;
  }
  return json;
}

std::string json(const Ledger& ledger) {
  ordered_json document = {{"format", "bpfmark-ledger"},
                           {"schema_version", 1},
                           {"result", ledger.path},
                           {"tolerance_ns", ledger.rules.tolerance_ns},
                           {"tolerance", ledger.rules.tolerance},
                           {"rows", ordered_json::array()}};
  for (const LedgerRow& row : ledger.rows) {
    ordered_json entry = {{"name", row.name},
                          {"parts", row.parts},
                          {"verdict", ledger_verdict_name(row.verdict)},
                          {"measured", cost_json(row.measured)}};
    if (row.predicted) {
      entry["predicted"] = cost_json(*row.predicted);
      entry["difference"] = cost_json(*row.difference);
    } else {
      entry["missing"] = row.missing;
    }
    document["rows"].push_back(std::move(entry));
  }
  document["judged"] = ledger.judged();
  document["agree"] = ledger.count(LedgerVerdict::kAgrees);
  document["balances"] = ledger.balances();
  return document.dump(2) + "\n";
}

}  // namespace

std::string render(const Ledger& ledger, LedgerFormat format) {
  switch (format) {
    case LedgerFormat::kTable:
      return table(ledger);
    case LedgerFormat::kMarkdown:
      return markdown(ledger);
    case LedgerFormat::kJson:
      return json(ledger);
  }
  return "";
}

int run_ledger(const LedgerOptions& options, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const std::string& text) {
    err << complaint_line("ledger", text);
    return kExitUsage;
  };
  const Result<Launch> launch = read_launch(
      options.input, {std::begin(kLedgerMetrics), std::end(kLedgerMetrics)}, /*details=*/true);
  if (!launch) return complain(launch.error().what);
  if (const auto found = defects(launch->identity); !found.empty() && !options.force) {
    return complain(
        fmt::format("{}: {} (--force takes it nevertheless)", options.input, found.front()));
  }
  const Result<Ledger> ledger = make_ledger(*launch, options.rules);
  if (!ledger) return complain(ledger.error().what);
  out << render(*ledger, options.format) << std::flush;
  if (!out) return complain("it could not be written to standard output");
  return ledger->balances() ? kExitOk : kExitFailure;
}

Subcommand add_ledger_command(CLI::App& app) {
  static const std::map<std::string, LedgerFormat> kFormats = {
      {"table", LedgerFormat::kTable},
      {"markdown", LedgerFormat::kMarkdown},
      {"json", LedgerFormat::kJson}};
  const auto options = std::make_shared<LedgerOptions>();
  CLI::App* const command = app.add_subcommand(
      "ledger", "do single costs add up? composites against the sum of their parts");
  command->footer(kFooter);
  command->add_option("RESULT", options->input, "a result file")->required();
  command->add_option("--tolerance-ns", options->rules.tolerance_ns, "differences up to this agree")
      ->check(CLI::NonNegativeNumber)
      ->type_name("NS")
      ->capture_default_str();
  command
      ->add_option("--tolerance", options->rules.tolerance,
                   "and those up to this share of what was measured")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("FRACTION")
      ->capture_default_str();
  command->add_option("--format", options->format, "form of the ledger")
      ->transform(CLI::CheckedTransformer(kFormats).description(""))
      ->type_name("table|markdown|json");
  command->add_flag("--force", options->force,
                    "take a dry run, a debug build or an incomplete run nevertheless");
  return {command, [options] { return run_ledger(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
