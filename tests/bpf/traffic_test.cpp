// SPDX-License-Identifier: BSD-2-Clause
// The families that count packets, shown worlds in which packets or entries are missing. That every
// case is right in the world as it is stands in registered_cases_test.cpp.
#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "bpf/shared/map_under_traffic.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_links.h"
#include "tests/bpf/own_map.h"
#include "tests/bpf/own_variable.h"
#include "tests/bpf/test_run_fault.h"

namespace bpfmark {
namespace {

using ::testing::HasSubstr;

class Traffic : public LoadedCase {
 protected:
  // What was attached for the subject is gone, and nobody was told.
  void expect_refused_once_detached(const std::string& name, const std::string& what) {
    SCOPED_TRACE(name);
    ASSERT_NO_FATAL_FAILURE(load(name));
    if (IsSkipped()) return;
    ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
    detach_own_links();
    EXPECT_THAT(load_->run(Arm::kSubject, case_->plan.ops_per_batch), refused(HasSubstr(what)));
    load_.reset();
  }

  std::uint64_t ops() const { return case_->plan.ops_per_batch; }
};

TEST_F(Traffic, HookThatIsNotThereIsMissed) {
  expect_refused_once_detached("drop/hook:xdp_native/from:raw", "xdp_native counted 0");
  if (IsSkipped()) return;
  expect_refused_once_detached("time_to_hook/from:xdp/to:cgroup_skb", "cgroup_skb counted 0");
  if (IsSkipped()) return;
  expect_refused_once_detached("hook_entry_live/hook:xdp_generic",
                               "let 0 packets pass instead of 128");
  if (IsSkipped()) return;
  expect_refused_once_detached("tcp_connect/hook:sockops", "counted 0 connections of clients");
}

TEST_F(Traffic, FramesThatWereNeverMadeAreMissed) {
  ASSERT_NO_FATAL_FAILURE(load("drop/hook:xdp_native/from:live"));
  if (IsSkipped()) return;
  const TestRunFault fault(pretend_to_run);
  for (const Arm arm : {Arm::kSubject, Arm::kFloor}) {
    EXPECT_THAT(run(arm), refused(HasSubstr("0 frames were made instead of 2048")));
  }
}

TEST_F(Traffic, FramesThatGotLostOnTheWayAreMissed) {
  ASSERT_NO_FATAL_FAILURE(load("drop/hook:xdp_native/from:live"));
  if (IsSkipped()) return;
  const OwnVariable generated("traffic_.bss", "generated");
  ASSERT_NE(generated.get(), nullptr);
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    options->repeat -= 1;
    const int err = TestRunFault::real(prog_fd, options);
    ++*generated.get();
    return err;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("dropped 0, and xdp_native counted 2047")));
}

TEST_F(Traffic, PacketThatIsCountedTwiceIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("drop/hook:xdp_native/from:live"));
  if (IsSkipped()) return;
  const OwnVariable received("drop_bpf.bss", "received");
  ASSERT_NE(received.get(), nullptr);
  const TestRunFault fault([&](int prog_fd, bpf_test_run_opts* options) {
    const int err = TestRunFault::real(prog_fd, options);
    ++*received.get();
    return err;
  });
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("counted 2049 packets, and only 2048")));
}

TEST_F(Traffic, CountsOfTheSubjectAreInTheRow) {
  ASSERT_NO_FATAL_FAILURE(load("drop/hook:socket/from:raw"));
  if (IsSkipped()) return;
  load_->start();
  ASSERT_THAT(run(Arm::kSubject), IsOk());
  ASSERT_THAT(run(Arm::kFloor), IsOk());
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  EXPECT_EQ(findings.counters["offered"], static_cast<double>(ops()));
  EXPECT_EQ(findings.counters["received"] + findings.counters["lost"],
            findings.counters["offered"]);
}

TEST_F(Traffic, EveryTransitIsInTheHistogram) {
  for (const char* const to : {"tc", "socket_user"}) {
    SCOPED_TRACE(to);
    ASSERT_NO_FATAL_FAILURE(load(std::string("time_to_hook/from:xdp/to:") + to));
    if (IsSkipped()) return;
    ASSERT_THAT(run(Arm::kSubject), IsOk());
    Findings findings;
    ASSERT_THAT(load_->finish(findings), IsOk());
    EXPECT_EQ(findings.histogram("transit").count(), 2 * ops());
    EXPECT_GT(findings.histogram("transit").min_ns(), 0u);
  }
}

