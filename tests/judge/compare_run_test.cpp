// SPDX-License-Identifier: BSD-2-Clause
// Launching, with shell scripts in the place of bench: what is asked of them, what becomes of what
// they say, and what is left behind. tests/smoke launches the program itself.
#include "ci/judge/compare_run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ci/judge/launch.h"
#include "harness/commands.h"
#include "harness/interrupt.h"
#include "tests/judge/results.h"
#include "tests/support/result_matchers.h"
#include "tests/support/temporary_directory.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const Metric kNet = {.name = "net_ns", .is_ns = true};

class CompareRun : public ::testing::Test {
 protected:
  // A program that appends its arguments to NAME.log and gives `x_ns` for x, and 50 for y, a little
  // different every time. Where only the regressions are launched it gives `again_ns`.
  std::string bench(const std::string& name, double x_ns, double again_ns = 0,
                    const std::string& help = "--benchmark_out --order-seed") {
    for (const auto& [kind, centre] :
         {std::pair{"first", x_ns}, {"again", again_ns > 0 ? again_ns : x_ns}}) {
      for (int i = 0; i < 3; ++i) {
        const double noise = 1 + 0.001 * (i - 1);
        write_text(file(fmt::format("{}-{}-{}.json", name, kind, i)),
                   result_of({{"x", {{"net_ns", centre * noise}}}, {"y", {{"net_ns", 50 * noise}}}})
                       .dump());
      }
    }
    return script(name, fmt::format(R"(
[ "$1" = --help ] && echo '{0}' && exit
echo "$*" >>{1}.log
kind=first
case "$*" in *--benchmark_filter=^*) kind=again ;; esac
count=$(wc -l <{1}.log)
cat {1}-$kind-$((count % 3)).json)",
                                    help, file(name)));
  }

  std::string script(const std::string& name, const std::string& body) {
    write_text(file(name), "#!/bin/sh\n" + body + "\n");
    std::filesystem::permissions(file(name), std::filesystem::perms(0755));
    return file(name);
  }

  RunRequest request(const std::string& old_bench, const std::string& new_bench) {
    return {.old_one = {.name = "OLD", .program = old_bench},
            .new_one = {.name = "NEW", .program = new_bench},
            .launches = 5};
  }

  JudgeRequest judging() { return {.metrics = {kNet}, .read = {.metrics = {"net_ns"}}}; }

  Result<Comparison> run(const RunRequest& run) { return run_and_compare(run, judging(), log_); }

  std::vector<std::string> lines_of(const std::string& name) {
    std::istringstream text(text_of(file(name)));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }

  std::string file(const std::string& name) const { return directory_.file(name); }

  TemporaryDirectory directory_;
  std::ostringstream log_;
};

TEST_F(CompareRun, LaunchesBothAsOftenAsPlannedAndOldTwice) {
  RunRequest wanted = request(bench("a", 100), bench("b", 100));
  wanted.flags = {"--loads=2"};
  wanted.new_one.flags = {"--only-new"};
  const auto comparison = run(wanted);
  ASSERT_THAT(comparison, IsOk());
  EXPECT_EQ(exit_status(*comparison, {}), kExitOk);
  EXPECT_EQ(comparison->rows.at(0).old_n, 10u);
  EXPECT_EQ(comparison->rows.at(0).new_n, 5u);
  EXPECT_TRUE(comparison->rows.at(0).noise_aa.has_value());
  EXPECT_THAT(lines_of("a.log"),
              AllOf(SizeIs(10), Each(AllOf(HasSubstr("--benchmark_format=json"),
                                           HasSubstr("--cpu="), HasSubstr("--order-seed="),
                                           HasSubstr("--loads=2"), Not(HasSubstr("--only-new"))))));
  EXPECT_THAT(lines_of("b.log"), AllOf(SizeIs(5), Each(HasSubstr("--only-new"))));
}

TEST_F(CompareRun, LeavesTheChoiceOfTheCpuToTheUser) {
  RunRequest wanted = request(bench("a", 100), bench("b", 100));
  wanted.flags = {"--cpu=0"};
  ASSERT_THAT(run(wanted), IsOk());
  EXPECT_THAT(lines_of("a.log"), Each(EndsWith("--cpu=0")));
}

