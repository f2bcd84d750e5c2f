// SPDX-License-Identifier: BSD-2-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "fixtures/mapping.h"
#include "tests/bpf/loaded_case.h"
#include "tests/bpf/own_links.h"

// What madvise(2) does with an advice is this, while it is set: the executable is linked with
// --wrap=madvise.
namespace {
std::function<int(int advice)> changed_advice;
}  // namespace

extern "C" int __real_madvise(void* start, size_t bytes, int advice);
extern "C" int __wrap_madvise(void* start, size_t bytes, int advice) {
  return __real_madvise(start, bytes, changed_advice ? changed_advice(advice) : advice);
}

namespace bpfmark {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PageFault : public LoadedCase {
 protected:
  void TearDown() override { changed_advice = nullptr; }
};

TEST_F(PageFault, PagesThatWereNotGivenBackAreRefused) {
  for (const char* const kind : {"anon", "file"}) {
    SCOPED_TRACE(kind);
    ASSERT_NO_FATAL_FAILURE(load(std::string("page_fault/kind:") + kind + "/probe:none"));
    if (IsSkipped()) return;
    changed_advice = [](int advice) { return advice == MADV_DONTNEED ? MADV_NORMAL : advice; };
    EXPECT_THAT(run(Arm::kSubject),
                refused(HasSubstr("getrusage counted 0 faults instead of 256")));
    changed_advice = nullptr;
    EXPECT_THAT(run(Arm::kSubject), IsOk());
  }
}

TEST_F(PageFault, SmallPagesInThePlaceOfHugeOnesAreATypedSkip) {
  ASSERT_NO_FATAL_FAILURE(load("page_fault/kind:huge/probe:none"));
  if (IsSkipped()) return;
  changed_advice = [](int advice) { return advice == MADV_HUGEPAGE ? MADV_NOHUGEPAGE : advice; };
  ASSERT_NO_FATAL_FAILURE(load_ = case_->load().value());
  const Result<Batch> batch = run(Arm::kSubject);
  EXPECT_THAT(batch, ErrorIs(ErrorKind::kAbsent, HasSubstr("4 of 4 huge pages were small ones")));
  EXPECT_EQ(batch.error().capability, "transparent_huge_page");
}

TEST_F(PageFault, MonitorThatSeesNothingIsRefused) {
  ASSERT_NO_FATAL_FAILURE(load("page_fault/kind:anon/probe:page_fault"));
  if (IsSkipped()) return;
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  detach_own_links();
  EXPECT_THAT(run(Arm::kSubject),
              refused(HasSubstr("the monitor counted 0 faults instead of 256")));
}

TEST_F(PageFault, MonitorIsAttachedForTheSubjectOnly) {
  ASSERT_NO_FATAL_FAILURE(load("page_fault/kind:file/probe:page_fault"));
  if (IsSkipped()) return;
  EXPECT_THAT(own_links(), IsEmpty()) << "after the floor";
  ASSERT_THAT(load_->prepare(Arm::kSubject), IsOk());
  EXPECT_THAT(own_links(), ::testing::SizeIs(1));
}

// Another thread of this process: what a filter that lets too much through sees.
TEST_F(PageFault, FaultsOfAnotherThreadAreRefused) {
  ASSERT_NO_FATAL_FAILURE(load("page_fault/kind:anon/probe:page_fault"));
  if (IsSkipped()) return;
  std::atomic<bool> stop = false;
  std::atomic<int> faults = 0;
  std::jthread intruder([&] {
    const Result<Mapping> own = Mapping::anonymous(4096, 4096);
    if (!own) return;
    while (!stop) {
      if (!own->advise(MADV_DONTNEED)) return;
      *static_cast<volatile std::byte*>(own->data()) = std::byte{1};
      ++faults;
    }
  });
  while (faults == 0) std::this_thread::yield();
  // Batches are short, and both threads may be on one CPU: one of many meets the other thread.
  Result<Batch> batch;
  for (int i = 0; i < 10'000 && (batch = run(Arm::kSubject)); ++i) continue;
  stop = true;
  EXPECT_THAT(batch, refused(HasSubstr("the monitor counted")));
}

}  // namespace
}  // namespace bpfmark
