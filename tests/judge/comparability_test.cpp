// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/comparability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bpfmark {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Identity kIdentity = {
    {"build.build_type", "Release"},
    {"build.commit", "c0ffee"},
    {"build.libbpf", "1.4"},
    {"cpu.governor", "performance"},
    {"cpu.hypervisor", "KVM"},
    {"cpu.model", "AMD EPYC"},
    {"cpu.model_number", "17"},
    {"devices", "eth1, eth2"},
    {"kernel.bpf.jit_enable", "1"},
    {"kernel.bpf.jit_harden", "0"},
    {"kernel.bpf.stats_enabled", "0"},
    {"kernel.clock_source", "tsc"},
    {"kernel.config_hash", "24f3"},
    {"kernel.machine", "x86_64"},
    {"kernel.mitigations.meltdown", "Not affected"},
    {"kernel.release", "6.18.0"},
    {"label", "before"},
    {"library_build_type", "release"},
    {"pinned_cpu", "1"},
    {"schema_version", "1"},
    {"user_clock_pair_ns", "20"},
};

Identity with(const std::string& field, const std::string& value) {
  Identity changed = kIdentity;
  changed[field] = value;
  return changed;
}

Identity without(const std::string& field) {
  Identity changed = kIdentity;
  changed.erase(field);
  return changed;
}

std::vector<std::string> fields(const std::vector<Difference>& differences) {
  std::vector<std::string> names;
  for (const Difference& difference : differences) names.push_back(difference.field);
  return names;
}

TEST(Comparability, OfOneIdentityIsComplete) {
  EXPECT_THAT(forbidding_differences(kIdentity, kIdentity), IsEmpty());
  EXPECT_THAT(notable_differences(kIdentity, kIdentity), IsEmpty());
  EXPECT_THAT(launch_differences(kIdentity, kIdentity), IsEmpty());
  EXPECT_THAT(forbidding_differences({}, {}), IsEmpty());
}

struct Rule {
  std::string field;
  bool forbids, is_notable, separates_launches;
};

void PrintTo(const Rule& rule, std::ostream* out) { *out << rule.field; }

class Fields : public ::testing::TestWithParam<Rule> {};

INSTANTIATE_TEST_SUITE_P(
    Comparability, Fields,
    ::testing::Values(
        Rule{"build.build_type", true, false, true}, Rule{"library_build_type", true, false, true},
        Rule{"cpu.model", true, false, true}, Rule{"cpu.model_number", true, false, true},
        Rule{"cpu.hypervisor", true, false, true}, Rule{"devices", true, false, true},
        Rule{"kernel.machine", true, false, true}, Rule{"kernel.config_hash", true, false, true},
        Rule{"kernel.clock_source", true, false, true},
        Rule{"kernel.bpf.jit_enable", true, false, true},
        Rule{"kernel.bpf.jit_harden", true, false, true},
        Rule{"kernel.bpf.stats_enabled", true, false, true},
        Rule{"kernel.mitigations.meltdown", true, false, true},
        Rule{"kernel.release", false, true, true}, Rule{"build.commit", false, true, true},
        Rule{"build.libbpf", false, true, true}, Rule{"cpu.governor", false, true, false},
        Rule{"label", false, true, false}, Rule{"pinned_cpu", false, true, false},
        Rule{"user_clock_pair_ns", false, false, false}));

TEST_P(Fields, ThatDifferForbidOrAreShownOrMeanNothing) {
  const auto& [field, forbids, is_notable, separates_launches] = GetParam();
  const std::vector<std::string> itself = {field}, none;
  const Identity changed = with(field, "other");
  EXPECT_EQ(fields(forbidding_differences(kIdentity, changed)), forbids ? itself : none);
  EXPECT_EQ(fields(notable_differences(kIdentity, changed)), is_notable ? itself : none);
  EXPECT_EQ(fields(launch_differences(kIdentity, changed)), separates_launches ? itself : none);
}

