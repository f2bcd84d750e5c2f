// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/comparability.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <string_view>

namespace bpfmark {
namespace {

// microcode and governor change speed as well, but with the days rather than with the machine, and
// a launch does not choose them; so they are shown only.
constexpr std::array<std::string_view, 14> kForbidding = {"devices",
                                                          "library_build_type",
                                                          "build.build_type",
                                                          "cpu.model",
                                                          "cpu.family",
                                                          "cpu.model_number",
                                                          "cpu.stepping",
                                                          "cpu.hypervisor",
                                                          "kernel.machine",
                                                          "kernel.config_hash",
                                                          "kernel.clock_source",
                                                          "kernel.bpf.jit_enable",
                                                          "kernel.bpf.jit_harden",
                                                          "kernel.bpf.stats_enabled"};
constexpr std::string_view kMitigations = "kernel.mitigations.";

constexpr std::array<std::string_view, 7> kSubject = {
    "build.version", "build.commit",   "build.compiler", "build.bpf_compiler",
    "build.libbpf",  "kernel.release", "kernel.version"};

constexpr std::array<std::string_view, 6> kCircumstances = {
    "label", "pinned_cpu", "loads", "cpu.microcode", "cpu.governor", "kernel.command_line"};

std::optional<std::string> value_of(const Identity& identity, std::string_view field) {
  const auto found = identity.find(field);
  if (found == identity.end()) return std::nullopt;
  return found->second;
}

std::optional<Difference> difference(const Identity& old_side, const Identity& new_side,
                                     std::string_view field) {
  const auto old_value = value_of(old_side, field);
  const auto new_value = value_of(new_side, field);
  if (old_value == new_value) return std::nullopt;
  return Difference{.field = std::string(field),
                    .old_value = old_value.value_or("(absent)"),
                    .new_value = new_value.value_or("(absent)")};
}

void add_differences(std::vector<Difference>& to, const Identity& old_side,
                     const Identity& new_side, std::span<const std::string_view> fields) {
  for (const std::string_view field : fields) {
    if (auto found = difference(old_side, new_side, field)) to.push_back(std::move(*found));
  }
}

// In what may forbid, without regard to the release.
std::vector<Difference> machine_differences(const Identity& old_side, const Identity& new_side) {
  std::vector<Difference> differences;
  add_differences(differences, old_side, new_side, kForbidding);
  std::set<std::string> mitigations;
  for (const Identity* side : {&old_side, &new_side}) {
    for (auto it = side->lower_bound(kMitigations);
         it != side->end() && it->first.starts_with(kMitigations); ++it) {
      mitigations.insert(it->first);
    }
  }
  for (const std::string& field : mitigations) {
    if (auto found = difference(old_side, new_side, field)) differences.push_back(*found);
  }
  return differences;
}

bool comes_with_the_release(const Identity& old_side, const Identity& new_side,
                            const std::string& field) {
  if (value_of(old_side, "kernel.release") == value_of(new_side, "kernel.release")) return false;
  return field == "kernel.config_hash" ||
         (field.starts_with(kMitigations) &&
          (!old_side.contains(field) || !new_side.contains(field)));
}

}  // namespace

std::string to_text(const Difference& d) {
  return fmt::format("{} differs: '{}' | '{}'", d.field, d.old_value, d.new_value);
}

std::vector<Difference> forbidding_differences(const Identity& old_side, const Identity& new_side) {
  std::vector<Difference> differences = machine_differences(old_side, new_side);
  std::erase_if(differences, [&](const Difference& d) {
    return comes_with_the_release(old_side, new_side, d.field);
  });
  return differences;
}

std::vector<Difference> notable_differences(const Identity& old_side, const Identity& new_side) {
  std::vector<Difference> differences;
  add_differences(differences, old_side, new_side, kSubject);
  for (Difference& d : machine_differences(old_side, new_side)) {
    if (comes_with_the_release(old_side, new_side, d.field)) differences.push_back(std::move(d));
  }
  add_differences(differences, old_side, new_side, kCircumstances);
  return differences;
}

std::vector<Difference> launch_differences(const Identity& first, const Identity& other) {
  std::vector<Difference> differences = machine_differences(first, other);
  add_differences(differences, first, other, kSubject);
  return differences;
}

Identity environment_of(const Identity& identity) {
  constexpr std::array<std::string_view, 4> kNotEnvironment = {"build.version", "build.commit",
                                                               "label", "library_build_type"};
  const auto is_one_of = [](std::string_view field, std::span<const std::string_view> fields) {
    return std::ranges::find(fields, field) != fields.end();
  };
  Identity environment;
  for (const auto& [field, value] : identity) {
    const bool relevant = is_one_of(field, kForbidding) || field.starts_with(kMitigations) ||
                          is_one_of(field, kSubject) || is_one_of(field, kCircumstances);
    if (relevant && !is_one_of(field, kNotEnvironment)) environment.emplace(field, value);
  }
  return environment;
}

std::vector<Difference> environment_differences(const Identity& old_side,
                                                const Identity& new_side) {
  std::set<std::string_view> fields;
  for (const Identity* side : {&old_side, &new_side}) {
    for (const auto& [field, value] : *side) fields.insert(field);
  }
  std::vector<Difference> differences;
  add_differences(differences, old_side, new_side, std::vector(fields.begin(), fields.end()));
  return differences;
}

std::vector<std::string> defects(const Identity& identity) {
  std::vector<std::string> found;
  if (value_of(identity, "dry_run") == "true")
    found.emplace_back("a dry run says nothing about cost");
  if (value_of(identity, "incomplete") == "true")
    found.emplace_back("the run was stopped half-way");
  if (value_of(identity, "emulated") == "true")
    found.emplace_back("an emulated machine was measured: its times mean nothing");
  if (const auto planted = value_of(identity, "planted"))
    found.push_back(fmt::format("a cost was planted ({})", *planted));
  if (value_of(identity, "build.build_type") == "Debug" ||
      value_of(identity, "library_build_type") == "debug") {
    found.emplace_back("a debug build was measured");
  }
  return found;
}

}  // namespace bpfmark
