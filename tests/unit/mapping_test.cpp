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

TEST(Mapping, BytesAreRoundedUpToWholePages) {
  const std::size_t page = Mapping::whole_pages(1);
  EXPECT_GE(page, 4096u);
  EXPECT_EQ(Mapping::whole_pages(0), 0u);
  EXPECT_EQ(Mapping::whole_pages(page), page);
  EXPECT_EQ(Mapping::whole_pages(page + 1), 2 * page);
}

TEST(Mapping, WhatIsNoMapIsASystemError) {
  EXPECT_THAT(Mapping::of_descriptor(-1, 4096, PROT_READ),
              ErrorIs(ErrorKind::kSystem, ::testing::HasSubstr("of a descriptor")));
}

TEST(Mapping, AdviceThatTheKernelDoesNotKnowIsAnError) {
  const Result<Mapping> memory = Mapping::anonymous(4096, 4096);
  ASSERT_THAT(memory, IsOk());
  EXPECT_THAT(memory->advise(-1), ErrorIs(ErrorKind::kSystem, ::testing::HasSubstr("madvise -1")));
}

}  // namespace
}  // namespace bpfmark
