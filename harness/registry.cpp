// SPDX-License-Identifier: BSD-2-Clause
#include "harness/registry.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <cassert>

namespace bpfmark {
namespace {

// POSIX extended expressions, as Google Benchmark uses: std::regex takes half a second of compile
// time and throws.
class Expression {
 public:
  explicit Expression(const std::string& text)
      : error_(regcomp(&compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB)) {}
  ~Expression() {
    if (error_ == 0) regfree(&compiled_);
  }
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;

  bool valid() const { return error_ == 0; }
  std::string complaint() const {
    std::array<char, 256> text{};
    regerror(error_, &compiled_, text.data(), text.size());
    return text.data();
  }
  bool matches(const std::string& name) const {
    return regexec(&compiled_, name.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
  int error_;
};

}  // namespace

void Registry::add(Case added) {
  assert(std::ranges::none_of(cases_, [&](const Case& c) { return c.name == added.name; }));
  cases_.push_back(std::move(added));
}

Result<std::vector<const Case*>> Registry::select(std::string_view filter, Suite suite) const {
  std::vector<const Case*> selected;
  if (filter.empty()) {
    for (const Case& candidate : cases_) {
      if (suite == Suite::kFull || candidate.suite == Suite::kDefault)
        selected.push_back(&candidate);
    }
    return selected;
  }
  const bool wanted = filter.front() != '-';
  if (!wanted) filter.remove_prefix(1);
  // "all" means everything in Google Benchmark.
  const Expression expression(filter == "all" ? "." : std::string(filter));
  if (!expression.valid()) {
    return std::unexpected(
        Error{.what = "--benchmark_filter: no regular expression: " + expression.complaint()});
  }
  for (const Case& candidate : cases_) {
    if (expression.matches(candidate.name) == wanted) selected.push_back(&candidate);
  }
  return selected;
}

}  // namespace bpfmark