TEST_P(Fields, ThatOnlyOneSideHasAreDifferences) {
  const auto& [field, forbids, is_notable, separates_launches] = GetParam();
  const std::vector<std::string> itself = {field}, none;
  EXPECT_EQ(fields(forbidding_differences(kIdentity, without(field))), forbids ? itself : none);
  EXPECT_EQ(fields(forbidding_differences(without(field), kIdentity)), forbids ? itself : none);
}

TEST(Comparability, NamesFieldAndBothValues) {
  const auto differences = forbidding_differences(kIdentity, without("cpu.hypervisor"));
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(to_text(differences[0]), "cpu.hypervisor differs: 'KVM' | '(absent)'");
}

// The configuration file names the release, and a newer kernel knows more vulnerabilities.
TEST(Comparability, OfTwoReleasesTakesTheirConfigurationAndNewVulnerabilitiesAsGiven) {
  Identity newer = with("kernel.release", "6.19.0");
  newer["kernel.config_hash"] = "0000";
  newer["kernel.mitigations.vmscape"] = "Vulnerable";
  EXPECT_THAT(forbidding_differences(kIdentity, newer), IsEmpty());
  EXPECT_THAT(fields(notable_differences(kIdentity, newer)),
              ElementsAre("kernel.release", "kernel.config_hash", "kernel.mitigations.vmscape"));
}

TEST(Comparability, OfTwoReleasesStillMindsAMitigationThatBothHave) {
  Identity newer = with("kernel.release", "6.19.0");
  newer["kernel.mitigations.meltdown"] = "Mitigation: PTI";
  newer["cpu.model"] = "Intel";
  EXPECT_THAT(fields(forbidding_differences(kIdentity, newer)),
              ElementsAre("cpu.model", "kernel.mitigations.meltdown"));
}

TEST(Defects, AreDryRunsDebugBuildsStoppedRunsAndEmulatedMachines) {
  EXPECT_THAT(defects(kIdentity), IsEmpty());
  EXPECT_THAT(defects(with("dry_run", "false")), IsEmpty());
  EXPECT_THAT(defects(with("dry_run", "true")), ElementsAre("a dry run says nothing about cost"));
  EXPECT_THAT(defects(with("incomplete", "true")), ElementsAre("the run was stopped half-way"));
  EXPECT_THAT(defects(with("emulated", "true")),
              ElementsAre("an emulated machine was measured: its times mean nothing"));
  EXPECT_THAT(defects(with("build.build_type", "Debug")),
              ElementsAre("a debug build was measured"));
  EXPECT_THAT(defects(with("library_build_type", "debug")),
              ElementsAre("a debug build was measured"));
}

TEST(Comparability, TheEnvironmentIsTheMachineAndItsSoftwareButNotTheCommit) {
  const Identity identity = {{"build.commit", "abc"},     {"label", "x"},
                             {"build.libbpf", "1.4"},     {"kernel.release", "6.18"},
                             {"cpu.microcode", "0x1"},    {"kernel.mitigations.meltdown", "off"},
                             {"arguments[0]", "bench"},   {"library_build_type", "release"},
                             {"user_clock_pair_ns", "20"}};
  const Identity environment = environment_of(identity);
  EXPECT_EQ(environment, (Identity{{"build.libbpf", "1.4"},
                                   {"kernel.release", "6.18"},
                                   {"cpu.microcode", "0x1"},
                                   {"kernel.mitigations.meltdown", "off"}}));
  Identity other = environment;
  other["build.libbpf"] = "1.5";
  other.erase("cpu.microcode");
  const auto differences = environment_differences(environment, other);
  ASSERT_EQ(differences.size(), 2u);
  EXPECT_EQ(to_text(differences[0]), "build.libbpf differs: '1.4' | '1.5'");
  EXPECT_EQ(to_text(differences[1]), "cpu.microcode differs: '0x1' | '(absent)'");
}

}  // namespace
}  // namespace bpfmark
