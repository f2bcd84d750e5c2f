// SPDX-License-Identifier: BSD-2-Clause
#include "harness/identity.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace bpfmark {
namespace {

TEST(Identity, OfAMachineThatTranslatesInstructionsIsStamped) {
  EXPECT_TRUE(is_emulator("TCGTCGTCGTCG"));
  for (const char* const vendor : {"KVMKVMKVM", "Microsoft Hv", "VMwareVMware", "", "TCG"}) {
    EXPECT_FALSE(is_emulator(vendor)) << vendor;
  }
  EXPECT_EQ(machine_identity(0).contains("emulated"), machine_is_emulated());
}

}  // namespace
}  // namespace bpfmark
