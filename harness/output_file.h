// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

#include "harness/result.h"

namespace bpfmark {

// Errors: kSystem if a file could not be created beside `path`. Leaves nothing behind. Asked before
// a run, so that two minutes of measuring are not lost to a wrong path.
Result<void> check_writable(const std::string& path);

// Writes the whole file under a temporary name in the same directory, then renames it: `path` is
// whole or as it was. Errors: kSystem (also for a full disk), and then the temporary file is gone.
Result<void> write_whole_file(const std::string& path, std::string_view content);

}  // namespace bpfmark
