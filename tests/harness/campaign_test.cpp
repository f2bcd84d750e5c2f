// SPDX-License-Identifier: BSD-2-Clause
#include "harness/campaign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/capability.h"
#include "harness/interrupt.h"
#include "tests/harness/fake_load.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::SizeIs;

// Cases of user-space work that write down the order of their loads.
class Campaign : public ::testing::Test {
 protected:
  Case case_of(const std::string& name, int loads, std::vector<std::string> needs = {}) {
    return {.name = name,
            .question = "?",
            .floor = "-",
            .needs = std::move(needs),
            .plan = {.ops_per_batch = 8, .rounds = 4, .loads = loads},
            .load = [this, name]() -> Result<std::unique_ptr<PairedLoad>> {
              order_ += name;
              if (name == failing_) return wrong_result("planted");
              return std::make_unique<FakeLoad>(claiming([](Arm arm, std::uint64_t ops) {
                return (arm == Arm::kSubject ? 20.0 : 10.0) * static_cast<double>(ops);
              }));
            }};
  }

  RunLog run(const std::vector<Case>& cases, const RunOptions& options = {}) {
    std::vector<const Case*> selected;
    for (const Case& c : cases) selected.push_back(&c);
    RunLog log;
    run_campaign(selected, options, log);
    return log;
  }

  std::string order_;
  std::string failing_;
};

TEST_F(Campaign, SpreadsTheLoadsOfEachCaseOverTheRun) {
  const RunLog log = run({case_of("a", 3), case_of("b", 1), case_of("c", 2)});
  EXPECT_EQ(order_, "abcaca");
  for (const auto& [name, loads] : {std::pair{"a", 3u}, {"b", 1u}, {"c", 2u}}) {
    const RunLog::Outcome* const outcome = log.find(name, 0);
    ASSERT_NE(outcome, nullptr) << name;
    ASSERT_THAT(*outcome, IsOk());
    EXPECT_THAT((*outcome)->loads, SizeIs(loads));
    EXPECT_NEAR((*outcome)->net_ns, 10, 1e-9);
  }
}

TEST_F(Campaign, RepeatsTheWholeAsOftenAsAsked) {
  const RunLog log = run({case_of("a", 2), case_of("b", 1)}, {.repetitions = 2});
  EXPECT_EQ(order_, "abaaba");
  for (const std::int64_t repetition : {0, 1}) {
    ASSERT_NE(log.find("a", repetition), nullptr);
    EXPECT_THAT(*log.find("a", repetition), IsOk());
  }
  EXPECT_EQ(log.find("a", 2), nullptr);
}

TEST_F(Campaign, OrderSeedShufflesTheCasesOfEachRepetition) {
  const auto run_order = [this](std::optional<std::uint64_t> seed) {
    order_.clear();
    run({case_of("a", 2), case_of("b", 2), case_of("c", 2), case_of("d", 2)},
        {.repetitions = 2, .order_seed = seed});
    return order_;
  };
  EXPECT_EQ(run_order(std::nullopt), "abcdabcdabcdabcd");
  const std::string once = run_order(1);
  EXPECT_EQ(run_order(1), once);
  EXPECT_NE(run_order(5), once);
  // Both passes of a repetition have one order, and every case has its two loads in each.
  EXPECT_EQ(once.substr(0, 4), once.substr(4, 4));
  EXPECT_NE(once.substr(0, 4), once.substr(8, 4));
  EXPECT_EQ(std::ranges::count(once, 'a'), 4);
}

TEST(ShuffledPlaces, AreAPermutationThatNeverChanges) {
  EXPECT_THAT(shuffled_places(0, 1), SizeIs(0));
  EXPECT_THAT(shuffled_places(1, 1), ::testing::ElementsAre(0));
  std::vector<std::size_t> places = shuffled_places(100, 42);
  EXPECT_FALSE(std::ranges::is_sorted(places));
  std::ranges::sort(places);
  for (std::size_t i = 0; i < places.size(); ++i) EXPECT_EQ(places[i], i);
}

