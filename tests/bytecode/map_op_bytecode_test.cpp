// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "bpf/shared/batch.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"
// The skeletons use the shared structs.
#include "map_object.skel.h"
#include "map_op.skel.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kEach = BPFMARK_UNROLL;

// How often each helper (by number) or kernel function (by name) is called in a pass.
using Calls = std::map<std::string, std::size_t>;

std::string helper(bpf_func_id id) { return fmt::format("helper {}", static_cast<int>(id)); }

Calls calls_of(const Function& body) {
  Calls calls;
  for (const Instruction& i : body.code) {
    if (i.calls_helper()) ++calls[helper(static_cast<bpf_func_id>(i.raw.imm))];
    if (i.calls_function()) ++calls[i.symbol];
  }
  return calls;
}

Result<void> check_calls(const Function& body, const Calls& expected) {
  const Calls calls = calls_of(body);
  if (calls == expected) return {};
  return wrong_result(fmt::format("{} calls {} instead of {}", body.name,
                                  ::testing::PrintToString(calls),
                                  ::testing::PrintToString(expected)));
}

struct Program {
  const char* name;
  Calls calls;
};

const Program kMapOp[] = {
    {"floor_key", {}},
    {"floor_value", {}},
    {"floor_redirect", {}},
    {"lookup", {{helper(BPF_FUNC_map_lookup_elem), kEach}}},
    {"trie_lookup", {{helper(BPF_FUNC_map_lookup_elem), kEach}}},
    {"inner_lookup", {{helper(BPF_FUNC_map_lookup_elem), 2 * kEach}}},
    {"socket_lookup",
     {{helper(BPF_FUNC_map_lookup_elem), kEach}, {helper(BPF_FUNC_sk_release), kEach}}},
    {"update", {{helper(BPF_FUNC_map_update_elem), kEach}}},
    {"trie_update", {{helper(BPF_FUNC_map_update_elem), kEach}}},
    {"insert_delete",
     {{helper(BPF_FUNC_map_update_elem), kEach}, {helper(BPF_FUNC_map_delete_elem), kEach}}},
    {"trie_insdel",
     {{helper(BPF_FUNC_map_update_elem), kEach}, {helper(BPF_FUNC_map_delete_elem), kEach}}},
    {"redirect", {{helper(BPF_FUNC_redirect_map), kEach}}},
    {"bloom_push", {{helper(BPF_FUNC_map_push_elem), kEach}}},
    {"bloom_peek", {{helper(BPF_FUNC_map_peek_elem), kEach}}},
    {"push_pop", {{helper(BPF_FUNC_map_push_elem), kEach}, {helper(BPF_FUNC_map_pop_elem), kEach}}},
    {"ring_output", {{helper(BPF_FUNC_ringbuf_output), kEach}}},
    {"ring_reserve",
     {{helper(BPF_FUNC_ringbuf_reserve), kEach}, {helper(BPF_FUNC_ringbuf_submit), kEach}}},
};

// The owner is found once a pass, in the floor as well.
const Calls kTaskOnly = {{helper(BPF_FUNC_get_current_task_btf), 1}};
const Calls kSocketOnly = {{helper(BPF_FUNC_sk_fullsock), 1}};

Calls with(Calls calls, const Calls& more) {
  calls.insert(more.begin(), more.end());
  return calls;
}

