// SPDX-License-Identifier: BSD-2-Clause
// Wrong worlds shown to composites, and that the ledger finds the parts they name.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "bpf/shared/composite.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_map.h"
#include "tests/bpf/own_variable.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class CompositeFault : public LoadedCase {};

TEST_F(CompositeFault, RefusesATableThatLostItsEntries) {
  for (const char* const name :
       {"composite/first:array/second:hash", "composite/first:hash/second:hash_miss",
        "composite/first:hash/second:hash_miss/third:spin_lock"}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    const UniqueFd table = own_map("hash");
    for (std::uint32_t key = 0; key < BPFMARK_COMPOSITE_ENTRIES; ++key) {
      ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
    }
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
    EXPECT_THAT(run(Arm::kFloor), IsOk());
    load_.reset();
  }
}

TEST_F(CompositeFault, RefusesAMissThatIsAHit) {
  ASSERT_NO_FATAL_FAILURE(load("composite/first:ktime/second:hash_miss"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("hash");
  const std::uint64_t value = 1;
  for (std::uint32_t key = 0; key < BPFMARK_COMPOSITE_ENTRIES; ++key) {
    const std::uint32_t absent = key + BPFMARK_COMPOSITE_ENTRIES;
    if (bpf_map_update_elem(table.get(), &key, &value, BPF_ANY) != 0) break;
    ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
    ASSERT_EQ(bpf_map_update_elem(table.get(), &absent, &value, BPF_ANY), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
}

TEST_F(CompositeFault, RefusesAValueThatIsNotTheOneItPutThere) {
  for (const char* const map : {"array", "lru_hash"}) {
    SCOPED_TRACE(map);
    ASSERT_NO_FATAL_FAILURE(load("composite/first:array/second:lru_hash"));
    if (IsSkipped()) return;
    const UniqueFd table = own_map(map);
    const std::uint64_t value = 1;
    for (std::uint32_t key = 0; key < BPFMARK_COMPOSITE_ENTRIES; ++key) {
      ASSERT_EQ(bpf_map_update_elem(table.get(), &key, &value, BPF_EXIST), 0);
    }
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
    load_.reset();
  }
}

TEST_F(CompositeFault, RefusesAnotherChecksum) {
  ASSERT_NO_FATAL_FAILURE(load("composite/first:prandom/second:csum_diff"));
  if (IsSkipped()) return;
  const OwnVariable data("composit.bss", "csum_data");
  ASSERT_NE(data.get(), nullptr);
  ++*data.get();
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("hits")));
}

TEST(Composite, PartsAreRegisteredCases) {
  std::set<std::string> names;
  for (const Case& c : registered_cases().cases()) names.insert(c.name);
  std::size_t composites = 0;
  for (const Case& c : registered_cases().cases()) {
    composites += !c.parts.empty();
    for (const std::string& part : c.parts) EXPECT_TRUE(names.contains(part)) << c.name << part;
  }
  EXPECT_GE(composites, 60u);
}

}  // namespace
}  // namespace bpfmark
