// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/identity.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

// The program under test, as its users run it.
namespace bpfmark {

// Longer than anything here takes on a busy machine.
inline constexpr std::chrono::seconds kBenchTimeout{600};

// BPFMARK_BENCH_PATH of the environment, or that of the build.
std::string bench_path();

// Runs bench to its end. A run that does not end fails the test.
ProcessResult run_bench(std::vector<std::string> arguments);
ProcessResult run_bench_with(ProcessOptions options);

// A copy of the program in a directory that everybody may enter and write to: the checkout may lie
// where only its owner can go.
class PublicCopy {
 public:
  PublicCopy();

  std::string file(const std::string& name) const { return directory_.file(name); }

  // Runs the copy as a user without privilege.
  ProcessResult run(std::vector<std::string> arguments) const;

 private:
  TemporaryDirectory directory_;
};

// Why BPF cannot be used by this process, or "" if it can: what the tests that need it skip with.
// A machine that promises BPF (tests/support/promised.h) must not come to that: it fails instead.
std::string lack_of_bpf();

// Parses, or fails the test and gives null.
nlohmann::json parsed(const std::string& text);
nlohmann::json parsed_file(const std::string& path);

// "name" of each entry, in order.
std::vector<std::string> names_of(const nlohmann::json& entries);

std::vector<std::string> lines_of(const std::string& text);

// Lines of a golden file, without comments.
std::vector<std::string> golden_lines(const std::string& file);

MATCHER_P(ExitsWith, code, "exits with status " + std::to_string(code)) {
  return arg.exit_code == code;
}

// Ends the test if BPF is not to be had.
#define BPFMARK_NEEDS_BPF() \
  if (const std::string lack = ::bpfmark::lack_of_bpf(); !lack.empty()) GTEST_SKIP() << lack

// Ends the test on an emulated machine.
#define BPFMARK_NEEDS_TIMES()                                                                    \
  if (::bpfmark::machine_is_emulated())                                                          \
  GTEST_SKIP() << "times of an emulated machine mean nothing: bench neither shows nor compares " \
                  "them"

}  // namespace bpfmark
