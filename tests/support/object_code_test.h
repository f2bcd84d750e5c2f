// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/object_code.h"
#include "tests/support/result_matchers.h"

namespace bpfmark {

// A test of the object that skeleton `S` embeds.
template <class S>
class ObjectCodeTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(code_, IsOk()); }

  // An empty one after a failure.
  const Function& function(const std::string& name) const {
    static const Function kNone;
    const Function* const found = code_->find(name);
    EXPECT_NE(found, nullptr) << name;
    return found == nullptr ? kNone : *found;
  }

  const Result<ObjectCode> code_ = ObjectCode::of_skeleton<S>();
};

}  // namespace bpfmark