const Program kMapObject[] = {
    {"floor_word", {}},
    {"floor_task", kTaskOnly},
    {"floor_cgroup", kTaskOnly},
    {"floor_sk", kSocketOnly},
    {"task_get", with(kTaskOnly, {{helper(BPF_FUNC_task_storage_get), kEach}})},
    {"task_create", with(kTaskOnly, {{helper(BPF_FUNC_task_storage_get), kEach},
                                     {helper(BPF_FUNC_task_storage_delete), kEach}})},
    {"cgroup_get", with(kTaskOnly, {{helper(BPF_FUNC_cgrp_storage_get), kEach}})},
    {"cgroup_create", with(kTaskOnly, {{helper(BPF_FUNC_cgrp_storage_get), kEach},
                                       {helper(BPF_FUNC_cgrp_storage_delete), kEach}})},
    {"sk_get", with(kSocketOnly, {{helper(BPF_FUNC_sk_storage_get), kEach}})},
    {"sk_create", with(kSocketOnly, {{helper(BPF_FUNC_sk_storage_get), kEach},
                                     {helper(BPF_FUNC_sk_storage_delete), kEach}})},
    {"list_move",
     {{helper(BPF_FUNC_spin_lock), 2 * kEach},
      {helper(BPF_FUNC_spin_unlock), 2 * kEach},
      {"bpf_list_pop_front", kEach},
      {"bpf_list_push_back_impl", kEach}}},
    {"tree_move",
     {{helper(BPF_FUNC_spin_lock), 2 * kEach},
      {helper(BPF_FUNC_spin_unlock), 2 * kEach},
      {"bpf_rbtree_first", kEach},
      {"bpf_rbtree_remove", kEach},
      {"bpf_rbtree_add_impl", kEach}}},
};

Function body_of(const ObjectCode& code, const std::string& program) {
  const Result<const Function*> body = timed_body(code, program);
  EXPECT_THAT(body, IsOk()) << program;
  return body ? **body : Function{};
}

template <class S, class Programs>
void expect_calls(const Programs& programs) {
  const auto code = ObjectCode::of_skeleton<S>();
  ASSERT_THAT(code, IsOk());
  for (const Program& program : programs) {
    EXPECT_THAT(check_calls(body_of(*code, program.name), program.calls), IsOk());
  }
}

TEST(MapOpBytecode, OperationIsInTheSubjectAndNotInTheFloor) { expect_calls<map_op_bpf>(kMapOp); }

TEST(MapObjectBytecode, OperationIsInTheSubjectAndNotInTheFloor) {
  expect_calls<map_object_bpf>(kMapObject);
}

// The keys are read one by one in every program, or the floor would be a cheaper loop.
TEST(MapOpBytecode, EveryProgramReadsEveryKey) {
  const auto code = ObjectCode::of_skeleton<map_op_bpf>();
  ASSERT_THAT(code, IsOk());
  for (const Program& program : kMapOp) {
    const Function body = body_of(*code, program.name);
    for (int step = 1; step < BPFMARK_UNROLL; ++step) {
      EXPECT_TRUE(std::ranges::any_of(body.code,
                                      [&](const Instruction& i) {
                                        return i.raw.code == (BPF_LDX | BPF_MEM | BPF_W) &&
                                               i.raw.off == 4 * step && i.raw.src_reg != BPF_REG_10;
                                      }))
          << program.name << " does not read key " << step;
    }
  }
}

TEST(MapOpBytecode, PlantedFaultAFloorTakenForTheSubjectIsRefused) {
  const auto code = ObjectCode::of_skeleton<map_op_bpf>();
  ASSERT_THAT(code, IsOk());
  EXPECT_THAT(check_calls(body_of(*code, "floor_value"), kMapOp[7].calls),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("instead of")));
}

TEST(MapOpBytecode, PlantedFaultAnOperationThatTheCompilerDroppedIsRefused) {
  const auto code = ObjectCode::of_skeleton<map_op_bpf>();
  ASSERT_THAT(code, IsOk());
  for (const Program& program : kMapOp) {
    if (program.calls.empty()) continue;
    Function body = body_of(*code, program.name);
    const auto call =
        std::ranges::find_if(body.code, [](const Instruction& i) { return i.calls_helper(); });
    ASSERT_NE(call, body.code.end());
    call->raw = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
    EXPECT_THAT(check_calls(body, program.calls),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("instead of")))
        << program.name;
  }
}

}  // namespace
}  // namespace bpfmark
