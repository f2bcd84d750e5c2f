// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <vector>

#include "harness/result.h"

// Named copies of result files, kept for later comparisons.
namespace bpfmark {

// The directory of the baseline: ${XDG_DATA_HOME:-~/.local/share}/bpfmark/baselines/NAME. Errors:
// kWrongResult for a name that is not letters, digits, '.', '_', '-' (and no '.' first), and where
// neither variable says where to keep it.
Result<std::string> baseline_directory(const std::string& name);

// Copies the files. A baseline of that name is replaced as a whole: at every moment the old one or
// the new one is there. Errors: as above, and kSystem; then nothing has changed.
Result<void> save_baseline(const std::string& name, const std::vector<std::string>& files);

}  // namespace bpfmark
