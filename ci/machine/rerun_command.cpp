// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/rerun_command.h"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "ci/judge/comparability.h"
#include "ci/judge/shown_text.h"
#include "harness/guards.h"
#include "harness/identity.h"

namespace bpfmark {
namespace {

constexpr const char* kFooter =
    R"(Runs again exactly what the file records, and says what is different now. The new result goes to
-o only, never over the old one.

Examples:
  bench rerun run.json -o again.json
  bench rerun run.json --print
  bench rerun run.json --bench=../other/build/bench -- --benchmark_repetitions=3

Exit status: that of the run; 2 if the file is none, records no arguments, or nothing was started.)";

int complain(std::ostream& err, const std::string& text) {
  err << complaint_line("rerun", text);
  return kExitUsage;
}

// The scalars of a document by their path, as the parser of results names them.
void flatten(const nlohmann::ordered_json& value, const std::string& path, Identity& to) {
  if (value.is_object()) {
    for (const auto& [key, member] : value.items()) {
      flatten(member, path.empty() ? key : fmt::format("{}.{}", path, key), to);
    }
  } else if (value.is_string()) {
    to[path] = value.get<std::string>();
  } else if (value.is_number()) {
    to[path] = fmt::format("{}", value.get<double>());
  }
}

Identity identity_now() {
  nlohmann::ordered_json document = machine_identity(quietest_cpu().cpu);
  document["build"] = build_identity();
  Identity identity;
  flatten(document, "", identity);
  return identity;
}

void print_differences(const Launch& launch, std::ostream& err) {
  const Identity now = identity_now();
  Identity recorded = launch.identity;
  // What only a run has.
  for (const char* field : {"devices", "label", "pinned_cpu", "library_build_type"})
    recorded.erase(field);
  for (const auto& differences :
       {forbidding_differences(recorded, now), notable_differences(recorded, now)}) {
    for (const Difference& difference : differences) {
      err << fmt::format("note: {}\n", to_text(difference));
    }
  }
}

}  // namespace

Result<std::vector<std::string>> rerun_arguments(const Launch& launch,
                                                 const RerunOptions& options) {
  std::vector<std::string> recorded;
  for (;;) {
    const auto found = launch.identity.find(fmt::format("arguments[{}]", recorded.size()));
    if (found == launch.identity.end()) break;
    recorded.push_back(found->second);
  }
  if (recorded.empty()) {
    return wrong_result(fmt::format("{}: records no arguments", launch.path));
  }
  std::vector<std::string> arguments;
  for (std::size_t i = 1; i < recorded.size(); ++i) {
    bool is_output = false;
    for (const std::string flag : {"--benchmark_out", "--benchmark_out_format"}) {
      if (recorded[i] == flag) ++i, is_output = true;  // its value stands behind it
      if (i < recorded.size() && recorded[i].starts_with(flag + "=")) is_output = true;
      if (is_output) break;
    }
    if (!is_output) arguments.push_back(recorded[i]);
  }
  if (!options.out_path.empty()) arguments.push_back("--benchmark_out=" + options.out_path);
  arguments.insert(arguments.end(), options.extra.begin(), options.extra.end());
  return arguments;
}

int run_rerun(const RerunOptions& options, std::ostream& out, std::ostream& err) {
  const Result<Launch> launch = read_launch(options.input, {});
  if (!launch) return complain(err, launch.error().what);
  Result<std::vector<std::string>> arguments = rerun_arguments(*launch, options);
  if (!arguments) return complain(err, arguments.error().what);
  std::vector<std::string> words = {options.bench};
  if (options.bench == RerunOptions().bench) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink(options.bench, error);
    if (!error) words[0] = self.string();
  }
  words.insert(words.end(), arguments->begin(), arguments->end());
  print_differences(*launch, err);
  if (options.print_only) {
    out << shell_line(words) << std::endl;
    return out ? kExitOk : kExitUsage;
  }
  err << fmt::format("running {}\n", shell_line(words)) << std::flush;
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::execv(options.bench.c_str(), pointers.data());
  return complain(err, fmt::format("start {}: {}", options.bench, std::strerror(errno)));
}

Subcommand add_rerun_command(CLI::App& app) {
  const auto options = std::make_shared<RerunOptions>();
  CLI::App* const command =
      app.add_subcommand("rerun", "run again what gave a result, and say what is different now");
  command->footer(kFooter);
  command->add_option("RESULT", options->input, "result file")->required();
  command->add_option("--bench", options->bench, "run this program instead of this one")
      ->type_name("PATH");
  command->add_option("-o,--output", options->out_path, "write the new result here")
      ->type_name("FILE");
  command->add_flag("--print", options->print_only, "only print the command");
  return {command, [options] { return run_rerun(*options, std::cout, std::cerr); },
          &options->extra};
}

}  // namespace bpfmark