TEST_F(Campaign, FailedCaseIsNotLoadedAgainAndHarmsNoOther) {
  failing_ = "b";
  const RunLog log = run({case_of("a", 2), case_of("b", 2), case_of("c", 2)});
  EXPECT_EQ(order_, "abcac");
  EXPECT_THAT(*log.find("a", 0), IsOk());
  EXPECT_THAT(*log.find("b", 0), ErrorIs(ErrorKind::kWrongResult, "planted"));
  EXPECT_THAT(*log.find("c", 0), IsOk());
}

TEST_F(Campaign, CaseThatLacksSomethingIsNotLoaded) {
  Capabilities::instance().add({"test_absent", "nothing", [] {
                                  return ProbeResult{Support::kAbsent, "is not", "cannot be"};
                                }});
  const RunLog log = run({case_of("a", 2, {"test_absent"}), case_of("b", 2)});
  EXPECT_EQ(order_, "bb");
  ASSERT_THAT(*log.find("a", 0), ErrorIs(ErrorKind::kAbsent, "test_absent: is not"));
  EXPECT_EQ(log.find("a", 0)->error().capability, "test_absent");
  EXPECT_EQ(log.find("a", 0)->error().remedy, "cannot be");
}

TEST_F(Campaign, DryRunIsOneLoadOfEach) {
  run({case_of("a", 5), case_of("b", 5)}, {.measure = {.dry_run = true}});
  EXPECT_EQ(order_, "ab");
}

// --- a stop in the middle; in a process of its own, because it cannot be taken back

// Raises the signal in load number `stop_at` (from 1) of the cases a, b and c, at once or when its
// batches are done, and ends the process: 42 if the outcomes are as `expected`: the number of
// loads behind each case, 0 for an interrupted one.
[[noreturn]] void stop_in_load(int stop_at, bool in_finish,
                               const std::vector<std::size_t>& expected) {
  catch_stop_signals();
  int loads = 0;
  std::vector<Case> cases;
  for (const char* const name : {"a", "b", "c"}) {
    cases.push_back({.name = name,
                     .plan = {.ops_per_batch = 8, .rounds = 4, .loads = 3},
                     .load = [&]() -> Result<std::unique_ptr<PairedLoad>> {
                       const bool stop = ++loads == stop_at;
                       if (stop && !in_finish) raise(SIGINT);
                       FakeWork work = claiming([](Arm, std::uint64_t) { return 5.0; });
                       work.finish = [=](auto&) -> Result<void> {
                         if (!stop) return {};
                         raise(SIGINT);
                         return interrupted();
                       };
                       return std::make_unique<FakeLoad>(std::move(work));
                     }});
  }
  std::vector<const Case*> selected;
  for (const Case& c : cases) selected.push_back(&c);
  RunLog log;
  run_campaign(selected, {}, log);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const RunLog::Outcome* const outcome = log.find(cases[i].name, 0);
    const bool interrupted_case =
        outcome != nullptr && !*outcome && outcome->error().kind == ErrorKind::kInterrupted;
    const std::size_t loads_behind = outcome != nullptr && *outcome ? (*outcome)->loads.size() : 0;
    if (loads_behind != expected[i] || interrupted_case != (expected[i] == 0)) std::_Exit(1);
  }
  std::_Exit(42);
}

TEST(CampaignStop, BetweenTheFirstLoadsConcludesOnlyTheCasesThatHaveOne) {
  EXPECT_EXIT(stop_in_load(2, false, {1, 0, 0}), ::testing::ExitedWithCode(42), "");
}

TEST(CampaignStop, LaterConcludesEveryCaseFromTheLoadsItHas) {
  EXPECT_EXIT(stop_in_load(6, false, {2, 2, 1}), ::testing::ExitedWithCode(42), "");
}

// What finish() would have proven is not proven: the load does not count.
TEST(CampaignStop, InTheProofAfterALoadDoesNotCountThatLoad) {
  EXPECT_EXIT(stop_in_load(2, true, {1, 0, 0}), ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace bpfmark
