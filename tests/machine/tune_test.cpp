// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "ci/machine/tune_command.h"
#include "tests/judge/results.h"
#include "tests/machine/made_machine.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Outcome = TuneStep::Outcome;

const std::string kGovernor = "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor";
const std::string kBoost = "/sys/devices/system/cpu/cpufreq/boost";
const std::string kStats = "/proc/sys/kernel/bpf_stats_enabled";
const std::string kIrq24 = "/proc/irq/24/smp_affinity_list";
const std::string kSibling = "/sys/devices/system/cpu/cpu3/online";

// Settings are files of a made tree: on this kind of machine many do not exist, and those that do
// would change what is measured beside us.
class Tune : public ::testing::Test {
 protected:
  void SetUp() override {
    machine_.set(kGovernor, "powersave\n");
    machine_.set("/sys/devices/system/cpu/cpu1/cpufreq/scaling_available_governors",
                 "performance powersave\n");
    machine_.set("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n");
    machine_.set(kSibling, "1\n");
    machine_.set(kBoost, "1\n");
    machine_.set(kStats, "0\n");
    machine_.set(kIrq24, "0-3\n");
    machine_.set("/proc/irq/25/smp_affinity_list", "1\n");
    machine_.set("/proc/irq/26/smp_affinity_list", "0,2\n");
    machine_.set("/proc/irq/default_smp_affinity", "f\n");
  }

  std::string state() const { return machine_.path("/run/tune.jsonl"); }
  TuneCommandOptions options() const {
    return {.root = machine_.root(), .cpu = 1, .state_path = state()};
  }
  int run_tune_now(bool offline_sibling = false) {
    TuneCommandOptions with = options();
    with.offline_sibling = offline_sibling;
    out_.str("");
    return run_tune(with, out_, err_);
  }
  int run_untune_now() {
    out_.str("");
    return run_untune(options(), out_, err_);
  }
  // Every setting, to be compared as a whole.
  std::vector<std::string> settings() const {
    return {machine_.get(kGovernor),
            machine_.get(kBoost),
            machine_.get(kStats),
            machine_.get(kIrq24),
            machine_.get("/proc/irq/25/smp_affinity_list"),
            machine_.get("/proc/irq/26/smp_affinity_list"),
            machine_.get(kSibling)};
  }

  MadeMachine machine_;
  std::ostringstream out_, err_;
};

TEST_F(Tune, SetsWhatIsNotAsItShouldBeAndUntuneRestoresExactly) {
  const auto before = settings();
  EXPECT_EQ(run_tune_now(), 0);
  EXPECT_EQ(settings(),
            (std::vector<std::string>{"performance", "0", "0", "0,2-3", "1", "0,2", "1"}));
  EXPECT_EQ(run_untune_now(), 0);
  EXPECT_EQ(settings(), before);
  EXPECT_FALSE(std::filesystem::exists(state()));
  EXPECT_EQ(run_untune_now(), 0);
  EXPECT_THAT(out_.str(), HasSubstr("nothing to restore"));
}

TEST_F(Tune, DryRunTouchesNothing) {
  const auto before = settings();
  TuneCommandOptions dry = options();
  dry.dry_run = true;
  EXPECT_EQ(run_tune(dry, out_, err_), 0);
  EXPECT_THAT(out_.str(), HasSubstr(kGovernor + ": 'powersave' -> 'performance'\n"));
  EXPECT_EQ(settings(), before);
  EXPECT_FALSE(std::filesystem::exists(state()));
}

TEST_F(Tune, TakesSiblingsOfflineOnlyIfAskedAndBringsThemBackFirst) {
  EXPECT_EQ(run_tune_now(true), 0);
  EXPECT_EQ(machine_.get(kSibling), "0");
  EXPECT_EQ(run_untune_now(), 0);
  EXPECT_EQ(machine_.get(kSibling), "1");
  EXPECT_LT(out_.str().find(kSibling), out_.str().find(kGovernor));
}

TEST_F(Tune, ASecondOneKeepsTheFirstFormerValues) {
  const auto before = settings();
  ASSERT_EQ(run_tune_now(), 0);
  EXPECT_EQ(run_tune_now(true), 0);  // Adds the sibling.
  EXPECT_EQ(run_untune_now(), 0);
  EXPECT_EQ(settings(), before);
}

