// SPDX-License-Identifier: BSD-2-Clause
#include "ci/judge/compare_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <sstream>
#include <utility>

#include "ci/judge/launch.h"
#include "harness/commands.h"
#include "harness/guards.h"
#include "harness/interrupt.h"
#include "harness/output_file.h"
#include "harness/progress.h"

namespace bpfmark {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, kArms> kArmNames = {"old", "old-again", "new"};
constexpr const char* kConfirmation = "confirmation";
// A single argument may have 128 KiB; a longer filter would not reach the program.
constexpr std::size_t kMaxFilterBytes = 100'000;

std::size_t index_of(LaunchArm arm) { return static_cast<std::size_t>(arm); }

// Runs the command of a contestant that undoes what the one before the launch did, whatever happens
// in between.
class Undo {
 public:
  explicit Undo(const Contestant& contestant) : contestant_(&contestant) {}
  ~Undo() {
    if (contestant_ == nullptr) return;
    if (const Result<void> done = run(); !done) {  // On the way out with another error.
      fmt::print(stderr, "bench compare: {}\n", done.error().what);
    }
  }
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;

  Result<void> run() {
    const Contestant& contestant = *std::exchange(contestant_, nullptr);
    if (contestant.after.empty()) return {};
    const auto done = run_child({"/bin/sh", "-c", contestant.after}, OnStop::kFinish);
    if (!done) return std::unexpected(done.error());
    if (done->succeeded()) return {};
    return wrong_result(fmt::format("--undo of {}: '{}' {}: {}", contestant.name, contestant.after,
                                    ending_text(*done), last_words(done->err)));
  }

 private:
  const Contestant* contestant_;
};

Result<void> prepare(const Contestant& contestant) {
  if (contestant.before.empty()) return {};
  const auto done = run_child({"/bin/sh", "-c", contestant.before}, OnStop::kEndChild);
  if (!done) return std::unexpected(done.error());
  if (done->succeeded()) return {};
  return wrong_result(fmt::format("'{}' before {} {}: {}", contestant.before, contestant.name,
                                  ending_text(*done), last_words(done->err)));
}

// One set of launches after another, and where their results go.
class Launcher {
 public:
  Launcher(const RunRequest& run, const JudgeRequest& request, std::ostream& log)
      : run_(run), request_(request), log_(log) {}

  // Errors: a program that cannot be executed, a directory to keep results in that is in use.
  Result<void> check();

  // One whole set, of `factor` times as many launches as planned. Lowers the number of launches to
  // the budget after the first launch of the first set. `filter` takes the place of the user's,
  // unless it is empty.
  Result<LaunchedSides> launch(const std::string& filter, const fs::path& keep_directory,
                               std::size_t factor);

 private:
  struct Timed {
    Launch launch;
    double seconds = 0;
  };

  Result<Timed> launch_one(const PlannedLaunch& planned, const std::string& filter,
                           const std::string& title, const fs::path& keep_directory);
  std::vector<std::string> command_line(const Contestant& contestant, const PlannedLaunch& planned,
                                        const std::string& filter) const;
  const Contestant& contestant_of(LaunchArm arm) const {
    return arm == LaunchArm::kNew ? run_.new_one : run_.old_one;
  }
  Result<void> fit_budget(double launch_s);

