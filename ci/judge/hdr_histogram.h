// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <string>

#include "ci/judge/result_parser.h"
#include "harness/result.h"

namespace bpfmark {

// The histogram in HdrHistogram's V2 encoding (counts as ZigZag LEB128, runs of zeroes as negative
// numbers), compressed by zlib and written as base64: "HISTFAAA...". 3 significant digits, so the
// buckets of bpf/shared/histogram.h are its own. Errors: kWrongResult for a bucket that is none of
// those.
Result<std::string> hdr_encoded(const Distribution& histogram);

}  // namespace bpfmark
