// SPDX-License-Identifier: BSD-2-Clause
// Wrong worlds shown to the families that measure code: every verifier must refuse them.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "bpf/shared/helper.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_map.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using Words = std::vector<std::uint64_t>;

class CodeFault : public LoadedCase {};

// The global variables of an object as words, read and written as a whole.
class Globals {
 public:
  explicit Globals(const std::string& map) : map_(own_map(map)) {
    bpf_map_info info{};
    __u32 length = sizeof(info);
    if (!map_ || bpf_map_get_info_by_fd(map_.get(), &info, &length) != 0) return;
    words_.resize((info.value_size + 7) / 8);
    const std::uint32_t key = 0;
    if (bpf_map_lookup_elem(map_.get(), &key, words_.data()) != 0) words_.clear();
  }

  Words& words() { return words_; }

  bool write() {
    const std::uint32_t key = 0;
    return bpf_map_update_elem(map_.get(), &key, words_.data(), BPF_EXIST) == 0;
  }

  // False if there is no such word.
  bool replace(std::uint64_t old_word, std::uint64_t new_word) {
    const auto found = std::ranges::find(words_, old_word);
    if (found == words_.end()) return false;
    *found = new_word;
    return write();
  }

 private:
  UniqueFd map_;
  Words words_;
};

std::uint64_t word_of(const char* text) {
  std::uint64_t word = 0;
  std::memcpy(&word, text, sizeof(word));
  return word;
}

// --- inputs that are not what user space believes

struct WrongInput {
  const char* name;
  const char* globals;
  std::uint64_t old_word;
  std::uint64_t new_word;
  const char* complaint;
};

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;

const WrongInput kWrongInputs[] = {
    {"copy/bytes:64/by:words", "copy_bpf.bss", 3 * kGolden, 1, "word 2 of the copy"},
    {"copy/bytes:64/by:words", "copy_bpf.bss", 8 * kGolden, 1, "add up to"},
    {"copy/bytes:64/by:probe_read_kernel", "copy_bpf.bss", 1 * kGolden, 1, "word 0 of the copy"},
    {"copy/bytes:1000/by:words", "copy_bpf.bss", 124 * kGolden, 1, "word 123 of the copy"},
    {"copy/bytes:1000/by:dynptr_read", "copy_bpf.bss", 125 * kGolden, 1, "add up to"},
    {"copy/bytes:4096/by:words", "copy_bpf.bss", 512 * kGolden, 1, "add up to"},
    {"copy/bytes:4096/by:dynptr_slice", "copy_bpf.bss", 512 * kGolden, 1, "add up to"},
    {"compute/kernel:byte_sum/for:bpf_v3/n:8", "compute_.bss", 8 * kGolden, 1, "add up to"},
    {"compute/kernel:ip_checksum/for:bpf_v1/n:8", "compute_.bss", 1 * kGolden, 1, "add up to"},
    {"compute/kernel:memcpy/for:bpf_v4/n:1024", "compute_.bss", 128 * kGolden, 1, "add up to"},
    {"helper/name:csum_diff", "helper_b.bss", 5, 6, "checksums add up to"},
    {"helper/name:strncmp", "helper_b.data", word_of(BPFMARK_STRING), 1, "hits"},
    {"helper/name:strtoul", "helper_b.data", 0x363534333231, 0x373534333231, "hits"},
    {"helper/name:crypto_encrypt", "crypto_b.bss", 0x7766554433221100, 1, "FIPS 197"},
    {"helper/name:crypto_decrypt", "crypto_b.bss", 0x30047b6ad8e0c469, 1, "FIPS 197"},
    {"helper/name:strcmp", "kfunc_bp.data", word_of(BPFMARK_STRING), 1, "hits"},
};

TEST_F(CodeFault, CodeRefusesAnInputThatIsNotTheOneItWasGiven) {
  for (const WrongInput& wrong : kWrongInputs) {
    SCOPED_TRACE(wrong.name);
    ASSERT_NO_FATAL_FAILURE(load(wrong.name));
    if (IsSkipped()) return;
    ASSERT_TRUE(Globals(wrong.globals).replace(wrong.old_word, wrong.new_word));
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr(wrong.complaint)));
    load_.reset();
  }
}

TEST_F(CodeFault, BoundCheckRefusesAByteThatIsNotTheArrays) {
  for (const char* const by : {"type", "compare", "mask"}) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load(std::string("bound_check/by:") + by));
    if (IsSkipped()) return;
    Globals globals("shape_bp.bss");
    // The array starts 3, 10, 17, ...
    ASSERT_TRUE(globals.replace(0x342d261f18110a03, 0x342d261f18110a04));
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
    EXPECT_THAT(run(Arm::kFloor), IsOk());
    load_.reset();
  }
}

