// SPDX-License-Identifier: BSD-2-Clause
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "bpf/shared/batch.h"
#include "bpf/shared/map_contention.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"
// The skeletons use the shared structs.
#include "map_arena.skel.h"
#include "map_contention.skel.h"
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
    {"drain", {{helper(BPF_FUNC_user_ringbuf_drain), kEach}}},
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
    {"floor_inode", {}},
    {"inode_get", {{helper(BPF_FUNC_inode_storage_get), kEach}}},
    {"inode_create",
     {{helper(BPF_FUNC_inode_storage_get), kEach}, {helper(BPF_FUNC_inode_storage_delete), kEach}}},
    {"floor_kptr", {{helper(BPF_FUNC_map_lookup_elem), 1}}},
    {"kptr_move",
     {{helper(BPF_FUNC_map_lookup_elem), 1},
      {helper(BPF_FUNC_kptr_xchg), 2 * kEach},
      {"bpf_obj_drop_impl", kEach}}},
};

const Program kMapArena[] = {
    {"arena_read", {}},
    {"floor_read", {}},
    {"arena_write", {}},
    {"floor_write", {}},
    {"floor_alloc", {}},
    {"arena_alloc", {{"bpf_arena_alloc_pages", kEach}, {"bpf_arena_free_pages", kEach}}},
};

// The entry is found once a pass, in the floor as well.
const Calls kCellOnly = {{helper(BPF_FUNC_map_lookup_elem), 1}};

// Without c_, f_, r_ and g_.
const Program kMapContention[] = {
    {"spin_lock",
     with(kCellOnly, {{helper(BPF_FUNC_spin_lock), kEach}, {helper(BPF_FUNC_spin_unlock), kEach}})},
    {"res_spin_lock",
     with(kCellOnly, {{"bpf_res_spin_lock", kEach}, {"bpf_res_spin_unlock", kEach}})},
    {"atomic", kCellOnly},
    {"percpu", kCellOnly},
    {"hash_update", {{helper(BPF_FUNC_map_update_elem), kEach}}},
    {"hash_insdel",
     {{helper(BPF_FUNC_map_update_elem), kEach}, {helper(BPF_FUNC_map_delete_elem), kEach}}},
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

// --- accesses that no call makes

std::size_t count_code(const Function& body, int code) {
  return static_cast<std::size_t>(
      std::ranges::count_if(body.code, [&](const Instruction& i) { return i.raw.code == code; }));
}

constexpr int kLoadWord = BPF_LDX | BPF_MEM | BPF_DW;
constexpr int kStoreWord = BPF_STX | BPF_MEM | BPF_DW;
constexpr int kAtomicWord = BPF_STX | BPF_ATOMIC | BPF_DW;

// A cast from the address space of the arena to that of the kernel: a move with an offset.
std::size_t count_casts(const Function& body) {
  return static_cast<std::size_t>(std::ranges::count_if(body.code, [](const Instruction& i) {
    return i.raw.code == (BPF_ALU64 | BPF_MOV | BPF_X) && i.raw.off == 1;
  }));
}

// Loads or stores that do not go to the stack.
std::size_t count_accesses(const Function& body, int code) {
  return static_cast<std::size_t>(std::ranges::count_if(body.code, [&](const Instruction& i) {
    const int pointer = BPF_CLASS(code) == BPF_LDX ? i.raw.src_reg : i.raw.dst_reg;
    return i.raw.code == code && pointer != BPF_REG_10;
  }));
}

Result<void> check_arena_accesses(const ObjectCode& code, const std::string& subject,
                                  const std::string& floor, int access) {
  const Function with_access = body_of(code, subject), without = body_of(code, floor);
  const std::size_t in_subject = count_accesses(with_access, access);
  const std::size_t in_floor = count_accesses(without, access);
  if (in_subject == in_floor + kEach && count_casts(with_access) > 0 && count_casts(without) == 0) {
    return {};
  }
  return wrong_result(fmt::format("{} makes {} accesses and {} casts, {} makes {} and {}", subject,
                                  in_subject, count_casts(with_access), floor, in_floor,
                                  count_casts(without)));
}

TEST(MapArenaBytecode, EveryWordIsReadOrWrittenByAPointerAndNotInTheFloor) {
  expect_calls<map_arena_bpf>(kMapArena);
  const auto code = ObjectCode::of_skeleton<map_arena_bpf>();
  ASSERT_THAT(code, IsOk());
  EXPECT_THAT(check_arena_accesses(*code, "arena_read", "floor_read", kLoadWord), IsOk());
  EXPECT_THAT(check_arena_accesses(*code, "arena_write", "floor_write", kStoreWord), IsOk());
  // Faults: the one taken for the other.
  for (const int access : {kLoadWord, kStoreWord}) {
    EXPECT_THAT(check_arena_accesses(*code, "floor_write", "arena_write", access),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("casts")));
  }
  EXPECT_THAT(check_arena_accesses(*code, "arena_write", "floor_write", kLoadWord),
              ErrorIs(ErrorKind::kWrongResult, HasSubstr("casts")));
}