TEST_F(CompareRun, ConfirmsARegressionWithLaunchesOfItsBenchmarkAlone) {
  RunRequest wanted = request(bench("a", 100), bench("b", 110, 109));
  wanted.flags = {"--benchmark_filter=.", "--loads=2"};
  const auto comparison = run(wanted);
  ASSERT_THAT(comparison, IsOk());
  const Row& x = comparison->rows.at(0);
  EXPECT_EQ(x.change, Change::kRegression);
  ASSERT_TRUE(x.confirmation.has_value());
  EXPECT_TRUE(x.confirmation->agrees);
  EXPECT_NEAR(x.confirmation->estimate, 1.09, 0.005);
  EXPECT_FALSE(comparison->rows.at(1).confirmation.has_value());
  EXPECT_EQ(exit_status(*comparison, {}), kExitFailure);
  const auto launches = lines_of("b.log");
  // One benchmark of two: twice as many.
  ASSERT_THAT(launches, SizeIs(15));
  EXPECT_THAT(launches[5], AllOf(HasSubstr("--benchmark_filter=^(x)$"), HasSubstr("--loads=2"),
                                 Not(HasSubstr("--benchmark_filter=. "))));
}

TEST_F(CompareRun, RegressionThatFreshLaunchesDoNotFindDoesNotGate) {
  const auto comparison = run(request(bench("a", 100), bench("b", 110, 100)));
  ASSERT_THAT(comparison, IsOk());
  const Row& x = comparison->rows.at(0);
  EXPECT_EQ(x.change, Change::kInconclusive);
  ASSERT_TRUE(x.confirmation.has_value());
  EXPECT_FALSE(x.confirmation->agrees);
  EXPECT_EQ(x.confirmation->change, Change::kSame);
  EXPECT_EQ(exit_status(*comparison, {}), kExitOk);
  EXPECT_EQ(exit_status(*comparison, {.strict = true}), kExitInconclusive);
}

TEST_F(CompareRun, WithoutARegressionNothingIsLaunchedAgain) {
  ASSERT_THAT(run(request(bench("a", 100), bench("b", 90))), IsOk());
  EXPECT_THAT(lines_of("b.log"), SizeIs(5));
}

TEST_F(CompareRun, InjectedSlowdownGates) {
  const std::string same = bench("a", 100);
  JudgeRequest judge = judging();
  judge.injected = 1.05;
  const auto comparison = run_and_compare(request(same, same), judge, log_);
  ASSERT_THAT(comparison, IsOk());
  EXPECT_EQ(comparison->count(Change::kRegression), 2u);
  EXPECT_EQ(exit_status(*comparison, {}), kExitFailure);
  EXPECT_THAT(comparison->forced, Contains(HasSubstr("--inject=1.05")));
}

TEST_F(CompareRun, ProgramWithoutOrderSeedIsNotAskedForIt) {
  ASSERT_THAT(run(request(bench("a", 100, 0, "--benchmark_out"), bench("b", 100))), IsOk());
  EXPECT_THAT(log_.str(), HasSubstr("has no --order-seed"));
  EXPECT_THAT(lines_of("b.log"), Each(Not(HasSubstr("--order-seed"))));
}

TEST_F(CompareRun, BudgetIsAppliedAfterTheFirstLaunch) {
  RunRequest wanted = request(bench("a", 100), bench("b", 100));
  wanted.budget_s = 1e-4;
  EXPECT_THAT(run(wanted), ErrorIs(ErrorKind::kWrongResult, HasSubstr("the budget is")));
  EXPECT_EQ(text_of(file("a.log")).empty() + text_of(file("b.log")).empty(), 1);
  wanted.budget_s = 1e5;
  EXPECT_THAT(run(wanted), IsOk());
}

TEST_F(CompareRun, FailedLaunchIsAnErrorWithItsLastWords) {
  const std::string bad = script("bad", R"([ "$1" = --help ] && echo --benchmark_out && exit
echo one >&2; echo two >&2; exit 2)");
  EXPECT_THAT(run(request(bench("a", 100), bad)),
              ErrorIs(ErrorKind::kWrongResult,
                      AllOf(HasSubstr(bad), HasSubstr("ended with status 2: one | two"))));
  const std::string killed = script("killed", R"([ "$1" = --help ] && echo --benchmark_out && exit
kill -9 $$)");
  EXPECT_THAT(run(request(killed, bad)),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("was killed by signal 9")));
}

