// SPDX-License-Identifier: BSD-2-Clause
// The bodies of programs on live hooks: that each does what its name says, and nothing besides what
// all of them do around it. That a body is the same for every way to attach is not a matter of the
// compiler: it is one program (tests/bpf/hook_dispatch_test.cpp shows its tag).
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "bpf/shared/hook_body.h"
#include "hook_body.skel.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

using Code = std::vector<Instruction>;

struct Body {
  const char* name;
  std::vector<bpf_func_id> helpers;  // in the order of the code
};

const std::array kBodies = {
    Body{"empty", {}},
    Body{"counter", {}},
    Body{"hash", {BPF_FUNC_map_lookup_elem}},
    Body{"hash_struct", {BPF_FUNC_map_lookup_elem}},
    Body{"ringbuf", {BPF_FUNC_ringbuf_reserve, BPF_FUNC_ktime_get_ns, BPF_FUNC_ringbuf_submit}},
    Body{"perfbuf", {BPF_FUNC_ktime_get_ns, BPF_FUNC_perf_event_output}},
    Body{"stackid", {BPF_FUNC_get_stackid}},
};

bool same(const Instruction& one, const Instruction& other) {
  // The jump over the body is as long as the body is.
  bpf_insn a = one.raw, b = other.raw;
  if (BPF_CLASS(a.code) == BPF_JMP) a.off = b.off = 0;
  // Without a call before it the context may stay in its register, and others give way.
  a.dst_reg = b.dst_reg = a.src_reg = b.src_reg = 0;
  return std::memcmp(&a, &b, sizeof(a)) == 0 && one.symbol == other.symbol;
}

// Everything up to the jump over the body, but for a copy of the context into another register,
// which only some bodies need.
Code filter_of(const Code& code) {
  Code filter;
  for (const Instruction& instruction : code) {
    const bool copy = instruction.raw.code == (BPF_ALU64 | BPF_MOV | BPF_X);
    if (!copy) filter.push_back(instruction);
    if (instruction.raw.code == (BPF_JMP | BPF_JNE | BPF_K)) return filter;
  }
  return {};
}

// Whether a body asks for the process: those that are for hooks which only we pass do not.
enum class Filter { kAsks, kAlone };

Result<void> check_body(const Body& body, const Code& code, const Code& reference,
                        Filter kind = Filter::kAsks) {
  const Code filter = filter_of(code), expected = filter_of(reference);
  if (filter.empty() || !std::ranges::equal(filter, expected, same)) {
    return wrong_result("another filter");
  }
  const bool asks = filter.front().calls_helper(BPF_FUNC_get_current_pid_tgid);
  if (asks != (kind == Filter::kAsks)) {
    return wrong_result(asks ? "the filter asks for the process"
                             : "the filter does not ask for the process");
  }
  std::vector<bpf_func_id> helpers;
  for (const Instruction& instruction : code) {
    if (instruction.calls_function()) return wrong_result("a call of a function");
    if (instruction.jumps_backward()) return wrong_result("a loop");
    if (instruction.calls_helper())
      helpers.push_back(static_cast<bpf_func_id>(instruction.raw.imm));
  }
  if (asks) helpers.erase(helpers.begin());
  if (helpers != body.helpers) return wrong_result("other helpers");
  return {};
}

class HookBodyBytecode : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(object_, IsOk()); }

  Code code_of(std::string_view name, std::string_view program = "body") const {
    const Function* const function = object_->find(fmt::format("{}_{}", program, name));
    EXPECT_NE(function, nullptr) << name;
    return function == nullptr ? Code{} : function->code;
  }

  const Result<ObjectCode> object_ = ObjectCode::of_skeleton<hook_body_bpf>();
};

TEST_F(HookBodyBytecode, EachBodyIsTheSameFilterAndItsOwnHelpers) {
  for (const Body& body : kBodies) {
    EXPECT_THAT(check_body(body, code_of(body.name), code_of("empty")), IsOk()) << body.name;
  }
}

TEST_F(HookBodyBytecode, EachBodyThatIsAloneIsTheSameWithoutTheQuestion) {
  const Code empty = code_of("empty", "alone");
  for (const Body& body : kBodies) {
    if (body.name == std::string_view("stackid")) continue;  // for programs that trace
    const Code code = code_of(body.name, "alone");
    EXPECT_THAT(check_body(body, code, empty, Filter::kAlone), IsOk()) << body.name;
    EXPECT_EQ(code.size() - empty.size(), code_of(body.name).size() - code_of("empty").size());
    EXPECT_THAT(check_body(body, code_of(body.name), code_of("empty"), Filter::kAlone),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("asks for the process")));
  }
}

TEST_F(HookBodyBytecode, CounterIsOneLoadOneAdditionAndOneStore) {
  const Code empty = code_of("empty"), counter = code_of("counter");
  ASSERT_EQ(counter.size(), empty.size() + 5) << "the address takes two of them";
  EXPECT_EQ(std::ranges::count_if(counter,
                                  [](const Instruction& instruction) {
                                    return instruction.raw.code == (BPF_STX | BPF_MEM | BPF_DW);
                                  }),
            1)
      << "a plain store, no atomic";
}

TEST_F(HookBodyBytecode, PlantedFaultOneBodyIsNotTakenForAnother) {
  for (const Body& body : kBodies) {
    for (const Body& other : kBodies) {
      if (body.helpers == other.helpers) continue;
      EXPECT_THAT(check_body(body, code_of(other.name), code_of("empty")),
                  ErrorIs(ErrorKind::kWrongResult, HasSubstr("other helpers")))
          << body.name << " " << other.name;
    }
  }
}

TEST_F(HookBodyBytecode, PlantedFaultAnotherFilterIsRefused) {
  Code code = code_of("counter");
  std::erase_if(code, [](const Instruction& instruction) {
    return instruction.raw.code == (BPF_ALU64 | BPF_AND | BPF_X);
  });
  EXPECT_THAT(check_body(kBodies[1], code, code_of("empty")),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("filter")));
}

}  // namespace
}  // namespace bpfmark
