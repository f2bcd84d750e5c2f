// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/verifier_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

constexpr const char* kLog =
    "verification time 22 usec\n"
    "stack depth 0+16\n"
    "processed 1035 insns (limit 1000000) max_states_per_insn 4 total_states 51 peak_states 7 "
    "mark_read 0\n";

TEST(VerifierStats, AreReadFromTheEndOfALog) {
  const Result<VerifierStats> stats = parse_verifier_stats(kLog);
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(stats->insns, 1035u);
  EXPECT_EQ(stats->states, 51u);
  EXPECT_EQ(stats->peak_states, 7u);
  EXPECT_EQ(stats->max_states_per_insn, 4u);
  EXPECT_EQ(stats->time_us, 22u);
}

TEST(VerifierStats, OfTheLastProgramWin) {
  const std::string first =
      "processed 3 insns (limit 1000000) max_states_per_insn 0 total_states "
      "0 peak_states 0 mark_read 0\n";
  const Result<VerifierStats> stats = parse_verifier_stats(first + kLog);
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(stats->insns, 1035u);
}

TEST(VerifierStats, TimeThatIsNotThereIsAbsentAndNotZero) {
  const std::string log = kLog;
  const Result<VerifierStats> stats = parse_verifier_stats(log.substr(log.find('\n')));
  ASSERT_THAT(stats, IsOk());
  EXPECT_EQ(stats->time_us, std::nullopt);
}

TEST(VerifierStats, LogWithoutANumberIsRefused) {
  for (const char* const word :
       {"processed ", "total_states ", "peak_states ", "max_states_per_insn "}) {
    std::string log = kLog;
    const std::size_t number = log.find(word) + std::string(word).size();
    log.replace(number, log.find(' ', number) - number, "many");
    EXPECT_THAT(parse_verifier_stats(log), ErrorIs(ErrorKind::kWrongResult, HasSubstr(word)));
  }
  EXPECT_THAT(parse_verifier_stats(""), ErrorIs(ErrorKind::kWrongResult, HasSubstr("processed")));
}

}  // namespace
}  // namespace bpfmark