  const RunRequest& run_;
  const JudgeRequest& request_;
  std::ostream& log_;
  std::size_t launches_ = run_.launches;
  bool budget_is_spent_on_ = false;  // the number of launches stands
  bool knows_order_seed_ = true;     // both programs do
  int cpu_ = quietest_cpu().cpu;
};

Result<void> Launcher::check() {
  for (const Contestant* contestant : {&run_.old_one, &run_.new_one}) {
    const auto help = run_child({contestant->program, "--help"}, OnStop::kEndChild);
    if (!help) return std::unexpected(help.error());
    if (!help->succeeded() || help->out.find("--benchmark_out") == std::string::npos) {
      return wrong_result(
          fmt::format("{}: '--help' {}; is this bench?", contestant->program, ending_text(*help)));
    }
    if (help->out.find("--order-seed") == std::string::npos && knows_order_seed_) {
      knows_order_seed_ = false;
      log_ << fmt::format("bench compare: {} has no --order-seed; the cases keep their order\n",
                          contestant->program);
    }
  }
  if (run_.keep_directory.empty()) return {};
  std::error_code error;
  fs::create_directories(run_.keep_directory, error);
  if (error) return system_error(error.value(), fmt::format("write {}", run_.keep_directory));
  if (!fs::is_empty(run_.keep_directory, error)) {
    return wrong_result(fmt::format("--keep={}: the directory is not empty", run_.keep_directory));
  }
  return {};
}

std::vector<std::string> Launcher::command_line(const Contestant& contestant,
                                                const PlannedLaunch& planned,
                                                const std::string& filter) const {
  std::vector<std::string> line = {contestant.program, "--benchmark_format=json"};
  std::vector<std::string> flags = run_.flags;
  flags.insert(flags.end(), contestant.flags.begin(), contestant.flags.end());
  const bool has_cpu = std::ranges::any_of(
      flags, [](const std::string& flag) { return flag == "--cpu" || flag.starts_with("--cpu="); });
  // The choice of a CPU is not what the launches are to differ in.
  if (!has_cpu) line.push_back(fmt::format("--cpu={}", cpu_));
  if (knows_order_seed_) line.push_back(fmt::format("--order-seed={}", planned.order_seed));
  if (!contestant.label.empty()) line.push_back("--label=" + contestant.label);
  if (!filter.empty()) {
    flags = without_filter(flags);
    line.push_back("--benchmark_filter=" + filter);
  }
  line.insert(line.end(), flags.begin(), flags.end());
  return line;
}

Result<Launcher::Timed> Launcher::launch_one(const PlannedLaunch& planned,
                                             const std::string& filter, const std::string& title,
                                             const fs::path& keep_directory) {
  const Contestant& contestant = contestant_of(planned.arm);
  Undo undo(contestant);
  if (Result<void> ready = prepare(contestant); !ready) return std::unexpected(ready.error());
  const auto ended = run_child(command_line(contestant, planned, filter), OnStop::kEndChild);
  if (!ended) return std::unexpected(ended.error());
  if (Result<void> undone = undo.run(); !undone) return std::unexpected(undone.error());
  // 1: a case failed, and the result says which.
  if (ended->exit_code != kExitOk && ended->exit_code != kExitFailure) {
    return wrong_result(fmt::format("{}: {} {}: {}", title, contestant.program, ending_text(*ended),
                                    last_words(ended->err)));
  }
  std::istringstream text(ended->out);
  Result<Launch> launch = parse_launch(text, title, request_.read.metrics);
  if (!launch || (ended->exit_code == kExitFailure && launch->failures.empty())) {
    return wrong_result(fmt::format("{}: {} {}: {}{}", title, contestant.program,
                                    ending_text(*ended), last_words(ended->err),
                                    launch ? "" : " | " + launch.error().what));
  }
  if (!keep_directory.empty()) {
    if (Result<void> kept = write_whole_file(keep_directory, ended->out); !kept) {
      return std::unexpected(kept.error());
    }
  }
  return Timed{std::move(*launch), ended->seconds};
}

// The number of launches is lowered once, from the time of the first one.
Result<void> Launcher::fit_budget(double launch_s) {
  if (!run_.budget_s || std::exchange(budget_is_spent_on_, true)) return {};
  const auto fits = affordable_launches(launches_, *run_.budget_s, launch_s);
  if (!fits) return std::unexpected(fits.error());
  if (*fits < launches_) {
    log_ << fmt::format(
        "bench compare: {} launches a side instead of {}: the first took {:.1f} s, the budget is "
        "{:.0f} s\n",
        *fits, launches_, launch_s, *run_.budget_s);
    launches_ = *fits;
  }
  return {};
}

Result<LaunchedSides> Launcher::launch(const std::string& filter, const fs::path& keep_directory,
                                       std::size_t factor) {
  LaunchedSides sides;
  const std::array<ResultSet*, kArms> sets = {&sides.old_one, &sides.old_again, &sides.new_one};
  for (const LaunchArm arm : {LaunchArm::kOld, LaunchArm::kOldAgain, LaunchArm::kNew}) {
    sets[index_of(arm)]->path = contestant_of(arm).name;
    std::error_code error;
    if (!keep_directory.empty()) {
      fs::create_directories(keep_directory / kArmNames[index_of(arm)], error);
    }
    if (error) return system_error(error.value(), fmt::format("write {}", keep_directory.string()));
  }
  const std::vector<PlannedLaunch> plan = plan_launches(factor * launches_, run_.seed);
  for (std::size_t i = 0; i < factor * launches_ * kArms; ++i) {
    const std::size_t arm = index_of(plan[i].arm);
    const std::size_t number = sets[arm]->files.size();
    const std::string title = fmt::format("launch {} of {}", number + 1, kArmNames[arm]);
    const fs::path file = keep_directory.empty()
                              ? fs::path()
                              : keep_directory / kArmNames[arm] / fmt::format("{:03}.json", number);
    Result<Timed> timed = launch_one(plan[i], filter, title, file);
    if (!timed) return std::unexpected(timed.error());
    if (Result<void> fits = fit_budget(timed->seconds); !fits) return std::unexpected(fits.error());
    if (Result<void> added = add_launch(*sets[arm], std::move(timed->launch), request_.read.force);
        !added) {
      return std::unexpected(added.error());
    }
    log_ << fmt::format("bench compare: {}/{} launches: {}, {:.1f} s\n", i + 1,
                        factor * launches_ * kArms, kArmNames[arm], timed->seconds)
         << std::flush;
  }
  return sides;
}

// The noise floor of A against A' is taken from `noise`.
Result<Comparison> judge_sides(LaunchedSides& sides, const JudgeRequest& request,
                               const LaunchedSides& noise, const NoiseHistory& history) {
  for (const Difference& d : launch_differences(sides.old_one.identity, sides.old_again.identity)) {
    const std::string text =
        fmt::format("the launches of {} are not of one thing: {}", sides.old_one.path, to_text(d));
    if (!request.read.force) return wrong_result(text + " (--force takes them nevertheless)");
    sides.old_one.forced.push_back(text);
  }
  if (request.injected != 1) inject(sides.new_one, request.metrics, request.injected);
  return compare_results(pooled(sides.old_one, sides.old_again), sides.new_one, request.metrics,
                         request.rules, request.read.force,
                         {.first = &noise.old_one, .again = &noise.old_again, .history = &history});
}

// The benchmarks of the regressions, each once.
std::vector<std::string> regressed_names(const Comparison& comparison) {
  std::vector<std::string> names;
  for (const Row& row : comparison.rows) {
    if (row.change != Change::kRegression) continue;
    if (names.empty() || names.back() != row.name) names.push_back(row.name);
  }
  return names;
}

// A fresh set of launches of the named benchmarks, or nothing if there is none.
using FreshLaunches =
    std::function<Result<std::optional<LaunchedSides>>(const std::vector<std::string>& names)>;

Result<Comparison> judge_and_confirm(LaunchedSides sides, const JudgeRequest& request,
                                     const FreshLaunches& launch_again) {
  const std::string machine = machine_key(sides.old_one.identity);
  NoiseHistory history;
  if (!request.noise_history.empty()) {
    Result<NoiseHistory> read = NoiseHistory::read(request.noise_history, machine);
    if (!read) return std::unexpected(read.error());
    history = std::move(*read);
  }
  Result<Comparison> comparison = judge_sides(sides, request, sides, history);
  if (!comparison) return comparison;
  if (const auto names = regressed_names(*comparison); !names.empty()) {
    Result<std::optional<LaunchedSides>> again = launch_again(names);
    if (!again) return std::unexpected(again.error());
    if (*again) {
      // By the floor that the first set had to pass: a second one would count the noise twice.
      const Result<Comparison> fresh = judge_sides(**again, request, sides, history);
      if (!fresh) return fresh;
      confirm(*comparison, *fresh);
    }
  }
  return comparison;
}

Result<LaunchedSides> read_kept(const fs::path& directory, const ReadOptions& options) {
  LaunchedSides sides;
  const std::array<ResultSet*, kArms> sets = {&sides.old_one, &sides.old_again, &sides.new_one};
  for (std::size_t arm = 0; arm < kArms; ++arm) {
    Result<ResultSet> read = read_results((directory / kArmNames[arm]).string(), options);
    if (!read) return std::unexpected(read.error());
    *sets[arm] = std::move(*read);
  }
  return sides;
}

}  // namespace

