// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/leak_check.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  // GoogleTest owns its listeners.
  ::testing::UnitTest::GetInstance()->listeners().Append(new bpfmark::LeakListener);
  return RUN_ALL_TESTS();
}