TEST_F(CompareRun, BrokenResultIsAnErrorAndNotTheAbsenceOfARegression) {
  const std::string silent = script("silent", R"([ "$1" = --help ] && echo --benchmark_out)");
  EXPECT_THAT(run(request(bench("a", 100), silent)),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("of new")));
  // A status of 1 says that a case failed; then the result has to say which.
  write_text(file("good.json"), result_of({{"x", {{"net_ns", 1}}}}).dump());
  const std::string liar = script("liar", R"([ "$1" = --help ] && echo --benchmark_out && exit
cat )" + file("good.json") + "; exit 1");
  EXPECT_THAT(run(request(bench("a", 100), liar)),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("ended with status 1")));
}

TEST_F(CompareRun, CaseThatFailsInNewIsAFailure) {
  ordered_json result = result_of({{"y", {{"net_ns", 50}}}});
  result["failures"].push_back({{"name", "x"}, {"error_message", "3 hits instead of 4"}});
  write_text(file("failing.json"), result.dump());
  const std::string failing = script("failing", R"([ "$1" = --help ] && echo --benchmark_out && exit
cat )" + file("failing.json") + "; exit 1");
  const auto comparison = run(request(bench("a", 100), failing));
  ASSERT_THAT(comparison, IsOk());
  ASSERT_THAT(comparison->missing, SizeIs(1));
  EXPECT_THAT(comparison->missing[0].reason, HasSubstr("3 hits instead of 4"));
  EXPECT_EQ(exit_status(*comparison, {.allow_missing = true}), kExitFailure);
}

TEST_F(CompareRun, WhatIsNotBenchIsRefusedBeforeAnythingIsLaunched) {
  const std::string good = bench("a", 100);
  EXPECT_THAT(run(request(good, file("absent"))),
              ErrorIs(ErrorKind::kSystem, HasSubstr("absent: No such file")));
  EXPECT_THAT(run(request(good, "/bin/true")),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("is this bench?")));
  EXPECT_FALSE(std::filesystem::exists(file("a.log")));
}

TEST_F(CompareRun, KeptLaunchesGiveTheSameVerdicts) {
  RunRequest wanted = request(bench("a", 100), bench("b", 110, 100));
  wanted.keep_directory = file("kept");
  const auto now = run(wanted);
  ASSERT_THAT(now, IsOk());
  const auto later = compare_kept(file("kept"), judging());
  ASSERT_THAT(later, IsOk());
  ASSERT_THAT(later->rows, SizeIs(2));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(later->rows[i].change, now->rows[i].change);
    EXPECT_EQ(later->rows[i].noise_floor, now->rows[i].noise_floor);
  }
  EXPECT_TRUE(later->rows[0].confirmation.has_value());
  EXPECT_THAT(run(wanted), ErrorIs(ErrorKind::kWrongResult, HasSubstr("not empty")));
}

TEST_F(CompareRun, NoiseOfTheRunIsAppendedToTheHistory) {
  const std::string same = bench("a", 100);
  JudgeRequest judge = judging();
  judge.noise_history = file("noise.jsonl");
  ASSERT_THAT(run_and_compare(request(same, same), judge, log_), IsOk());
  ASSERT_THAT(run_and_compare(request(same, same), judge, log_), IsOk());
  EXPECT_THAT(lines_of("noise.jsonl"), SizeIs(2));
  write_text(file("noise.jsonl"), "broken\n");
  std::filesystem::remove(file("a.log"));
  EXPECT_THAT(run_and_compare(request(same, same), judge, log_),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("noise.jsonl: line 1 ")));
  EXPECT_FALSE(std::filesystem::exists(file("a.log")));
}

// --- commands around the launches

class CompareLabels : public CompareRun {
 protected:
  RunRequest labelled(const std::string& program) {
    RunRequest wanted = request(program, program);
    const std::string events = file("events");
    wanted.old_one = {.name = "plain", .program = program, .label = "plain"};
    wanted.new_one = {.name = "agent",
                      .program = program,
                      .label = "agent",
                      .before = "echo start >>" + events,
                      .after = "echo stop >>" + events};
    return wanted;
  }
};

TEST_F(CompareLabels, CommandsStandAroundEachLaunchOfTheirSide) {
  ASSERT_THAT(run(labelled(bench("a", 100))), IsOk());
  const auto events = lines_of("events");
  ASSERT_THAT(events, SizeIs(10));
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i], i % 2 == 0 ? "start" : "stop");
  }
  const auto launches = lines_of("a.log");
  EXPECT_EQ(std::ranges::count_if(launches,
                                  [](const std::string& line) {
                                    return line.find("--label=agent") != std::string::npos;
                                  }),
            5);
}

