// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/paper.h"

#include <algorithm>

namespace bpfmark {
namespace {

// What its consumer pays for a record, in turns with the producer: the ring is full by then.
constexpr const char* kConsumer = "consumer_cpu_ns";

}  // namespace

std::span<const PublishedTable> published_tables() {
  static const std::vector<PublishedTable> kTables = {
      {.id = "table 3",
       .title = "a lookup from a program, ns",
       .raw = true,
       .condition = "one entry of 256 bytes, one constant key, with loop and store; XDP",
       .rows = {{"array", 3.9, "3.9", "map_lookup_table3/map:array/key_bytes:4"},
                {"hash", 18.8, "18.8", "map_lookup_table3/map:hash/key_bytes:4"},
                {"LRU hash", 19.2, "19.2", "map_lookup_table3/map:lru_hash/key_bytes:4"},
                {"per-CPU array (repository)", 4.78, "4.78",
                 "map_lookup_table3/map:percpu_array/key_bytes:4"},
                {"stack variable (repository)", 2.39, "2.39", "map_lookup_table3/map:stack"}},
       .known_errors = {"loop and store alone are 2.39 ns of the array's 3.93: the control was "
                        "measured, but not printed",
                        "one entry and one constant key are the hottest case there is",
                        "what is called an interquartile range is the farthest value that is no "
                        "outlier"}},
      {.id = "table 4",
       .title = "reading one element from user space, ns",
       .raw = true,
       .condition = "64-byte values, 24 cores; 100,000 reads, integer division; AF_XDP without a "
                    "copy there, and a program of its own to drain it",
       .rows = {{"array", 485, "485",
                 "map_user/op:lookup/type:array/keys:same/entries:1/key:4/value:64"},
                {"hash", 495, "495",
                 "map_user/op:lookup/type:hash/keys:same/entries:1/key:4/value:64"},
                {"LRU hash", 495, "495",
                 "map_user/op:lookup/type:lru_hash/keys:same/entries:1/key:4/value:64"},
                {"per-CPU array", 1552, "1552",
                 "map_user/op:lookup/type:percpu_array/keys:same/entries:1/key:4/value:64"},
                {"per-CPU hash", 1550, "1550",
                 "map_user/op:lookup/type:percpu_hash/keys:same/entries:1/key:4/value:64"},
                {"LRU per-CPU hash", 1554, "1554",
                 "map_user/op:lookup/type:lru_percpu_hash/keys:same/entries:1/key:4/value:64"},
                {"memory-mapped array", 2, "2",
                 "map_user/op:read/type:array_mmap/keys:uniform/entries:1024/key:4/value:8"},
                {"ring buffer, consumed", 10, "10",
                 "channel/by:ringbuf/wakeup:none/bytes:64/producers:1/cpu:same", kConsumer},
                {"AF_XDP, frame taken", 14, "14",
                 "channel/by:af_xdp/wakeup:none/bytes:64/producers:1/cpu:same", kConsumer}},
       .known_errors = {"the division is one of integers, so 2 may be 2.9",
                        "64 bytes in the paper, 1500 in the source",
                        "per-CPU types copy the value of every possible CPU: 24 there",
                        "who consumes there looks at no byte of a record; ours adds up its words "
                        "and checks its number, and one in 16 costs a reading of the clock"}},
      {.id = "table 5",
       .title = "a cache in XDP by the way its stages are joined, request rate",
       .raw = false,
       .condition = "whole requests of a load generator with three calls each, against ns of four "
                    "links alone: only the order compares",
       .rows = {{"tail call, dynamic index", 1e3 / 1.07, "1.07 M/s",
                 "chain/by:tail_call_dynamic/depth:4"},
                {"tail call, constant index", 1e3 / 1.12, "1.12 M/s",
                 "chain/by:tail_call_constant/depth:4"},
                {"static subprogram", 1e3 / 1.11, "1.11 M/s", "chain/by:static/depth:4"},
                {"global function", 1e3 / 1.14, "1.14 M/s", "chain/by:global/depth:4"},
                {"inline", 1e3 / 1.14, "1.14 M/s", "chain/by:inline/depth:8"}},
       .known_errors = {"global functions spread from 0.92 to 1.26 M/s over 20 runs: +6.5 % is no "
                        "finding"}},
      {.id = "table 6",
       .title = "copying 1000 bytes, ns",
       .raw = false,
       .condition = "kernel module and kfunc of the authors; here the host's memcpy and "
                    "bpf_dynptr_copy() stand in their places",
       .rows = {{"kernel module", 32, "32", "copy/bytes:1000/by:host_memcpy"},
                {"BPF program", 340, "340", "copy/bytes:1000/by:words"},
                {"kfunc", 36, "36", "copy/bytes:1000/by:dynptr_copy"},
                {"user space, no SIMD (repository)", 279, "279", "copy/bytes:1000/by:host_words"}},
       .known_errors = {"1000 bytes are called 1 KB",
                        "what is called an interquartile range is the farthest value that is no "
                        "outlier"}},
      {.id = "figure 13",
       .title = "records from XDP to user space, rate",
       .raw = true,
       .condition = "64-byte packets of a generator on another machine, consumer on another CPU; "
                    "AF_XDP without a copy there",
       .rows = {{"array, read by system call", 1e3 / 0.948, "0.948 M/s",
                 "channel/by:array/wakeup:none/bytes:64/producers:1/cpu:split"},
                {"ring buffer", 1e3 / 2.17, "2.17 M/s",
                 "channel/by:ringbuf/wakeup:default/bytes:64/producers:1/cpu:split"},
                {"memory-mapped ring", 1e3 / 5.4, "5.4 M/s",
                 "channel/by:mmap/wakeup:none/bytes:64/producers:1/cpu:split"},
                {"AF_XDP", 1e3 / 13.4, "13.4 M/s",
                 "channel/by:af_xdp/wakeup:none/bytes:64/producers:1/cpu:split"}},
       .known_errors = {"the figure shows 0.9 and 2.1: both are rounded down"}},
      {.id = "figure 14a",
       .title = "the 80th Fibonacci number, time above n = 0",
       .raw = false,
       .condition =
           "from packet rates at n = 80 and n = 0; native is the driver of the card there, "
           "user space here",
       .rows = {{"native", 1e3 / 8.7 - 1e3 / 15.9, "8.7 of 15.9 M/s",
                 "compute/kernel:fib/for:host_o2/n:80"},
                {"BPF", 1e3 / 9.1 - 1e3 / 14.6, "9.1 of 14.6 M/s",
                 "compute/kernel:fib/for:bpf_v3/n:80"}},
       .known_errors = {}},
      {.id = "figure 14b",
       .title = "the sum of 64 bytes, 8 times, time above no times",
       .raw = false,
       .condition = "as figure 14a, at r = 8 and r = 0",
       .rows = {{"native", 1e3 / 2.64 - 1e3 / 15.97, "2.64 of 15.97 M/s",
                 "compute/kernel:byte_sum/for:host_o2/n:8"},
                {"BPF", 1e3 / 1.75 - 1e3 / 13.99, "1.75 of 13.99 M/s",
                 "compute/kernel:byte_sum/for:bpf_v3/n:8"}},
       .known_errors = {}},
  };
  return kTables;
}

std::vector<PaperRow> fill(const PublishedTable& table, const Launch& launch) {
  std::vector<PaperRow> rows;
  std::optional<double> first;
  for (const PublishedRow& published : table.rows) {
    PaperRow& row = rows.emplace_back();
    row.published = published;
    row.published_ratio = published.ns / table.rows.front().ns;
    const auto measured = std::ranges::find(launch.cases, published.name, &CaseMedians::name);
    if (measured == launch.cases.end()) {
      const auto skip = std::ranges::find(launch.skips, published.name, &Absence::name);
      row.absence = skip == launch.skips.end() ? "not in the result" : "skipped: " + skip->reason;
      continue;
    }
    if (published.counter == nullptr) row.net = cost_of(*measured);
    const auto raw =
        measured->metrics.find(published.counter != nullptr ? published.counter : "real_time");
    if (raw != measured->metrics.end()) row.raw_ns = raw->second;
    const std::optional<double> compared = table.raw ? row.raw_ns
                                           : row.net ? std::optional(row.net->ns)
                                                     : std::nullopt;
    if (rows.size() == 1) first = compared;
    if (compared && first && *first > 0) row.ratio = *compared / *first;
  }
  return rows;
}

}  // namespace bpfmark
