// SPDX-License-Identifier: BSD-2-Clause
#include "fixtures/skeleton.h"

#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "fixtures/libbpf_log.h"
#include "tests/support/promised.h"
#include "tests/support/result_matchers.h"
// The skeleton uses the shared structs.
#include "bpf/shared/batch.h"
#include "bpf/shared/map_lookup.h"
#include "map_lookup.skel.h"

namespace bpfmark {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using LookupSkeleton = Skeleton<map_lookup_bpf>;

TEST(Skeleton, OpenNeedsNoPrivilege) {
  EXPECT_EXIT(
      {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) std::_Exit(1);
        std::_Exit(LookupSkeleton::open().has_value() ? 42 : 2);
      },
      ::testing::ExitedWithCode(42), "");
}

TEST(Skeleton, LoadWithoutPrivilegeIsAPermissionError) {
  EXPECT_EXIT(
      {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) std::_Exit(1);
        auto skeleton = LookupSkeleton::open();
        const Result<void> loaded = skeleton->load();
        std::_Exit(!loaded && loaded.error().errnum == EPERM ? 42 : 2);
      },
      ::testing::ExitedWithCode(42), "");
}

TEST(Skeleton, RefusalCarriesTheWordsOfTheVerifierOnOneLine) {
  auto skeleton = LookupSkeleton::open();
  ASSERT_THAT(skeleton, IsOk());
  // The program reads 8 bytes of a value that has 4.
  bpf_map__set_value_size((*skeleton)->maps.table, 4);
  const Result<void> loaded = skeleton->load();
  ASSERT_FALSE(loaded.has_value());
  if (loaded.error().errnum == EPERM) BPFMARK_SKIP_OR_FAIL(loaded.error());
  EXPECT_THAT(loaded, ErrorIs(ErrorKind::kSystem,
                              AllOf(StartsWith("load BPF object ("),
                                    HasSubstr("invalid access to map value"), Not(HasSubstr("\n")),
                                    Not(HasSubstr("processed ")))));
  EXPECT_EQ(loaded.error().errnum, EACCES);
}

// --- LibbpfLog

const char* const kMissingFile = "/nonexistent/object.bpf.o";

void make_libbpf_warn() { EXPECT_EQ(bpf_object__open_file(kMissingFile, nullptr), nullptr); }

TEST(LibbpfLog, WithoutWarningsSaysOnlyWhatFailed) {
  const LibbpfLog log;
  EXPECT_EQ(log.last_warnings("load it"), "load it");
}

TEST(LibbpfLog, WarningStandsInBracketsWithoutLibbpfsPrefix) {
  const LibbpfLog log;
  make_libbpf_warn();
  EXPECT_THAT(log.last_warnings("load it"),
              AllOf(StartsWith("load it ("), HasSubstr(kMissingFile), Not(HasSubstr("libbpf: "))));
}

TEST(LibbpfLog, KeepsTheLastFewLines) {
  const LibbpfLog log;
  for (int i = 0; i < 50; ++i) make_libbpf_warn();
  const std::string text = log.last_warnings("load it");
  EXPECT_THAT(text, HasSubstr("; "));
  EXPECT_LT(text.size(), 500u);
}

TEST(LibbpfLog, NextOneStartsEmpty) {
  {
    const LibbpfLog log;
    make_libbpf_warn();
  }
  const LibbpfLog log;
  EXPECT_EQ(log.last_warnings("load it"), "load it");
}

}  // namespace
}  // namespace bpfmark
