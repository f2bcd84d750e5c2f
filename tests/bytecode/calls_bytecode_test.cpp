// SPDX-License-Identifier: BSD-2-Clause
// The families whose operation is a call: every subject makes it once per operation, its floor
// never.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bpf/shared/batch.h"
#include "bpf/shared/crypto.h"
#include "copy.skel.h"
#include "crypto.skel.h"
#include "helper.skel.h"
#include "kfunc.skel.h"
#include "tests/support/bytecode_checks.h"
#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What a body calls per operation: a helper, or a kernel function by name.
struct Expected {
  const char* program;  // without its prefix
  std::vector<bpf_func_id> helpers;
  std::vector<const char*> kfuncs;
  const char* floor = nullptr;  // of its own name if null
};

const Expected kHelpers[] = {
    {"cpu_id", {BPF_FUNC_get_smp_processor_id}, {}},
    {"numa_node", {BPF_FUNC_get_numa_node_id}, {}},
    {"jiffies", {BPF_FUNC_jiffies64}, {}},
    {"prandom", {BPF_FUNC_get_prandom_u32}, {}},
    {"pid_tgid", {BPF_FUNC_get_current_pid_tgid}, {}},
    {"uid_gid", {BPF_FUNC_get_current_uid_gid}, {}},
    {"cgroup_id", {BPF_FUNC_get_current_cgroup_id}, {}},
    {"task", {BPF_FUNC_get_current_task}, {}},
    {"comm", {BPF_FUNC_get_current_comm}, {}},
    {"read_kern_str", {BPF_FUNC_probe_read_kernel_str}, {}},
    {"read_user", {BPF_FUNC_probe_read_user}, {}},
    {"read_user_str", {BPF_FUNC_probe_read_user_str}, {}},
    {"copy_user", {BPF_FUNC_copy_from_user}, {}},
    {"strncmp", {BPF_FUNC_strncmp}, {}},
    {"strtoul", {BPF_FUNC_strtoul}, {}},
    {"snprintf", {BPF_FUNC_snprintf}, {}},
    {"csum_diff", {BPF_FUNC_csum_diff}, {}},
    {"loop", {BPF_FUNC_loop}, {}},
    {"for_each", {BPF_FUNC_for_each_map_elem}, {}},
    {"find_vma", {BPF_FUNC_find_vma}, {}},
    {"stackid", {BPF_FUNC_get_stackid}, {}},
    {"stack", {BPF_FUNC_get_stack}, {}},
    {"perf_output", {BPF_FUNC_perf_event_output}, {}},
    {"spin_lock", {BPF_FUNC_spin_lock, BPF_FUNC_spin_unlock}, {}},
    {"timer", {BPF_FUNC_timer_set_callback, BPF_FUNC_timer_start, BPF_FUNC_timer_cancel}, {}},
    {"vlan_pair", {BPF_FUNC_skb_vlan_push, BPF_FUNC_skb_vlan_pop}, {}},
    {"l3_csum_pair", {BPF_FUNC_l3_csum_replace, BPF_FUNC_l3_csum_replace}, {}},
    {"l4_csum_pair", {BPF_FUNC_l4_csum_replace, BPF_FUNC_l4_csum_replace}, {}},
    {"csum_level", {BPF_FUNC_csum_level, BPF_FUNC_csum_level}, {}},
    {"csum_update", {BPF_FUNC_csum_update, BPF_FUNC_csum_update}, {}},
    {"check_mtu", {BPF_FUNC_check_mtu}, {}},
    {"skb_tail_pair", {BPF_FUNC_skb_change_tail, BPF_FUNC_skb_change_tail}, {}},
    {"skb_room_pair", {BPF_FUNC_skb_adjust_room, BPF_FUNC_skb_adjust_room}, {}},
    {"skb_pull_data", {BPF_FUNC_skb_pull_data}, {}},
    {"skb_hash_pair", {BPF_FUNC_set_hash_invalid, BPF_FUNC_get_hash_recalc}, {}},
    {"socket_cookie", {BPF_FUNC_get_socket_cookie}, {}},
    {"redirect_tc", {BPF_FUNC_redirect}, {}},
    {"fib_lookup", {BPF_FUNC_fib_lookup}, {}},
    {"sk_lookup", {BPF_FUNC_sk_lookup_udp, BPF_FUNC_sk_release}, {}},
    {"xdp_head_pair", {BPF_FUNC_xdp_adjust_head, BPF_FUNC_xdp_adjust_head}, {}},
    {"xdp_tail_pair", {BPF_FUNC_xdp_adjust_tail, BPF_FUNC_xdp_adjust_tail}, {}},
    {"xdp_meta_pair", {BPF_FUNC_xdp_adjust_meta, BPF_FUNC_xdp_adjust_meta}, {}},
    {"xdp_buff_len", {BPF_FUNC_xdp_get_buff_len}, {}},
    {"redirect_xdp", {BPF_FUNC_redirect}, {}},
};

