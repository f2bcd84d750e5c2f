// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/mapping.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>

#include "tests/support/result_matchers.h"

namespace bpfmark {
namespace {

TEST(Mapping, AnonymousMemoryStartsAtItsAlignmentAndForgetsWhatItGaveBack) {
  constexpr std::size_t kAlignment = 2 * 1024 * 1024;
  const Result<Mapping> memory = Mapping::anonymous(3 * 4096, kAlignment);
  ASSERT_THAT(memory, IsOk());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory->data()) % kAlignment, 0u);
  memory->data()[memory->size() - 1] = std::byte{7};
  ASSERT_THAT(memory->advise(MADV_DONTNEED), IsOk());
  EXPECT_EQ(memory->data()[memory->size() - 1], std::byte{0});
}

TEST(Mapping, MemoryFileKeepsWhatItGaveBack) {
  const Result<Mapping> memory = Mapping::memory_file(3 * 4096);
  ASSERT_THAT(memory, IsOk());
  memory->data()[4096] = std::byte{7};
  ASSERT_THAT(memory->advise(MADV_DONTNEED), IsOk());
  EXPECT_EQ(memory->data()[4096], std::byte{7});
}

TEST(Mapping, AdviceThatTheKernelDoesNotKnowIsAnError) {
  const Result<Mapping> memory = Mapping::anonymous(4096, 4096);
  ASSERT_THAT(memory, IsOk());
  EXPECT_THAT(memory->advise(-1), ErrorIs(ErrorKind::kSystem, ::testing::HasSubstr("madvise -1")));
}

}  // namespace
}  // namespace bpfmark
