// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/planted_answer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace bpfmark {
namespace {

int real(int question) { return question; }

TEST(PlantedAnswer, AnswersWhileItIsPlanted) {
  PlantedAnswer<int(int)> function;
  EXPECT_EQ(function.call(real, 7), 7);
  function.plant([](int question) { return -question; });
  EXPECT_EQ(function.call(real, 7), -7);
  function.remove();
  EXPECT_EQ(function.call(real, 7), 7);
}

// An answer that is taken away under its caller is a jump to nowhere, or a use of what it captured
// after its end.
TEST(PlantedAnswer, ComesAndGoesUnderThreadsThatCall) {
  PlantedAnswer<int(int)> function;
  std::atomic<int> calls = 0;
  std::atomic<int> wrong = 0;
  const std::jthread caller([&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++calls) {
      const int outcome = function.call(real, 7);
      if (outcome != 7 && outcome != -7) ++wrong;
    }
  });
  for (int i = 0; i < 100'000 || calls < 100'000; ++i) {
    const auto factor = std::make_unique<int>(-1);
    function.plant([&factor](int question) { return question * *factor; });
    EXPECT_EQ(function.call(real, 7), -7);
    function.remove();
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace bpfmark