TEST_F(CodeFault, TailCallsRefuseATableThatLostItsProgram) {
  for (const char* const by : {"tail_call_constant", "tail_call_dynamic"}) {
    SCOPED_TRACE(by);
    ASSERT_NO_FATAL_FAILURE(load(std::string("chain/by:") + by + "/depth:4"));
    if (IsSkipped()) return;
    const UniqueFd table = own_map("next");
    const std::uint32_t slot = 0;
    ASSERT_EQ(bpf_map_delete_elem(table.get(), &slot), 0);
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("0 links were counted")));
    EXPECT_THAT(run(Arm::kFloor), IsOk());
    load_.reset();
  }
}

// --- a kernel that lies about what it did

std::vector<const Case*> cases_of(std::initializer_list<const char*> families) {
  std::vector<const Case*> found;
  for (const Case& c : registered_cases().cases()) {
    const bool wanted = std::ranges::any_of(
        families, [&](const char* family) { return c.name.starts_with(family); });
    if (wanted && !c.needs.empty()) found.push_back(&c);
  }
  return found;
}

class EveryEntry : public CodeFault, public ::testing::WithParamInterface<const Case*> {};

TEST_P(EveryEntry, RefusesAnEntryTooFewAndAnotherVerdict) {
  ASSERT_NO_FATAL_FAILURE(load(GetParam()->name));
  if (IsSkipped()) return;
  {
    const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
      --options->repeat;
      return TestRunFault::real(prog_fd, options);
    });
    EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("were counted")));
  }
  const TestRunFault fault([](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    ++options->retval;
    return err;
  });
  for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
    EXPECT_THAT(run(arm), refused(HasSubstr("returned")));
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryEntry, ::testing::ValuesIn(cases_of({"chain/", "exit/"})),
                         test_name);

// The object whose .bss holds the result of a case.
std::string globals_of(const Case& c) {
  if (c.name.starts_with("copy/")) return "copy_bpf.bss";
  if (c.name.starts_with("compute/")) return "compute_.bss";
  if (!c.name.starts_with("helper/")) return "shape_bp.bss";
  if (c.name.find("/name:crypto_") != std::string::npos) return "crypto_b.bss";
  const bool kfunc = std::ranges::any_of(
      c.needs, [](const std::string& need) { return need.starts_with("kfunc_"); });
  return kfunc ? "kfunc_bp.bss" : "helper_b.bss";
}

class EveryTwin : public CodeFault, public ::testing::WithParamInterface<const Case*> {};

TEST_P(EveryTwin, RefusesAHitMoreAndAnotherSum) {
  ASSERT_NO_FATAL_FAILURE(load(GetParam()->name));
  if (IsSkipped()) return;
  // A result is recognised by its operations, which stand twice: done, and hits. The sum follows.
  const auto lie = [&](std::size_t place) {
    return [this, place](int prog_fd, bpf_test_run_opts* options) {
      const int err = TestRunFault::real(prog_fd, options);
      Globals globals(globals_of(*GetParam()));
      const std::uint64_t ops = case_->plan.ops_per_batch;
      const auto found = std::ranges::adjacent_find(
          globals.words(), [&](std::uint64_t a, std::uint64_t b) { return a == ops && b == ops; });
      if (found == globals.words().end()) return -ENOENT;
      ++found[static_cast<std::ptrdiff_t>(place)];
      return globals.write() ? err : -EIO;
    };
  };
  for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
    const TestRunFault fault(lie(1));
    EXPECT_THAT(run(arm), refused(HasSubstr("hits")));
  }
  const TestRunFault fault(lie(2));
  EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("add up to")));
  // These find what user space cannot know.
  const bool unknown = std::ranges::any_of(
      std::initializer_list<const char*>{"prandom", "cgroup_id", "get_stack", "skb_hash",
                                         "socket_cookie", "jiffies", "csum_update"},
      [&](const char* part) { return case_->name.find(part) != std::string::npos; });
  if (unknown) return;
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("add up to")));
}

INSTANTIATE_TEST_SUITE_P(Registered, EveryTwin,
                         ::testing::ValuesIn(cases_of({"copy/", "compute/", "helper/", "scratch/",
                                                       "bound_check/", "loop/"})),
                         test_name);

TEST_F(CodeFault, RandomNumbersThatAreNotUniformAreRefused) {
  ASSERT_NO_FATAL_FAILURE(load("helper/name:get_prandom_u32"));
  if (IsSkipped()) return;
  const TestRunFault fault([this](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    Globals globals("helper_b.bss");
    const std::uint64_t ops = case_->plan.ops_per_batch;
    const auto found = std::ranges::adjacent_find(
        globals.words(), [&](std::uint64_t a, std::uint64_t b) { return a == ops && b == ops; });
    if (found == globals.words().end()) return -ENOENT;
    found[2] = 7 * ops;
    return globals.write() ? err : -EIO;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("random numbers is 7")));
}

}  // namespace
}  // namespace bpfmark