TEST_F(Traffic, FlowThatIsNotInTheTableIsMissed) {
  ASSERT_NO_FATAL_FAILURE(load("map_under_traffic/type:hash/entries:128/flows:uniform"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("by_key");
  ASSERT_TRUE(table);
  bpfmark_flow_key key{};
  ASSERT_EQ(bpf_map_get_next_key(table.get(), nullptr, &key), 0);
  ASSERT_EQ(bpf_map_delete_elem(table.get(), &key), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("of 2048 packets found their flow")));
  EXPECT_THAT(run(Arm::kFloor), IsOk());
}

TEST_F(Traffic, CacheMissesAreInTheRowOrTheReasonWhyNot) {
  ASSERT_NO_FATAL_FAILURE(load("map_under_traffic/type:hash/entries:128/flows:uniform"));
  if (IsSkipped()) return;
  load_->start();
  for (const Arm arm : {Arm::kSubject, Arm::kFloor}) ASSERT_THAT(run(arm), IsOk());
  Findings findings;
  ASSERT_THAT(load_->finish(findings), IsOk());
  for (const char* const counter : {"cache_misses", "floor_cache_misses"}) {
    EXPECT_NE(findings.counters.contains(counter), findings.missing.size() == 1) << counter;
  }
  for (const Missing& missing : findings.missing) {
    EXPECT_EQ(missing.what, "cache_misses");
    EXPECT_TRUE(is_skip(missing.why.kind)) << missing.why.what;
  }
}

TEST_F(Traffic, EntryOfAnotherFlowIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("map_under_traffic/type:array/entries:128/flows:uniform"));
  if (IsSkipped()) return;
  const UniqueFd table = own_map("by_number");
  ASSERT_TRUE(table);
  const __u32 key = 5;
  const bpfmark_flow_value value = {.word = 0, .packets = 0};
  ASSERT_EQ(bpf_map_update_elem(table.get(), &key, &value, BPF_ANY), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("the values found add up to")));
}

TEST_F(Traffic, FlowThatIsNotSilentWhenItShouldBeIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("interference/aggressor:xdp/steps:100"));
  if (IsSkipped()) return;
  const OwnVariable seen("interfer.bss", "seen");
  ASSERT_NE(seen.get(), nullptr);
  ++*seen.get();
  EXPECT_THAT(run(Arm::kFloor), refused(HasSubstr("packets of the other flow XDP saw")));
}

TEST_F(Traffic, RequestThatWasNotDigestedIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("batching/hook:xdp/requests:15"));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  detach_own_links();
  EXPECT_THAT(load_->run(Arm::kSubject, ops()),
              refused(HasSubstr("a datagram has 512 bytes instead of 240")));
}

TEST_F(Traffic, SocketThatIsNotBehindTheProgramGetsNothingJoined) {
  ASSERT_NO_FATAL_FAILURE(load("batching/hook:sk_skb/requests:15"));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  const UniqueFd sockets = own_map("sockets");
  ASSERT_TRUE(sockets);
  const __u32 key = 0;
  ASSERT_EQ(bpf_map_delete_elem(sockets.get(), &key), 0);
  EXPECT_THAT(load_->run(Arm::kSubject, ops()),
              refused(HasSubstr("a datagram has more than 240 bytes")));
}

TEST_F(Traffic, DatagramsOfAnotherSizeAreRefused) {
  ASSERT_NO_FATAL_FAILURE(load("packet_size/bytes:729"));
  if (IsSkipped()) return;
  const UniqueFd target = own_map("target");
  ASSERT_TRUE(target);
  const __u32 key = 0, value = 730;
  ASSERT_EQ(bpf_map_update_elem(target.get(), &key, &value, BPF_ANY), 0);
  EXPECT_THAT(run(Arm::kSubject), refused(HasSubstr("held 46720 bytes instead of 46656")));
}

}  // namespace
}  // namespace bpfmark