Result<Comparison> run_and_compare(const RunRequest& run, const JudgeRequest& request,
                                   std::ostream& log) {
  hold_stop_signals();
  if (!request.noise_history.empty()) {
    // Whether it can be read at all is better known before than after.
    const auto readable = NoiseHistory::read(request.noise_history, "");
    if (!readable) return std::unexpected(readable.error());
  }
  Launcher launcher(run, request, log);
  if (Result<void> checked = launcher.check(); !checked) return std::unexpected(checked.error());
  const fs::path keep = run.keep_directory;
  Result<LaunchedSides> sides = launcher.launch("", keep, 1);
  if (!sides) return std::unexpected(sides.error());
  const std::string machine = machine_key(sides->old_one.identity);
  const std::size_t measured = sides->old_one.benchmarks.size();
  const std::vector<NoiseRecord> noise =
      noise_records(sides->old_one, sides->old_again, request.metrics);
  Result<Comparison> comparison = judge_and_confirm(
      std::move(*sides), request,
      [&](const std::vector<std::string>& names) -> Result<std::optional<LaunchedSides>> {
        log << fmt::format("bench compare: {} regression{}; launching {} again\n", names.size(),
                           names.size() == 1 ? "" : "s", names.size() == 1 ? "it" : "them");
        std::string filter = exact_filter(names);
        if (filter.size() > kMaxFilterBytes) filter.clear();
        // Launches of few benchmarks are short, and a burst of noise that lasts seconds covers many
        // of them.
        const std::size_t factor = 2 * names.size() <= measured ? 2 : 1;
        return launcher.launch(filter, keep.empty() ? keep : keep / kConfirmation, factor);
      });
  if (comparison && !request.noise_history.empty()) {
    if (Result<void> kept = append_noise(request.noise_history, machine, noise); !kept) {
      return std::unexpected(kept.error());
    }
  }
  return comparison;
}

Result<Comparison> compare_kept(const std::string& directory, const JudgeRequest& request) {
  Result<LaunchedSides> sides = read_kept(directory, request.read);
  if (!sides) return std::unexpected(sides.error());
  return judge_and_confirm(
      std::move(*sides), request,
      [&](const std::vector<std::string>&) -> Result<std::optional<LaunchedSides>> {
        const fs::path again = fs::path(directory) / kConfirmation;
        if (!fs::exists(again)) return std::nullopt;
        return read_kept(again, request.read);
      });
}

}  // namespace bpfmark
