// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/net_ns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

using ::testing::ElementsAre;

std::string current_namespace() {
  return std::filesystem::read_symlink("/proc/thread-self/ns/net").string();
}

std::vector<std::string> interfaces() {
  std::vector<std::string> names;
  struct if_nameindex* const list = if_nameindex();
  for (const struct if_nameindex* entry = list; entry != nullptr && entry->if_index != 0; ++entry) {
    names.emplace_back(entry->if_name);
  }
  if_freenameindex(list);
  return names;
}

TEST(NetNs, WorkRunsInANamespaceWithOnlyTheLoopbackDevice) {
  const Result<NetNs> net_ns = NetNs::create();
  if (!net_ns) BPFMARK_SKIP_OR_FAIL(net_ns.error());
  std::string inside;
  std::vector<std::string> devices;
  unsigned loopback = 0;
  ASSERT_THAT(net_ns->run([&]() -> Result<void> {
    inside = current_namespace();
    devices = interfaces();
    loopback = if_nametoindex("lo");
    return {};
  }),
              IsOk());
  EXPECT_NE(inside, current_namespace());
  EXPECT_THAT(devices, ElementsAre("lo"));
  EXPECT_EQ(loopback, static_cast<unsigned>(kLoopbackIndex));
}

TEST(NetNs, CallersThreadStaysWhereItWas) {
  const std::string before = current_namespace();
  const Result<NetNs> net_ns = NetNs::create();
  if (!net_ns) BPFMARK_SKIP_OR_FAIL(net_ns.error());
  ASSERT_THAT(net_ns->run([]() -> Result<void> { return {}; }), IsOk());
  EXPECT_EQ(current_namespace(), before);
}

TEST(NetNs, TwoAreDifferent) {
  const Result<NetNs> first = NetNs::create();
  if (!first) BPFMARK_SKIP_OR_FAIL(first.error());
  const Result<NetNs> second = NetNs::create();
  ASSERT_THAT(second, IsOk());
  std::vector<std::string> inside;
  for (const NetNs* net_ns : {&*first, &*second}) {
    ASSERT_THAT(net_ns->run([&]() -> Result<void> {
      inside.push_back(current_namespace());
      return {};
    }),
                IsOk());
  }
  EXPECT_NE(inside[0], inside[1]);
}

TEST(NetNs, ErrorOfTheWorkIsHandedOn) {
  const Result<NetNs> net_ns = NetNs::create();
  if (!net_ns) BPFMARK_SKIP_OR_FAIL(net_ns.error());
  EXPECT_THAT(net_ns->run([] { return Result<void>(wrong_result("planted")); }),
              ErrorIs(ErrorKind::kWrongResult, "planted"));
}

}  // namespace
}  // namespace bpfmark
