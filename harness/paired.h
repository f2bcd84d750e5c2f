// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/measurement.h"
#include "harness/result.h"

namespace bpfmark {

enum class Arm { kSubject, kFloor };

// One timed batch. `elapsed_ns` is the clock the family declares (in the program, or in user
// space); `user_elapsed_ns` is the user-space clock around the same call.
struct Batch {
  double elapsed_ns = 0;
  double user_elapsed_ns = 0;
};

// One fresh load of a subject and its floor, ready to run. Owns its kernel objects.
class PairedLoad {
 public:
  virtual ~PairedLoad() = default;

  // Called once, when the warm-up is over: what follows counts.
  virtual void start() {}

  // Called before every batch, outside its clock and outside the watch for disturbance. The place
  // to attach and to detach: rounds go subject, floor, floor, subject, so the state changes twice a
  // round.
  virtual Result<void> prepare(Arm /*arm*/) { return {}; }

  // Runs exactly `ops` operations and compares every count with what it must be.
  // Errors: kWrongResult for a count that is off, kSystem, kInterrupted.
  virtual Result<Batch> run(Arm arm, std::uint64_t ops) = 0;

  // Work after the timed batches of a load: checks that would disturb them, and what was found out
  // besides times, added to what earlier loads of the case found.
  virtual Result<void> finish(Findings& /*findings*/) { return {}; }

  virtual std::vector<ProgramIdentity> programs() const { return {}; }
};

using Loader = std::function<Result<std::unique_ptr<PairedLoad>>()>;

enum class Pairing {
  kTwin,   // the floor is another program (or call) of the same shape: net = subject - floor
  kSlope,  // there is no form without the operation: the subject does 2N, the floor N of the same
           // program, and net is the difference per operation
};

// Fixed work of a case. With kTwin a batch does `ops_per_batch` operations in each arm; with kSlope
// the floor does that many and the subject twice as many.
struct Plan {
  std::uint64_t ops_per_batch = 0;
  int rounds = 0;  // of one load
  int loads = 0;
  Pairing pairing = Pairing::kTwin;
  bool waits = false;     // the operation gives up the CPU by itself, so a switch disturbs nothing
  bool overhead = false;  // also say by how many per cent the subject is dearer than the floor

  // Operations of one batch of the arm in a round of the given scale.
  std::uint64_t ops_of(Arm arm, unsigned scale) const {
    return ops_per_batch * scale * (pairing == Pairing::kSlope && arm == Arm::kSubject ? 2 : 1);
  }
};

struct MeasureOptions {
  double min_time_s = 0;      // more rounds until the timed batches last this long; 0: as planned
  std::uint64_t min_ops = 0;  // more rounds until the subject did this many; 0: as planned
  double min_warm_up_s =
      0;                 // untimed rounds of each load before the timed ones, at least this long
  bool dry_run = false;  // one load, the fewest rounds
  std::optional<int> loads;  // instead of the planned ones
  bool keep_samples = false;
  bool keep_trial_samples = false;
  bool drop_caches = false;  // of the file system, before each load
};

// Every fourth round does twice the operations in both arms; from these the N-against-2N check is
// made.
inline constexpr int kDoubleRoundEvery = 4;

// What the loads of a case have added up to so far.
struct Collected {
  std::vector<LoadSample> samples;
  std::vector<ProgramIdentity> programs;
  Findings findings;
  double wall_s = 0;  // of whole loads, with everything around their rounds
};

// Loads that measure() makes: the planned ones, those asked for, or one of a dry run.
int loads_of(const Plan& plan, const MeasureOptions& options);

// The whole life of one load, on a thread of its own: load, warm up, run the rounds, check, unload.
// The first error ends the case.
Result<void> measure_load(const Plan& plan, const Loader& load, const MeasureOptions& options,
                          Collected& collected);

// The estimate from what was collected.
Result<Measurement> conclude(const Plan& plan, const MeasureOptions& options, Collected collected);

// All loads, one after the other, and their estimate.
Result<Measurement> measure(const Plan& plan, const Loader& load, const MeasureOptions& options);

// The arithmetic of conclude(): pure. Empty samples give nullopt.
std::optional<Measurement> estimate(const Plan& plan, const std::vector<LoadSample>& samples);

}  // namespace bpfmark
