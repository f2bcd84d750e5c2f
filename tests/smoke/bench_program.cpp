// SPDX-License-Identifier: BSD-2-Clause
#include "tests/smoke/bench_program.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "tests/support/promised.h"

namespace bpfmark {

std::string bench_path() {
  const char* const path = std::getenv("BPFMARK_BENCH_PATH");
  return path == nullptr ? BPFMARK_BENCH_PATH : path;
}

ProcessResult run_bench_with(ProcessOptions options) {
  if (options.program.empty()) options.program = bench_path();
  Result<Process> process = Process::start(options);
  if (!process) {
    ADD_FAILURE() << process.error().what;
    return {};
  }
  Result<ProcessResult> result = process->wait(kBenchTimeout);
  if (!result) {
    ADD_FAILURE() << result.error().what;
    return {};
  }
  return std::move(*result);
}

ProcessResult run_bench(std::vector<std::string> arguments) {
  return run_bench_with({.arguments = std::move(arguments)});
}

PublicCopy::PublicCopy() {
  using std::filesystem::perms;
  std::filesystem::permissions(directory_.path(), perms::all);
  std::filesystem::copy_file(bench_path(), file("bench"));
  std::filesystem::permissions(file("bench"), perms(0755));
}

ProcessResult PublicCopy::run(std::vector<std::string> arguments) const {
  return run_bench_with(
      {.program = file("bench"), .arguments = std::move(arguments), .as_nobody = true});
}

std::string lack_of_bpf() {
  const ProcessResult probe = run_bench({"probe", "--json", "test_run_tc"});
  for (const auto& capability : parsed(probe.out)) {
    if (capability.value("support", "") == "supported") return "";
    const Error error = {.kind = ErrorKind::kNotPermitted,
                         .what = capability.value("cause", ""),
                         .remedy = capability.value("remedy", ""),
                         .capability = "test_run_tc"};
    if (classify_lack(error, required_by_environment()) == Lack::kFail) {
      ADD_FAILURE() << "promised, and not there";
    }
    return error.text();
  }
  ADD_FAILURE() << "'bench probe --json' does not know test_run_tc:\n" << probe.out << probe.err;
  return "no probe";
}

nlohmann::json parsed(const std::string& text) {
  nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_discarded()) return document;
  ADD_FAILURE() << "no JSON:\n" << text;
  return nullptr;
}

nlohmann::json parsed_file(const std::string& path) {
  const std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return parsed(text.str());
}

std::vector<std::string> names_of(const nlohmann::json& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry.at("name").get<std::string>());
  return names;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> golden_lines(const std::string& file) {
  std::ifstream stream(std::string(BPFMARK_GOLDEN_DIRECTORY) + "/" + file);
  EXPECT_TRUE(stream.is_open()) << file;
  const std::string text(std::istreambuf_iterator<char>(stream), {});
  std::vector<std::string> lines = lines_of(text);
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("#"); });
  return lines;
}

}  // namespace bpfmark
