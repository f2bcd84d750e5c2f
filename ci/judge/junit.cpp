// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/junit.h"

#include <fmt/format.h>

namespace bpfmark {

std::string xml_text(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    // U+FFFE and U+FFFF.
    if (text.substr(i).starts_with("\xEF\xBF\xBE") || text.substr(i).starts_with("\xEF\xBF\xBF")) {
      escaped += ' ';
      i += 2;
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return escaped;
}

void JunitCases::add(const std::string& name, JunitOutcome outcome, const std::string& message) {
  const std::string family = name.substr(0, name.find('/'));
  ++count;
  failures += outcome == JunitOutcome::kFailed;
  skipped += outcome == JunitOutcome::kSkipped;
  text +=
      fmt::format("    <testcase classname=\"{}\" name=\"{}\"", xml_text(family), xml_text(name));
  text += outcome == JunitOutcome::kPassed
              ? "/>\n"
              : fmt::format("><{} message=\"{}\"/></testcase>\n",
                            outcome == JunitOutcome::kFailed ? "failure" : "skipped",
                            xml_text(message));
}

std::string junit_document(const std::string& suite, const std::vector<JunitProperty>& properties,
                           const JunitCases& cases) {
  std::string list;
  for (const auto& [name, value] : properties) {
    list += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", xml_text(name),
                        xml_text(value));
  }
  if (!list.empty()) list = fmt::format("    <properties>\n{}    </properties>\n", list);
  const std::string counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\"",
                                         cases.count, cases.failures, cases.skipped);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n"
      "  <testsuite name=\"{1}\" {0}>\n{2}{3}  </testsuite>\n</testsuites>\n",
      counts, xml_text(suite), list, cases.text);
}

}  // namespace bpfmark