const Expected kKfuncs[] = {
    {"dynptr_size", {}, {"bpf_dynptr_size"}},
    {"strlen", {}, {"bpf_strlen"}},
    {"strcmp", {}, {"bpf_strcmp"}},
    {"rcu_pair", {}, {"bpf_rcu_read_lock", "bpf_rcu_read_unlock"}},
    {"preempt_pair", {}, {"bpf_preempt_disable", "bpf_preempt_enable"}},
    {"irq_pair", {}, {"bpf_local_irq_save", "bpf_local_irq_restore"}},
    {"res_spin_lock", {}, {"bpf_res_spin_lock", "bpf_res_spin_unlock"}},
    {"obj_pair", {}, {"bpf_obj_new_impl", "bpf_obj_drop_impl"}},
    {"cpumask_pair", {}, {"bpf_cpumask_create", "bpf_cpumask_release"}},
    {"task_acquire", {}, {"bpf_task_acquire", "bpf_task_release"}},
    {"task_from_pid", {}, {"bpf_task_from_pid", "bpf_task_release"}},
};

const Expected kCiphers[] = {
    {"encrypt", {}, {"bpf_crypto_encrypt"}},
    {"decrypt", {}, {"bpf_crypto_decrypt"}},
};

const Expected kCopies[] = {
    {"probe_read", {BPF_FUNC_probe_read_kernel}, {}, "floor"},
    {"skb_load", {BPF_FUNC_skb_load_bytes}, {}, "floor"},
    {"xdp_load", {BPF_FUNC_xdp_load_bytes}, {}, "floor_xdp"},
    {"dynptr_read", {BPF_FUNC_dynptr_read}, {}, "floor_dynptr"},
    {"dynptr_write", {BPF_FUNC_dynptr_write}, {}, "floor_dynptr"},
    {"dynptr_copy", {}, {"bpf_dynptr_copy"}, "floor_dynptr"},
    {"slice", {}, {"bpf_dynptr_slice"}, "floor_dynptr"},
};

std::size_t calls_of(const Function& body, const char* kfunc) {
  return static_cast<std::size_t>(std::ranges::count_if(
      body.code, [&](const Instruction& i) { return i.calls_function() && i.symbol == kfunc; }));
}

// The body calls each of them `per_pass` times in a pass.
Result<void> check_calls(const Function& body, const Expected& expected, std::size_t per_pass) {
  for (const bpf_func_id helper : std::set(expected.helpers.begin(), expected.helpers.end())) {
    const auto wanted =
        per_pass * static_cast<std::size_t>(std::ranges::count(expected.helpers, helper));
    if (const std::size_t found = count_helper_calls(body, helper); found != wanted) {
      return wrong_result(body.name + " calls helper " + std::to_string(helper) + " " +
                          std::to_string(found) + " times instead of " + std::to_string(wanted));
    }
  }
  for (const char* const kfunc : expected.kfuncs) {
    if (const std::size_t found = calls_of(body, kfunc); found != per_pass) {
      return wrong_result(body.name + " calls " + kfunc + " " + std::to_string(found) +
                          " times instead of " + std::to_string(per_pass));
    }
  }
  return {};
}

