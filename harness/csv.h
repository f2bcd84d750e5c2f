// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>
#include <string_view>

namespace bpfmark {

// Text as a cell of CSV (RFC 4180): always quoted, quotes inside doubled.
std::string csv_cell(std::string_view text);

}  // namespace bpfmark
