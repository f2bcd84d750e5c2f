// SPDX-License-Identifier: BSD-2-Clause
#include "ci/machine/tune.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <sstream>

#include "harness/environment.h"
#include "harness/first_line.h"

namespace bpfmark {
namespace {

constexpr const char* kCpus = "/sys/devices/system/cpu/";

struct FixedSetting {
  const char* path;
  const char* wanted;
};

constexpr std::array kFixedSettings = {
    FixedSetting{"/sys/devices/system/cpu/intel_pstate/no_turbo", "1"},
    FixedSetting{"/sys/devices/system/cpu/cpufreq/boost", "0"},
    FixedSetting{"/proc/sys/kernel/bpf_stats_enabled", "0"},
    FixedSetting{"/proc/sys/kernel/nmi_watchdog", "0"},
    // Samples of perf are interrupts; one a second is the least.
    FixedSetting{"/proc/sys/kernel/perf_event_max_sample_rate", "1"},
};

// 0 or errno. Settings take a whole value in one write.
int write_line(const std::string& path, const std::string& value) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC);
  if (fd < 0) return errno;
  const std::string line = value + "\n";
  const int errnum = ::write(fd, line.data(), line.size()) < 0 ? errno : 0;
  ::close(fd);
  return errnum;
}

std::string cpu_list(const std::vector<int>& cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cpus[i]);
    if (last > i) text += fmt::format("-{}", cpus[last]);
    i = last + 1;
  }
  return text;
}

class Planner {
 public:
  explicit Planner(const TuneOptions& options) : options_(options) {}

  std::optional<std::string> read(const std::string& path) const {
    return first_line(options_.root + path);
  }

  void want(const std::string& path, const std::string& wanted) {
    const auto former = read(path);
    if (former && *former != wanted) settings_.push_back({options_.root + path, *former, wanted});
  }

  void want_governor() {
    const std::string directory = fmt::format("{}cpu{}/cpufreq/", kCpus, options_.cpu);
    const auto available = read(directory + "scaling_available_governors");
    if (available && (" " + *available + " ").find(" performance ") != std::string::npos) {
      want(directory + "scaling_governor", "performance");
    }
  }

  // Interrupts that may come to our CPU go to the others that they may come to.
  void want_interrupts_elsewhere() {
    std::vector<int> numbers;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::directory_iterator(options_.root + "/proc/irq", ignored)) {
      const std::string name = entry.path().filename();
      int number = 0;
      const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), number);
      if (error == std::errc() && stop == name.data() + name.size()) numbers.push_back(number);
    }
    std::ranges::sort(numbers);
    for (const int number : numbers) {
      const std::string path = fmt::format("/proc/irq/{}/smp_affinity_list", number);
      const auto list = read(path);
      auto cpus = list ? parse_cpu_list(*list) : std::nullopt;
      if (!cpus) continue;
      std::erase(*cpus, options_.cpu);
      if (!cpus->empty()) want(path, cpu_list(*cpus));
    }
  }

  void want_siblings_offline() {
    const auto list =
        read(fmt::format("{}cpu{}/topology/thread_siblings_list", kCpus, options_.cpu));
    const auto siblings = list ? parse_cpu_list(*list) : std::nullopt;
    for (const int sibling : siblings.value_or(std::vector<int>())) {
      if (sibling != options_.cpu) want(fmt::format("{}cpu{}/online", kCpus, sibling), "0");
    }
  }

  std::vector<TunedSetting> take() { return std::move(settings_); }

 private:
  const TuneOptions& options_;
  std::vector<TunedSetting> settings_;
};

TuneStep failed(const TunedSetting& setting, int errnum) {
  return {TuneStep::Outcome::kFailed, setting, std::strerror(errnum)};
}

// Writes and reads back: the kernel may take a value and keep another.
TuneStep change(const TunedSetting& setting, const std::string& value) {
  if (const int errnum = write_line(setting.path, value); errnum != 0) {
    return failed(setting, errnum);
  }
  const auto now = first_line(setting.path);
  if (now != value) {
    write_line(setting.path, setting.former);
    return {TuneStep::Outcome::kFailed, setting,
            fmt::format("took '{}', but read '{}'", value, now.value_or(""))};
  }
  return {TuneStep::Outcome::kDone, setting, ""};
}

TuneStep restore(const TunedSetting& setting) {
  const auto now = first_line(setting.path);
  if (!now) return {TuneStep::Outcome::kFailed, setting, "cannot be read"};
  if (*now == setting.former) return {TuneStep::Outcome::kUnchanged, setting, ""};
  if (*now != setting.wanted) {
    return {TuneStep::Outcome::kForeign, setting, fmt::format("is '{}' now", *now)};
  }
  return change(setting, setting.former);
}

}  // namespace

std::vector<TunedSetting> tune_plan(const TuneOptions& options) {
  Planner plan(options);
  plan.want_governor();
  for (const auto& [path, wanted] : kFixedSettings) plan.want(path, wanted);
  plan.want_interrupts_elsewhere();
  // Last, so that it is restored first: the others may need the CPU.
  if (options.offline_sibling) plan.want_siblings_offline();
  return plan.take();
}

Result<void> tune(const std::vector<TunedSetting>& plan, TuneState& state,
                  std::vector<TuneStep>& steps) {
  for (const TunedSetting& setting : plan) {
    const auto recorded = std::ranges::find(state.settings(), setting.path, &TunedSetting::path);
    if (recorded == state.settings().end()) {
      if (Result<void> added = state.add(setting); !added) return added;
    } else if (setting.former != recorded->former) {
      // It is neither as it was nor as we made it, or a plan for another CPU wants it otherwise.
      steps.push_back({TuneStep::Outcome::kForeign, *recorded,
                       fmt::format("is '{}' now; bench untune first", setting.former)});
      continue;
    }
    steps.push_back(change(setting, setting.wanted));
  }
  return {};
}

Result<void> untune(TuneState& state, std::vector<TuneStep>& steps) {
  std::vector<TunedSetting> left;
  const std::vector<TunedSetting> recorded = state.settings();
  for (auto setting = recorded.rbegin(); setting != recorded.rend(); ++setting) {
    steps.push_back(restore(*setting));
    if (steps.back().outcome == TuneStep::Outcome::kFailed) left.push_back(*setting);
  }
  std::ranges::reverse(left);
  return state.replace(std::move(left));
}

}  // namespace bpfmark