TEST_F(Tune, OneForAnotherCpuDoesNotTakeOverWhatIsOnRecord) {
  const auto before = settings();
  ASSERT_EQ(run_tune_now(), 0);
  TuneCommandOptions other = options();
  other.cpu = 0;
  EXPECT_EQ(run_tune(other, out_, err_), 1);
  EXPECT_THAT(out_.str(), HasSubstr("is '0,2-3' now; bench untune first"));
  EXPECT_EQ(run_untune_now(), 0);
  EXPECT_EQ(settings(), before);
}

TEST_F(Tune, WhatSomebodyElseChangedIsReportedAndLeft) {
  ASSERT_EQ(run_tune_now(), 0);
  machine_.set(kGovernor, "ondemand\n");
  EXPECT_EQ(run_tune_now(), 1);
  EXPECT_EQ(machine_.get(kGovernor), "ondemand");
  EXPECT_EQ(run_untune_now(), 1);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("FOREIGN"),
                    HasSubstr("was 'powersave', set to 'performance', is 'ondemand' now")));
  EXPECT_EQ(machine_.get(kGovernor), "ondemand");
  EXPECT_EQ(machine_.get(kBoost), "1");
  EXPECT_FALSE(std::filesystem::exists(state()));
}

// Whatever line the record ended with when the program was killed, the former values come back.
TEST_F(Tune, AKillAtAnyMomentLosesNothing) {
  const auto before = settings();
  const auto plan = tune_plan({.root = machine_.root(), .cpu = 1});
  ASSERT_THAT(plan, SizeIs(3));
  for (std::size_t done = 0; done <= plan.size(); ++done) {
    for (const bool recorded_next : {false, true}) {
      SCOPED_TRACE(testing::Message() << done << " done, next recorded: " << recorded_next);
      {
        Result<TuneState> record = TuneState::open(state());
        ASSERT_THAT(record, IsOk());
        std::vector<TuneStep> steps;
        ASSERT_THAT(
            tune({plan.begin(), plan.begin() + static_cast<std::ptrdiff_t>(done)}, *record, steps),
            IsOk());
        if (recorded_next && done < plan.size()) {
          ASSERT_THAT(record->add(plan[done]), IsOk());
        }
      }
      std::ofstream(state(), std::ios::app) << "{\"path\":\"/half a li";
      EXPECT_EQ(run_untune_now(), 0) << out_.str() << err_.str();
      EXPECT_EQ(settings(), before);
    }
  }
}

TEST_F(Tune, WhatCannotBeRestoredStaysOnRecord) {
  ASSERT_EQ(run_tune_now(), 0);
  std::filesystem::remove(machine_.path(kBoost));
  EXPECT_EQ(run_untune_now(), 1);
  EXPECT_THAT(out_.str(), HasSubstr("FAILED"));
  EXPECT_EQ(machine_.get(kGovernor), "powersave");
  machine_.set(kBoost, "0\n");
  EXPECT_EQ(run_untune_now(), 0);
  EXPECT_EQ(machine_.get(kBoost), "1");
}

TEST_F(Tune, ChangesNothingWithoutARecord) {
  const auto before = settings();
  TuneCommandOptions bad = options();
  bad.state_path = machine_.path("/proc/loadavg/no/such");
  machine_.set("/proc/loadavg", "a file, not a directory\n");
  EXPECT_EQ(run_tune(bad, out_, err_), 2);
  EXPECT_THAT(err_.str(), HasSubstr("nothing was changed"));
  machine_.set("/run/tune.jsonl", "no record\n");
  EXPECT_EQ(run_tune_now(), 2);
  EXPECT_EQ(run_untune_now(), 2);
  EXPECT_THAT(err_.str(), HasSubstr("line 1 is no record of a setting"));
  EXPECT_EQ(settings(), before);
}

TEST_F(Tune, OneAtATime) {
  const Result<TuneState> held = TuneState::open(state());
  ASSERT_THAT(held, IsOk());
  EXPECT_EQ(run_tune_now(), 2);
  EXPECT_THAT(err_.str(), HasSubstr("another bench tune or untune is at work"));
}

TEST_F(Tune, AValueThatTheKernelDoesNotKeepIsTakenBack) {
  Result<TuneState> record = TuneState::open(state());
  ASSERT_THAT(record, IsOk());
  // Of two lines written, one is read.
  const std::vector<TunedSetting> plan = {{machine_.path(kBoost), "1", "0\nand more"}};
  std::vector<TuneStep> steps;
  ASSERT_THAT(tune(plan, *record, steps), IsOk());
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].outcome, Outcome::kFailed);
  EXPECT_EQ(machine_.get(kBoost), "1");
}

}  // namespace
}  // namespace bpfmark
