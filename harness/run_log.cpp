// SPDX-License-Identifier: BSD-2-Clause
#include "harness/run_log.h"

namespace bpfmark {

const RunLog::Outcome* RunLog::find(const std::string& name, std::int64_t repetition) const {
  const auto found = outcomes_.find(name);
  if (found == outcomes_.end() || repetition < 0) return nullptr;
  const auto index = static_cast<std::size_t>(repetition);
  return index < found->second.size() ? &found->second[index] : nullptr;
}

}  // namespace bpfmark
