// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/hdr_histogram.h"

#include <fmt/format.h>
#include <zlib.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include "bpf/shared/histogram.h"

namespace bpfmark {
namespace {

constexpr std::uint32_t kCookie = 0x1c849303 | 0x10;
constexpr std::uint32_t kCompressedCookie = 0x1c849304 | 0x10;
constexpr std::uint32_t kSignificantDigits = 3;
constexpr double kLimit = BPFMARK_HISTOGRAM_LIMIT;
constexpr double kMaxCount = 0x1p53;  // Above, a double does not hold every integer.

void put_32(std::string& to, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift);
}

void put_64(std::string& to, std::uint64_t value) {
  put_32(to, static_cast<std::uint32_t>(value >> 32));
  put_32(to, static_cast<std::uint32_t>(value));
}

// Seven bits a byte; a ninth byte holds eight.
void put_zigzag(std::string& to, std::int64_t value) {
  std::uint64_t rest =
      (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value < 0 ? -1 : 0);
  for (int byte = 0; byte < 8 && rest > 0x7f; ++byte, rest >>= 7) {
    to += static_cast<char>((rest & 0x7f) | 0x80);
  }
  to += static_cast<char>(rest);
}

Result<std::string> counts_of(const Distribution& histogram) {
  std::string counts;
  std::uint32_t next = 0;  // index of the first count that is not written yet
  for (const Distribution::Bucket& bucket : histogram.buckets) {
    const bool in_range = bucket.lower_ns >= 0 && bucket.lower_ns < kLimit && bucket.count >= 1 &&
                          bucket.count <= kMaxCount;
    const std::uint32_t index =
        in_range ? bpfmark_histogram_bucket(static_cast<std::uint64_t>(bucket.lower_ns)) : 0;
    if (!in_range || static_cast<double>(bpfmark_histogram_lowest(index)) != bucket.lower_ns ||
        static_cast<double>(bpfmark_histogram_highest(index) + 1) != bucket.upper_ns) {
      return wrong_result(fmt::format("histogram '{}': [{}, {}) is no bucket of 3 digits",
                                      histogram.name, bucket.lower_ns, bucket.upper_ns));
    }
    if (const std::uint32_t zeroes = index - next; zeroes > 0) {
      put_zigzag(counts, zeroes == 1 ? 0 : -static_cast<std::int64_t>(zeroes));
    }
    put_zigzag(counts, static_cast<std::int64_t>(bucket.count));
    next = index + 1;
  }
  return counts;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

}  // namespace

Result<std::string> hdr_encoded(const Distribution& histogram) {
  const Result<std::string> counts = counts_of(histogram);
  if (!counts) return std::unexpected(counts.error());
  std::string plain;
  put_32(plain, kCookie);
  put_32(plain, static_cast<std::uint32_t>(counts->size()));
  put_32(plain, 0);  // offset of a normalised index: none
  put_32(plain, kSignificantDigits);
  put_64(plain, 1);  // lowest discernible value
  put_64(plain, BPFMARK_HISTOGRAM_LIMIT - 1);
  put_64(plain, std::bit_cast<std::uint64_t>(1.0));  // ratio of integers to values
  plain += *counts;

  uLongf size = compressBound(plain.size());
  std::string compressed(size, '\0');
  if (compress(reinterpret_cast<Bytef*>(compressed.data()), &size,
               reinterpret_cast<const Bytef*>(plain.data()), plain.size()) != Z_OK) {
    return wrong_result(fmt::format("histogram '{}': zlib refused it", histogram.name));
  }
  std::string encoded;
  put_32(encoded, kCompressedCookie);
  put_32(encoded, static_cast<std::uint32_t>(size));
  return base64(encoded.append(compressed, 0, size));
}

}  // namespace bpfmark