TEST_F(CompareLabels, CommandThatFailsIsUndoneAndSaysWhatItSaid) {
  RunRequest wanted = labelled(bench("a", 100));
  wanted.new_one.before = "echo no agent here >&2; exit 3";
  EXPECT_THAT(run(wanted),
              ErrorIs(ErrorKind::kWrongResult, AllOf(HasSubstr("before agent ended with status 3"),
                                                     HasSubstr("no agent here"))));
  EXPECT_EQ(text_of(file("events")), "stop\n");
}

TEST_F(CompareLabels, LaunchThatFailsIsUndone) {
  const std::string bad = script("bad", R"([ "$1" = --help ] && echo --benchmark_out && exit
exit 2)");
  RunRequest wanted = labelled(bad);
  wanted.old_one.program = bench("a", 100);
  ASSERT_FALSE(run(wanted).has_value());
  EXPECT_EQ(text_of(file("events")), "start\nstop\n");
}

TEST_F(CompareLabels, UndoThatFailsIsAnError) {
  RunRequest wanted = labelled(bench("a", 100));
  wanted.new_one.after = "exit 4";
  EXPECT_THAT(run(wanted), ErrorIs(ErrorKind::kWrongResult, HasSubstr("--undo of agent")));
}

// --- stop signals, in a process of its own: what was asked for stays asked for

class CompareStopped : public CompareLabels {
 protected:
  // Runs until the launch has begun, sends `signals` to the process, gives its status: 3 if the run
  // ended as interrupted.
  int status_after(const std::vector<int>& signals) {
    const std::string slow = script("slow", R"([ "$1" = --help ] && echo --benchmark_out && exit
echo $$ >)" + file("pid") + "; sleep 60");
    const pid_t pid = ::fork();
    if (pid == 0) {
      RunRequest wanted = labelled(slow);
      wanted.old_one = wanted.new_one;
      const auto comparison = run(wanted);
      ::_exit(!comparison && comparison.error().kind == ErrorKind::kInterrupted ? 3 : 4);
    }
    while (text_of(file("pid")).empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    child_ = std::stoi(text_of(file("pid")));
    for (const int signal : signals) ::kill(pid, signal);
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
  }

  // Whether the launched process is gone, which takes the kernel a moment.
  bool child_is_gone() const {
    for (int i = 0; i < 400; ++i) {
      if (::kill(child_, 0) != 0) return true;
      std::ifstream stat(fmt::format("/proc/{}/stat", child_));
      std::string text(std::istreambuf_iterator<char>(stat), {});
      if (text.find(") Z ") != std::string::npos) return true;  // only nobody has waited for it
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  pid_t child_ = 0;
};

TEST_F(CompareStopped, SignalEndsTheLaunchAndUndoes) {
  const int status = status_after({SIGTERM});
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_TRUE(child_is_gone());
  EXPECT_EQ(text_of(file("events")), "start\nstop\n");
}

TEST_F(CompareStopped, FurtherSignalsDoNotKeepItFromUndoing) {
  const int status = status_after({SIGINT, SIGINT, SIGTERM, SIGHUP});
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 3);
  EXPECT_TRUE(child_is_gone());
  EXPECT_EQ(text_of(file("events")), "start\nstop\n");
}

TEST_F(CompareStopped, LaunchDiesWithAProcessThatIsKilled) {
  const int status = status_after({SIGKILL});
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(child_is_gone());
}

// --- children

TEST(RunChild, GivesBothStreamsAndTheStatus) {
  const auto outcome =
      run_child({"/bin/sh", "-c", "echo out; echo err >&2; exit 5"}, OnStop::kEndChild);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->out, "out\n");
  EXPECT_EQ(outcome->err, "err\n");
  EXPECT_EQ(outcome->exit_code, 5);
  EXPECT_EQ(ending_text(*outcome), "ended with status 5");
}

TEST(RunChild, HasNoInput) {
  const auto outcome = run_child({"/bin/cat"}, OnStop::kEndChild);
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->out, "");
}

TEST(RunChild, WhatCannotBeExecutedIsAnError) {
  EXPECT_THAT(run_child({"/dev/null"}, OnStop::kEndChild),
              ErrorIs(ErrorKind::kSystem, HasSubstr("/dev/null: Permission denied")));
}

TEST(LastWords, AreOneShortLine) {
  EXPECT_EQ(last_words(""), "it said nothing");
  EXPECT_EQ(last_words("a\nb\n\n"), "a | b");
  EXPECT_LE(last_words(std::string(10'000, 'x')).size(), 500u);
}

}  // namespace
}  // namespace bpfmark
