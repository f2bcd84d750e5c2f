// SPDX-License-Identifier: BSD-2-Clause
// Wrong worlds shown to map_user: tables that are not what they must be, and a kernel that lies.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "benchmarks/map_user.h"
#include "tests/bpf/bpf_call_fault.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_map.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class MapUser : public LoadedCase {};

std::string plain(const std::string& op, const std::string& type, const std::string& keys) {
  return "map_user/op:" + op + "/type:" + type + "/keys:" + keys + "/entries:1024/key:4/value:8";
}

std::string batch(const std::string& op, const std::string& type) {
  return plain(op + "_batch", type, "sequential") + "/batch:16";
}

TEST_F(MapUser, LookupRefusesATableThatLostEntries) {
  ASSERT_NO_FATAL_FAILURE(load(plain("lookup", "hash", "uniform")));
  if (IsSkipped()) return;
  const UniqueFd map = own_map("user_map");
  for (std::uint32_t key = 0; key < 1024; ++key) {
    ASSERT_EQ(bpf_map_delete_elem(map.get(), &key), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("calls succeeded; errno 2")));
  EXPECT_THAT(run(Arm::kFloor), IsOk());
}

TEST_F(MapUser, LookupRefusesAValueThatIsNotTheKeysOwn) {
  ASSERT_NO_FATAL_FAILURE(load(plain("lookup", "array", "uniform")));
  if (IsSkipped()) return;
  const UniqueFd map = own_map("user_map");
  const std::uint64_t value = 1;
  for (std::uint32_t key = 0; key < 1024; ++key) {
    ASSERT_EQ(bpf_map_update_elem(map.get(), &key, &value, BPF_ANY), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
}

TEST_F(MapUser, UpdateRefusesATableThatLostItsEntries) {
  ASSERT_NO_FATAL_FAILURE(load(plain("update", "hash", "uniform")));
  if (IsSkipped()) return;
  const UniqueFd map = own_map("user_map");
  for (std::uint32_t key = 0; key < 1024; ++key) {
    ASSERT_EQ(bpf_map_delete_elem(map.get(), &key), 0);
  }
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 of 64 calls succeeded")));
}

std::uint64_t* words_at(std::uint64_t address) {
  return reinterpret_cast<std::uint64_t*>(static_cast<std::uintptr_t>(address));
}

struct Lie {
  const char* what;
  std::string name;
  BpfCallFault::Answer answer;
  const char* complaint;
};

long say_yes(int /*command*/, bpf_attr& /*attributes*/, std::uint32_t /*bytes*/) { return 0; }

TEST_F(MapUser, SubjectRefusesAKernelThatLies) {
  const Lie lies[] = {
      {"updates nothing", plain("update", "hash", "uniform"), say_yes, "does not hold"},
      {"updates nothing", plain("update", "percpu_array", "uniform"), say_yes, "does not hold"},
      {"inserts nothing", plain("insert", "hash", "sequential"), say_yes, "is not there"},
      {"deletes nothing", plain("delete", "hash", "sequential"), say_yes, "still there"},
      {"looks up and does not delete", plain("lookup_delete", "hash", "sequential"),
       [](int, bpf_attr& attributes, std::uint32_t bytes) {
         return BpfCallFault::real(BPF_MAP_LOOKUP_ELEM, attributes, bytes);
       },
       "still there"},
      {"looks up nothing", plain("lookup", "lru_hash", "uniform"), say_yes, "add up to"},
      {"knows no next key", plain("next_key", "hash", "sequential"), say_yes, "add up to"},
      {"hands out a key twice", batch("lookup", "hash"),
       [](int command, bpf_attr& attributes, std::uint32_t bytes) {
         const long outcome = BpfCallFault::real(command, attributes, bytes);
         auto* const keys = reinterpret_cast<std::uint32_t*>(words_at(attributes.batch.keys));
         auto* const values = words_at(attributes.batch.values);
         if (attributes.batch.count > 1) {
           keys[0] = keys[1];
           values[0] = values[1];
         }
         return outcome;
       },
       "once more"},
      {"hands out a wrong value", batch("lookup", "array"),
       [](int command, bpf_attr& attributes, std::uint32_t bytes) {
         const long outcome = BpfCallFault::real(command, attributes, bytes);
         if (attributes.batch.count > 1) ++*words_at(attributes.batch.values);
         return outcome;
       },
       "is not its own"},
      {"counts an element too much", batch("lookup", "hash"),
       [](int command, bpf_attr& attributes, std::uint32_t bytes) {
         const long outcome = BpfCallFault::real(command, attributes, bytes);
         if (outcome != 0) ++attributes.batch.count;
         return outcome;
       },
       "add up to"},
      {"stores nothing", batch("update", "hash"), say_yes, "the map holds"},
      {"does an element less", batch("update", "array"),
       [](int command, bpf_attr& attributes, std::uint32_t bytes) {
         --attributes.batch.count;
         return BpfCallFault::real(command, attributes, bytes);
       },
       "a call did 15 elements"},
      {"deletes nothing", batch("delete", "hash"), say_yes, "the map holds"},
  };
  for (const Lie& lie : lies) {
    SCOPED_TRACE(lie.name + ": a kernel that " + lie.what);
    ASSERT_NO_FATAL_FAILURE(load(lie.name));
    if (IsSkipped()) return;
    const BpfCallFault fault(lie.answer);
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr(lie.complaint)));
  }
}