// The floor calls what its subject calls once a pass, and no more.
Calls calls_of_floor(const Program& program) {
  return program.calls.contains(helper(BPF_FUNC_map_lookup_elem)) ? kCellOnly : Calls{};
}

TEST(MapContentionBytecode, OperationIsInTheSubjectAndNotInTheFloor) {
  const auto code = ObjectCode::of_skeleton<map_contention_bpf>();
  ASSERT_THAT(code, IsOk());
  for (const Program& program : kMapContention) {
    const std::string name = program.name;
    EXPECT_THAT(check_calls(body_of(*code, "c_" + name), program.calls), IsOk());
    EXPECT_THAT(check_calls(body_of(*code, "f_" + name), calls_of_floor(program)), IsOk());
    if (program.calls == kCellOnly) continue;
    EXPECT_THAT(check_calls(body_of(*code, "f_" + name), program.calls),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("instead of")));
  }
}

TEST(MapContentionBytecode, EachIncrementIsAnInstructionOfItsOwn) {
  const auto code = ObjectCode::of_skeleton<map_contention_bpf>();
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(count_code(body_of(*code, "c_atomic"), kAtomicWord), kEach);
  EXPECT_EQ(count_code(body_of(*code, "f_atomic"), kAtomicWord), 0u);
  for (const char* const name : {"spin_lock", "res_spin_lock", "percpu"}) {
    EXPECT_GE(count_code(body_of(*code, std::string("c_") + name), kStoreWord),
              count_code(body_of(*code, std::string("f_") + name), kStoreWord) + kEach)
        << name;
  }
}

// The other CPU does the very same: its loop body is that of the measured program, or calls it.
Result<void> check_rival(const ObjectCode& code, const std::string& own, const std::string& rival) {
  const Function* const body = code.find(rival + "_body");
  const Function* const program = code.find(rival);
  if (body == nullptr || program == nullptr) return wrong_result("there is no " + rival);
  if (calls_of(*program) != Calls{{helper(BPF_FUNC_loop), 1}}) {
    return wrong_result(rival + " does not loop, or does more");
  }
  const Calls by_call = {{own + "_body", 1}};
  return calls_of(*body) == by_call ? Result<void>{}
                                    : check_calls(*body, calls_of(body_of(code, own)));
}

TEST(MapContentionBytecode, OtherCpuDoesTheSame) {
  const auto code = ObjectCode::of_skeleton<map_contention_bpf>();
  ASSERT_THAT(code, IsOk());
  for (const Program& program : kMapContention) {
    const std::string name = program.name;
    EXPECT_THAT(check_rival(*code, "c_" + name, "r_" + name), IsOk());
    EXPECT_THAT(check_rival(*code, "f_" + name, "g_" + name), IsOk());
    if (program.calls == kCellOnly) continue;
    EXPECT_THAT(check_rival(*code, "c_" + name, "g_" + name),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr("instead of")));
  }
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
