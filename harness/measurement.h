// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/findings.h"
#include "harness/statistics.h"

namespace bpfmark {

// A loaded BPF program as the kernel knows it.
struct ProgramIdentity {
  std::string role;  // "subject" or "floor"
  std::string name;
  std::string tag;  // hash of the instructions before relocation by the verifier
  std::uint32_t insns_xlated = 0;
  std::uint32_t jited_bytes = 0;
};

// The four batches of one round in the order subject, floor, floor, subject; a round in which each
// arm does twice the operations has scale 2.
struct Round {
  unsigned scale = 1;
  bool disturbed = false;  // the thread was switched out or moved during one of the batches
  double subject_ns[2] = {};
  double floor_ns[2] = {};
  double subject_user_ns[2] = {};
  double floor_user_ns[2] = {};
};

// Everything measured with one fresh load of subject and floor.
struct LoadSample {
  std::vector<Round> rounds;
  double reference_step_ns = 0;
  double steal_ns = 0;
  double throttled_ns = 0;
};

// What one load says, per operation.
struct LoadEstimate {
  double raw_ns = 0;
  double floor_ns = 0;
  double net_ns = 0;
  double net_user_ns = 0;  // from the user-space clock around the same calls
  double net_2n_ns = 0;    // from N against 2N; NaN if no round at 2N was left alone
  double reference_step_ns = 0;
};

// Net beside what it was added to, for those who ask by how much something gets slower.
struct Overhead {
  double percent = 0;                        // net of a load over its floor
  std::optional<Interval> percent_interval;  // 95 %, as that of net
  std::optional<Interval> raw_interval;
};

enum class Verdict {
  kResolved,     // the interval of net excludes 0
  kNotResolved,  // it does not: the net is inside its own error
  kDisturbed,    // fewer than half of the rounds were left alone; the number is not to be trusted
};

struct Measurement {
  double raw_ns = 0;  // per operation
  double floor_ns = 0;
  double net_ns = 0;
  std::optional<Interval>
      net_interval;  // 95 %, from the spread between loads; absent with one load
  std::optional<double> net_user_ns;
  std::optional<double> net_2n_ns;
  std::optional<Overhead> overhead;  // where the plan asks for it
  double batch_ns = 0;  // median time of a whole batch of the subject, by the family's clock
  // The cheapest raw of a load less the cheapest floor of one. Others on the machine only ever add,
  // so of short launches this is what comparisons judge (ci/judge/README.md).
  double least_net_ns = 0;
  double min_ns = 0;  // cheapest batch of the subject, per operation
  double reference_step_ns = 0;
  Verdict verdict = Verdict::kNotResolved;
  std::uint64_t ops = 0;  // operations of the subject that were timed
  std::uint64_t batches = 0;
  std::uint64_t disturbed_batches = 0;
  double steal_ns = 0;
  double throttled_ns = 0;
  double wall_s = 0;  // what the case took, loading, filling, checking and unloading included
  Findings findings;
  std::vector<LoadEstimate> loads;
  std::vector<ProgramIdentity> programs;
  std::vector<std::string> parts;   // names of the cases that measure the operations of a composite
  std::vector<LoadSample> samples;  // kept only on request
};

// Name as it stands in the result file and the table.
const char* verdict_name(Verdict verdict);

}  // namespace bpfmark
