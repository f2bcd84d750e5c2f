// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bpfmark {

// Text for elements and attributes of XML 1.0. What has no form there becomes a space.
std::string xml_text(std::string_view text);

enum class JunitOutcome { kPassed, kFailed, kSkipped };

// The testcases of a JUnit document.
struct JunitCases {
  std::string text;
  std::size_t count = 0, failures = 0, skipped = 0;

  // The family, up to the first '/', becomes the class. `message` says why it did not pass.
  void add(const std::string& name, JunitOutcome outcome, const std::string& message = {});
};

struct JunitProperty {
  std::string name, value;
};

// A document of one testsuite.
std::string junit_document(const std::string& suite, const std::vector<JunitProperty>& properties,
                           const JunitCases& cases);

}  // namespace bpfmark
