// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <fstream>
#include <string>

#include "harness/result.h"

namespace bpfmark {

// Opens a regular file for reading as bytes. Errors name the file: kSystem, kWrongResult for what
// is no regular file, as a directory that opens well, or a pipe on which the first read would wait.
Result<void> open_input_file(const std::string& path, std::ifstream& in);

}  // namespace bpfmark
