// SPDX-License-Identifier: BSD-2-Clause
#include "harness/capability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <string>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointee;

// A capability whose probe counts how often it is asked.
Capability counted(const std::string& name, ProbeResult answer, int& calls) {
  return {name, "for the test", [answer, &calls] {
            ++calls;
            return answer;
          }};
}

const ProbeResult kYes = {Support::kSupported, "", ""};
const ProbeResult kAbsentHere = {Support::kAbsent, "no such map type", "needs Linux 5.9 or newer"};

TEST(Capabilities, AreProbedWhenFirstAskedForAndOnlyOnce) {
  Capabilities capabilities;
  int used = 0, unused = 0;
  capabilities.add(counted("used", kYes, used));
  capabilities.add(counted("unused", kYes, unused));
  EXPECT_EQ(used, 0);
  EXPECT_THAT(capabilities.check({"used"}), IsOk());
  EXPECT_THAT(capabilities.check({"used", "used"}), IsOk());
  EXPECT_EQ(capabilities.probe("used").support, Support::kSupported);
  EXPECT_EQ(used, 1);
  EXPECT_EQ(unused, 0);
}

TEST(Capabilities, KeepANegativeAnswerToo) {
  Capabilities capabilities;
  int calls = 0;
  capabilities.add(counted("map_x", kAbsentHere, calls));
  EXPECT_THAT(capabilities.check({"map_x"}), Not(IsOk()));
  EXPECT_THAT(capabilities.check({"map_x"}), Not(IsOk()));
  EXPECT_EQ(calls, 1);
}

TEST(Capabilities, ReturnTheFirstUnmetNeedAsATypedSkip) {
  Capabilities capabilities;
  int calls = 0, later = 0;
  capabilities.add(counted("good", kYes, calls));
  capabilities.add(counted("map_x", kAbsentHere, calls));
  capabilities.add(counted("later", {Support::kUnknown, "?", ""}, later));
  const Result<void> checked = capabilities.check({"good", "map_x", "later"});
  ASSERT_THAT(checked, ErrorIs(ErrorKind::kAbsent, HasSubstr("no such map type")));
  EXPECT_EQ(checked.error().capability, "map_x");
  EXPECT_EQ(checked.error().remedy, "needs Linux 5.9 or newer");
  EXPECT_THAT(checked.error().what, HasSubstr("map_x"));
  EXPECT_EQ(later, 0) << "one cause is enough";
}

TEST(Capabilities, GiveEachKindOfLackItsOwnKindOfSkip) {
  for (const auto& [support, kind] : {std::pair{Support::kAbsent, ErrorKind::kAbsent},
                                      {Support::kNotPermitted, ErrorKind::kNotPermitted},
                                      {Support::kUnknown, ErrorKind::kUnknown}}) {
    Capabilities capabilities;
    int calls = 0;
    capabilities.add(counted("x", {support, "cause", "remedy"}, calls));
    EXPECT_THAT(capabilities.check({"x"}), ErrorIs(kind, HasSubstr("cause")));
    EXPECT_TRUE(is_skip(kind));
  }
}

TEST(Capabilities, OfNoNeedsAreMet) { EXPECT_THAT(Capabilities().check({}), IsOk()); }

TEST(Capabilities, AreListedByName) {
  Capabilities capabilities;
  int calls = 0;
  for (const char* name : {"b", "c", "a"}) capabilities.add(counted(name, kYes, calls));
  const auto named = [](const char* name) {
    return Pointee(::testing::Field("name", &Capability::name, name));
  };
  EXPECT_THAT(capabilities.all(), ElementsAre(named("a"), named("b"), named("c")));
  EXPECT_TRUE(capabilities.contains("a"));
  EXPECT_FALSE(capabilities.contains("d"));
  EXPECT_EQ(calls, 0) << "a list needs no probe";
}

struct ClassifyCase {
  int errnum;
  Support expected;
};

TEST(Classify, TellsRefusalFromAbsenceFromDoubt) {
  constexpr int kKernelEnotsupp = 524;
  constexpr std::array kCases{
      ClassifyCase{EPERM, Support::kNotPermitted},
      ClassifyCase{EINVAL, Support::kAbsent},
      ClassifyCase{ENOENT, Support::kAbsent},
      ClassifyCase{ESRCH, Support::kAbsent},
      ClassifyCase{ENOSYS, Support::kAbsent},
      ClassifyCase{EOPNOTSUPP, Support::kAbsent},
      ClassifyCase{kKernelEnotsupp, Support::kAbsent},
      // The verifier's "your program is wrong", and a machine that is short of something.
      ClassifyCase{EACCES, Support::kUnknown},
      ClassifyCase{ENOMEM, Support::kUnknown},
      ClassifyCase{E2BIG, Support::kUnknown},
      ClassifyCase{EBUSY, Support::kUnknown},
      ClassifyCase{EINTR, Support::kUnknown},
  };
  for (const ClassifyCase& c : kCases) {
    SCOPED_TRACE(std::strerror(c.errnum));
    const ProbeResult result = classify(system_error(c.errnum, "load a thing"), "5.9", "CONFIG_X");
    EXPECT_EQ(result.support, c.expected);
    EXPECT_THAT(result.cause, HasSubstr("load a thing"));
    EXPECT_NE(result.remedy, "");
  }
}

TEST(Classify, SuccessIsSupportedAndSaysNothing) {
  const ProbeResult result = classify({}, "5.9", "CONFIG_X");
  EXPECT_EQ(result.support, Support::kSupported);
  EXPECT_EQ(result.cause, "");
  EXPECT_EQ(result.remedy, "");
}

TEST(Classify, AWrongAnswerIsNotAbsence) {
  EXPECT_EQ(classify(wrong_result("returned 0 instead of 1"), "", "").support, Support::kUnknown);
}

TEST(Classify, RemedyNamesKernelAndConfigurationAsFarAsTheyAreKnown) {
  const auto remedy = [](const char* kernel, const char* config) {
    return classify(system_error(EINVAL, "x"), kernel, config).remedy;
  };
  EXPECT_EQ(remedy("5.9", "CONFIG_X"), "needs Linux 5.9 or newer with CONFIG_X=y");
  EXPECT_EQ(remedy("5.9", ""), "needs Linux 5.9 or newer");
  EXPECT_EQ(remedy("", "CONFIG_X"), "needs CONFIG_X=y");
  EXPECT_EQ(remedy("", ""), "needs another kernel");
}

TEST(SupportName, IsWhatTheResultFileHolds) {
  EXPECT_STREQ(support_name(Support::kSupported), "supported");
  EXPECT_STREQ(support_name(Support::kAbsent), "absent");
  EXPECT_STREQ(support_name(Support::kNotPermitted), "not permitted");
  EXPECT_STREQ(support_name(Support::kUnknown), "unknown");
}

}  // namespace
}  // namespace bpfmark