template <class S>
void expect_calls(std::span<const Expected> list, const std::string& prefix,
                  const std::string& floor_prefix) {
  const auto code = ObjectCode::of_skeleton<S>();
  ASSERT_THAT(code, IsOk());
  for (const Expected& expected : list) {
    SCOPED_TRACE(expected.program);
    const Function* const subject = code->find(prefix + expected.program + "_body");
    const Function* const floor =
        code->find(floor_prefix + (expected.floor ? expected.floor : expected.program) + "_body");
    ASSERT_NE(subject, nullptr);
    ASSERT_NE(floor, nullptr);
    EXPECT_THAT(check_calls(*subject, expected, BPFMARK_UNROLL), IsOk());
    EXPECT_THAT(check_calls(*floor, expected, 0), IsOk());
    // Faults: the one taken for the other.
    EXPECT_THAT(check_calls(*floor, expected, BPFMARK_UNROLL),
                ErrorIs(ErrorKind::kWrongResult, HasSubstr(" 0 times instead of ")));
    EXPECT_THAT(check_calls(*subject, expected, 0), Not(IsOk()));
  }
}

TEST(CallsBytecode, EveryHelperIsCalledOncePerOperationAndNotInItsFloor) {
  expect_calls<helper_bpf>(kHelpers, "h_", "f_");
}

TEST(CallsBytecode, EveryKfuncIsCalledOncePerOperationAndNotInItsFloor) {
  expect_calls<kfunc_bpf>(kKfuncs, "k_", "f_");
  expect_calls<crypto_bpf>(kCiphers, "k_", "f_");
}

TEST(CallsBytecode, EveryCopyIsMadeOncePerOperationAndNotInItsFloor) {
  expect_calls<copy_bpf>(kCopies, "copy_", "copy_");
}

template <class S>
std::vector<std::string> programs_with(const std::string& prefix) {
  std::vector<std::string> names;
  const auto code = ObjectCode::of_skeleton<S>();
  for (const Function& function : code->functions()) {
    if (function.name.starts_with(prefix) && !function.name.ends_with("_body")) {
      names.push_back(function.name.substr(prefix.size()));
    }
  }
  return names;
}

TEST(CallsBytecode, NoProgramIsLeftOutOfTheLists) {
  const auto names_of = [](std::span<const Expected> list) {
    std::vector<std::string> names;
    for (const Expected& expected : list) names.emplace_back(expected.program);
    return names;
  };
  EXPECT_THAT(programs_with<helper_bpf>("h_"),
              ::testing::UnorderedElementsAreArray(names_of(kHelpers)));
  EXPECT_THAT(programs_with<kfunc_bpf>("k_"),
              ::testing::UnorderedElementsAreArray(names_of(kKfuncs)));
  EXPECT_THAT(programs_with<crypto_bpf>("k_"),
              ::testing::UnorderedElementsAreArray(names_of(kCiphers)));
}

// Words loaded from one place and stored to another by one copy.
std::size_t word_stores(const Function& function) {
  return static_cast<std::size_t>(std::ranges::count_if(function.code, [](const Instruction& i) {
    return i.raw.code == (BPF_STX | BPF_MEM | BPF_DW);
  }));
}

TEST(CallsBytecode, WordMovesMoveEveryWord) {
  const auto code = ObjectCode::of_skeleton<copy_bpf>();
  ASSERT_THAT(code, IsOk());
  EXPECT_EQ(word_stores(*code->find("move_1000")), 125u);
  EXPECT_EQ(word_stores(*code->find("move_4096")), 512u);
  for (const char* const name : {"copy_words_1000_body", "copy_words_4096_body"}) {
    EXPECT_EQ(std::ranges::count_if(code->find(name)->code,
                                    [](const Instruction& i) { return i.calls_function(); }),
              BPFMARK_UNROLL)
        << name;
  }
  const std::size_t floor = word_stores(*code->find("copy_floor_body"));
  EXPECT_EQ(word_stores(*code->find("copy_words_8_body")) - floor, std::size_t{BPFMARK_UNROLL});
  EXPECT_EQ(word_stores(*code->find("copy_words_64_body")) - floor,
            std::size_t{BPFMARK_UNROLL * 8});
}

}  // namespace
}  // namespace bpfmark
