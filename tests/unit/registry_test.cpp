// SPDX-License-Identifier: BSD-2-Clause
#include "harness/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

using Names = std::vector<std::string>;

Registry small_registry() {
  Registry registry;
  registry.add({.name = "map_lookup/type:hash/entries:1024"});
  registry.add({.name = "map_lookup/type:hash/entries:65536", .suite = Suite::kFull});
  registry.add({.name = "clock/read:ktime"});
  registry.add({.name = "clock/loop:bounded", .suite = Suite::kFull});
  return registry;
}

struct SelectCase {
  const char* filter;
  Suite suite;
  Names expected;
};

TEST(Registry, SelectsByFilterOrElseBySuiteInTheOrderOfRegistration) {
  const Names all = {"map_lookup/type:hash/entries:1024", "map_lookup/type:hash/entries:65536",
                     "clock/read:ktime", "clock/loop:bounded"};
  const SelectCase cases[] = {
      {"", Suite::kDefault, {all[0], all[2]}},
      {"", Suite::kFull, all},
      // A filter selects from all cases, whatever the suite.
      {"hash", Suite::kDefault, {all[0], all[1]}},
      {"hash", Suite::kFull, {all[0], all[1]}},
      {"^clock", Suite::kDefault, {all[2], all[3]}},
      {"ktime$|bounded$", Suite::kDefault, {all[2], all[3]}},
      {"entries:[0-9]{4}$", Suite::kDefault, {all[0]}},
      {"all", Suite::kDefault, all},
      {".", Suite::kDefault, all},
      {"-hash", Suite::kDefault, {all[2], all[3]}},
      {"-ktime$|bounded$", Suite::kDefault, {all[0], all[1]}},
      {"-all", Suite::kDefault, {}},
      {"nothing is called that", Suite::kDefault, {}},
      {"CLOCK", Suite::kDefault, {}},
  };
  const Registry registry = small_registry();
  for (const SelectCase& c : cases) {
    SCOPED_TRACE(c.filter);
    const auto selected = registry.select(c.filter, c.suite);
    ASSERT_THAT(selected, IsOk());
    Names names;
    for (const Case* found : *selected) names.push_back(found->name);
    EXPECT_THAT(names, ElementsAreArray(c.expected));
  }
}

TEST(Registry, RefusesAFilterThatIsNoRegularExpression) {
  for (const char* filter : {"(", "a[", "*{", "-("}) {
    SCOPED_TRACE(filter);
    EXPECT_THAT(small_registry().select(filter, Suite::kDefault),
                ErrorIs(ErrorKind::kSystem, HasSubstr("--benchmark_filter")));
  }
}

TEST(Registry, OfNoCasesSelectsNone) {
  EXPECT_THAT(Registry().select("", Suite::kFull), IsOkAndHolds(::testing::IsEmpty()));
}

}  // namespace
}  // namespace bpfmark