TEST_F(MapUser, EveryCpusCopyIsLookedAt) {
  if (libbpf_num_possible_cpus() < 2) GTEST_SKIP() << "a single possible CPU";
  for (const char* const type : {"percpu_array", "percpu_hash", "lru_percpu_hash"}) {
    SCOPED_TRACE(type);
    ASSERT_NO_FATAL_FAILURE(load(plain("lookup", type, "uniform")));
    if (IsSkipped()) return;
    Findings findings;
    ASSERT_THAT(load_->finish(findings), IsOk());
    EXPECT_EQ(findings.counters.at("possible_cpus"), libbpf_num_possible_cpus());
    const BpfCallFault fault([](int command, bpf_attr& attributes, std::uint32_t bytes) {
      const long outcome = BpfCallFault::real(command, attributes, bytes);
      ++words_at(attributes.value)[1];
      return outcome;
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("on every CPU")));
  }
}

TEST_F(MapUser, TypesWithOneCopySayNothingOfCpus) {
  ASSERT_NO_FATAL_FAILURE(load(plain("lookup", "hash", "uniform")));
  if (IsSkipped()) return;
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_TRUE(findings.counters.empty());
}

TEST_F(MapUser, FloorRefusesACallThatIsNotRefusedAsItMust) {
  for (const std::string& name :
       {plain("lookup", "hash", "uniform"), plain("delete", "hash", "sequential"),
        batch("lookup", "hash"), batch("update", "array")}) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    {
      const BpfCallFault fault(say_yes);
      EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("were refused")));
    }
    const BpfCallFault fault([](int, bpf_attr&, std::uint32_t) -> long {
      errno = EPERM;
      return -1;
    });
    EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("errno 1")));
  }
}

// --- maps that are mapped

// Puts other memory in the place of what is mapped of a map, with what stood there or with zeroes.
// False if nothing is mapped.
bool replace_mapping(bool keep) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t first = 0, end = 0;
    if (line.find("bpf-map") == std::string::npos) continue;
    if (std::sscanf(line.c_str(), "%lx-%lx", &first, &end) != 2) return false;
    auto* const start = reinterpret_cast<std::byte*>(first);
    const std::vector<std::byte> content(start, start + (end - first));
    if (::mmap(start, end - first, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               -1, 0) != start) {
      return false;
    }
    if (keep) std::ranges::copy(content, start);
    return true;
  }
  return false;
}

TEST_F(MapUser, ReadingRefusesWordsThatAreNotTheMaps) {
  for (const char* const type : {"array_mmap", "arena"}) {
    SCOPED_TRACE(type);
    ASSERT_NO_FATAL_FAILURE(load(plain("read", type, "uniform")));
    if (IsSkipped()) return;
    ASSERT_TRUE(replace_mapping(/*keep=*/false));
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to 0")));
    EXPECT_THAT(run(Arm::kFloor), IsOk());
    load_.reset();
  }
}

TEST_F(MapUser, ExchangeRefusesWordsThatDidNotReachTheMap) {
  ASSERT_NO_FATAL_FAILURE(load(plain("exchange", "array_mmap", "uniform")));
  if (IsSkipped()) return;
  ASSERT_TRUE(replace_mapping(/*keep=*/true));
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("at the last index")));
}

}  // namespace
}  // namespace bpfmark
