// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/matrix_command.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>
#include <map>
#include <memory>

#include "ci/judge/matrix.h"
#include "ci/judge/shown_text.h"
#include "harness/output_file.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(A cell is a number (net ns), "verified" where numbers say nothing about cost (dry runs,
emulated machines), or why there is none.

Examples:
  bench matrix results/*/bench.json
  bench matrix 6.1.json 6.12.json --format=markdown -o kernels.md

Exit status: 0 written; 2 bad input, wrong usage, or the table was not written.)";

const std::map<std::string, std::string (*)(const Matrix&)> kFormats = {
    {"text", matrix_text},
    {"markdown", matrix_markdown},
    {"csv", matrix_csv},
    {"json", matrix_json}};

int complain(std::ostream& err, const std::string& text) {
  err << complaint_line("matrix", text);
  return kExitUsage;
}

}  // namespace

int run_matrix(const MatrixOptions& options, std::ostream& out, std::ostream& err) {
  std::vector<Launch> launches;
  for (const std::string& path : options.inputs) {
    Result<Launch> launch = read_outcomes(path);
    if (!launch) return complain(err, launch.error().what);
    launches.push_back(std::move(*launch));
  }
  const std::string text = kFormats.at(options.format)(make_matrix(launches, options.force));
  if (options.out_path.empty()) {
    out << text << std::flush;
    return out ? kExitOk : complain(err, "it could not be written to standard output");
  }
  std::error_code ignored;
  for (const std::string& path : options.inputs) {
    if (std::filesystem::equivalent(path, options.out_path, ignored)) {
      return complain(err, fmt::format("-o {}: this is one of the inputs", options.out_path));
    }
  }
  if (const Result<void> written = write_whole_file(options.out_path, text); !written) {
    return complain(err, written.error().what);
  }
  return kExitOk;
}

Subcommand add_matrix_command(CLI::App& app) {
  const auto options = std::make_shared<MatrixOptions>();
  CLI::App* const command =
      app.add_subcommand("matrix", "what became of every case on every kernel, as one table");
  command->footer(kFooter);
  command->add_option("RESULT", options->inputs, "result files, one a kernel")->required();
  command->add_option("--format", options->format, "form of the table")
      ->check(CLI::IsMember(kFormats).description(""))
      ->type_name("text|markdown|csv|json")
      ->capture_default_str();
  command->add_flag("--force", options->force,
                    "show the numbers of dry runs, emulated machines and the like nevertheless");
  command
      ->add_option("-o,--output", options->out_path,
                   "write here, whole or not at all, instead of to standard output")
      ->type_name("FILE");
  return {command, [options] { return run_matrix(*options, std::cout, std::cerr); }};
}

}  // namespace bpfmark
