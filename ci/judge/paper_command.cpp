// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/paper_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>

#include "ci/judge/comparability.h"
#include "ci/judge/paper.h"
#include "ci/judge/shown_text.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(The tables are those of doi 10.1145/3749216: 'table 3' to 'table 6', 'figure 13', 'figure 14a', 'figure 14b'.
Compare the ratios: those of published values are to the first published row, ours to our first row.

Examples:
  bench --benchmark_out=run.json --benchmark_filter='^(map_lookup_table3|map_user|chain|copy|channel|compute)/'
  bench paper run.json
  bench paper --table='table 3' --markdown run.json

Exit status: 0 printed; 2 bad input, wrong usage, or a result without a row of these tables.)";

struct Cells {
  std::string label, published, published_ratio, raw, net, interval, ratio, name;
};

Cells cells_of(const PaperRow& row) {
  const auto shown = [](const std::optional<double>& value) {
    return value ? shown_number(*value) : std::string("-");
  };
  Cells cells{.label = row.published.label,
              .published = row.published.text,
              .published_ratio = fmt::format("{:.2f}", row.published_ratio),
              .raw = shown(row.raw_ns),
              .net = row.net ? shown_number(row.net->ns) : "-",
              .interval = "-",
              .ratio = row.ratio ? fmt::format("{:.2f}", *row.ratio) : "-",
              .name = row.published.name};
  if (row.net && row.net->interval) {
    cells.interval = fmt::format("{} .. {}", shown_number(row.net->interval->lo),
                                 shown_number(row.net->interval->hi));
  }
  if (row.published.counter != nullptr) cells.name += fmt::format(" {}", row.published.counter);
  if (!row.absence.empty()) cells.name += fmt::format(" ({})", row.absence);
  return cells;
}

std::string head_text(const PublishedTable& table) {
  return fmt::format("doi 10.1145/3749216, {}: {}", table.id, table.title);
}

std::string table_text(const PublishedTable& table, const std::vector<PaperRow>& rows) {
  std::string text =
      fmt::format("{}\n{}; ratios here are of {}\n{:<34}{:>18}{:>8}{:>10}{:>10}{:>19}{:>8}  {}\n",
                  head_text(table), table.condition, table.raw ? "raw" : "net", "", "published",
                  "ratio", "raw ns", "net ns", "95 % interval", "ratio", "case");
  for (const PaperRow& row : rows) {
    const Cells c = cells_of(row);
    text += fmt::format("{:<34}{:>18}{:>8}{:>10}{:>10}{:>19}{:>8}  {}\n", c.label, c.published,
                        c.published_ratio, c.raw, c.net, c.interval, c.ratio, c.name);
  }
  for (const char* error : table.known_errors) text += fmt::format("  known: {}\n", error);
  return text + "\n";
}

std::string markdown(const PublishedTable& table, const std::vector<PaperRow>& rows) {
  std::string text = fmt::format(
      "### {}\n\n{}; ratios here are of {}.\n\n"
      "| | published | ratio | raw (ns) | net (ns) | 95 % interval | ratio | case |\n"
      "|---|--:|--:|--:|--:|--:|--:|---|\n",
      head_text(table), table.condition, table.raw ? "raw" : "net");
  for (const PaperRow& row : rows) {
    const Cells c = cells_of(row);
    text +=
        fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", c.label, c.published,
                    c.published_ratio, c.raw, c.net, c.interval, c.ratio, markdown_text(c.name));
  }
  if (!table.known_errors.empty()) text += "\nKnown errors of the published values:\n\n";
  for (const char* error : table.known_errors) text += fmt::format("* {}\n", error);
  return text + "\n";
}

}  // namespace

int run_paper(const PaperOptions& options, std::ostream& out, std::ostream& err) {
  const auto complain = [&err](const std::string& text) {
    err << complaint_line("paper", text);
    return kExitUsage;
  };
  for (const std::string& id : options.tables) {
    if (std::ranges::find(published_tables(), id, &PublishedTable::id) ==
        published_tables().end()) {
      return complain(fmt::format("no table '{}' ('bench paper --help' names them)", id));
    }
  }
  const Result<Launch> launch =
      read_launch(options.input, {std::begin(kPaperMetrics), std::end(kPaperMetrics)});
  if (!launch) return complain(launch.error().what);
  if (const auto found = defects(launch->identity); !found.empty() && !options.force) {
    return complain(
        fmt::format("{}: {} (--force takes it nevertheless)", options.input, found.front()));
  }
  std::string text;
  for (const PublishedTable& table : published_tables()) {
    const bool asked = std::ranges::find(options.tables, table.id) != options.tables.end();
    if (!options.tables.empty() && !asked) continue;
    const std::vector<PaperRow> rows = fill(table, *launch);
    const bool has_row =
        std::ranges::any_of(rows, [](const PaperRow& row) { return row.absence.empty(); });
    if (has_row) text += options.markdown ? markdown(table, rows) : table_text(table, rows);
  }
  if (text.empty()) {
    return complain(fmt::format("{}: has no row of these tables", options.input));
  }
  out << text << std::flush;
  return out ? kExitOk : complain("it could not be written to standard output");
}

Subcommand add_paper_command(CLI::App& app) {
  const auto options = std::make_shared<PaperOptions>();
  CLI::App* const command =
      app.add_subcommand("paper", "published tables beside what was measured here");
  command->footer(kFooter);
  command->add_option("RESULT", options->input, "a result file")->required();
  command->add_option("--table", options->tables, "this one only; may be repeated")
      ->type_name("ID")
      ->allow_extra_args(false);
  command->add_flag("--markdown", options->markdown, "print Markdown");
  command->add_flag("--force", options->force,
                    "take a dry run, a debug build or an incomplete run nevertheless");
  return {command, [options] { return run_paper(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
