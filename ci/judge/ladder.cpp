// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/ladder.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace bpfmark {
namespace {

std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

void sort_numbers(std::vector<Ladder::Rung>& rungs) {
  const auto value_of = [](const Ladder::Rung& rung) { return number_of(rung.value); };
  if (std::ranges::all_of(rungs, [&](const Ladder::Rung& r) { return value_of(r).has_value(); })) {
    std::ranges::stable_sort(rungs, {}, value_of);
  }
}

}  // namespace

std::vector<Ladder> find_ladders(const std::vector<std::string>& names, std::size_t min_rungs) {
  std::vector<Ladder> ladders;
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& name = names[i];
    for (std::size_t slash = name.find('/'); slash != std::string::npos;) {
      const std::size_t end = std::min(name.find('/', slash + 1), name.size());
      const std::size_t colon = name.find(':', slash);
      if (colon < end) {
        const std::string pattern = name.substr(0, colon + 1) + "*" + name.substr(end);
        const auto [found, is_new] = index.try_emplace(pattern, ladders.size());
        if (is_new) {
          ladders.push_back({.name = pattern, .key = name.substr(slash + 1, colon - slash - 1)});
        }
        ladders[found->second].rungs.push_back({name.substr(colon + 1, end - colon - 1), i});
      }
      slash = end == name.size() ? std::string::npos : end;
    }
  }
  std::erase_if(ladders, [&](const Ladder& l) { return l.rungs.size() < min_rungs; });
  std::ranges::stable_sort(ladders, std::ranges::greater(),
                           [](const Ladder& l) { return l.rungs.size(); });
  for (Ladder& ladder : ladders) sort_numbers(ladder.rungs);
  return ladders;
}

}  // namespace bpfmark
