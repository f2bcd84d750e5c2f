// SPDX-License-Identifier: BSD-2-Clause
#include "harness/identity.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "harness/build_info.h"
#include "harness/clock.h"
#include "harness/first_line.h"

namespace bpfmark {
namespace {

using nlohmann::ordered_json;

void add_file(ordered_json& to, const char* key, const std::string& path) {
  if (const auto line = first_line(path)) to[key] = *line;
}

// FNV-1a over the bytes of a file: tells configurations apart, is not a seal.
std::optional<std::string> file_hash(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (auto byte = std::istreambuf_iterator<char>(file); byte != std::istreambuf_iterator<char>();
       ++byte) {
    hash = (hash ^ static_cast<unsigned char>(*byte)) * 0x100000001b3u;
  }
  return fmt::format("{:016x}", hash);
}

ordered_json kernel_identity() {
  ordered_json kernel;
  utsname name{};
  if (uname(&name) == 0) {
    kernel["release"] = name.release;
    kernel["version"] = name.version;
    kernel["machine"] = name.machine;
  }
  for (const std::string& path :
       {std::string("/proc/config.gz"), fmt::format("/boot/config-{}", name.release)}) {
    if (const auto hash = file_hash(path)) {
      kernel["config_hash"] = *hash;
      break;
    }
  }
  add_file(kernel, "command_line", "/proc/cmdline");
  add_file(kernel, "lockdown", "/sys/kernel/security/lockdown");
  add_file(kernel, "clock_source",
           "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  add_file(kernel, "aslr", "/proc/sys/kernel/randomize_va_space");
  ordered_json bpf;
  add_file(bpf, "jit_enable", "/proc/sys/net/core/bpf_jit_enable");
  add_file(bpf, "jit_harden", "/proc/sys/net/core/bpf_jit_harden");
  add_file(bpf, "stats_enabled", "/proc/sys/kernel/bpf_stats_enabled");
  add_file(bpf, "unprivileged_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled");
  kernel["bpf"] = std::move(bpf);
  ordered_json mitigations;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/sys/devices/system/cpu/vulnerabilities", ignored)) {
    if (const auto line = first_line(entry.path())) mitigations[entry.path().filename()] = *line;
  }
  kernel["mitigations"] = std::move(mitigations);
  return kernel;
}

// The vendor string of the hypervisor's own CPUID leaf; absent on bare metal and elsewhere.
std::optional<std::string> hypervisor() {
#ifdef __x86_64__
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kHypervisorPresent = 1u << 31;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & kHypervisorPresent) == 0) {
    return std::nullopt;
  }
  __cpuid(0x40000000, eax, ebx, ecx, edx);
  std::array<char, 13> vendor{};
  std::memcpy(vendor.data(), &ebx, 4);
  std::memcpy(vendor.data() + 4, &ecx, 4);
  std::memcpy(vendor.data() + 8, &edx, 4);
  return std::string(vendor.data());
#else
  return std::nullopt;
#endif
}

ordered_json cpu_identity(int cpu) {
  ordered_json identity;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const std::string value = line.substr(std::min(colon + 2, line.size()));
    if (key == "vendor_id") identity["vendor"] = value;
    if (key == "cpu cores") identity["cores_per_socket"] = value;
    if (key == "siblings") identity["threads_per_socket"] = value;
    if (key == "model name") identity["model"] = value;
    if (key == "cpu family") identity["family"] = value;
    if (key == "model") identity["model_number"] = value;
    if (key == "stepping") identity["stepping"] = value;
    if (key == "microcode") identity["microcode"] = value;
  }
  const std::string sysfs = "/sys/devices/system/cpu/";
  add_file(identity, "governor", fmt::format("{}cpu{}/cpufreq/scaling_governor", sysfs, cpu));
  add_file(identity, "smt_active", sysfs + "smt/active");
  add_file(identity, "isolated", sysfs + "isolated");
  add_file(identity, "online", sysfs + "online");
  add_file(identity, "numa_nodes", "/sys/devices/system/node/online");
  if (const auto vendor = hypervisor()) identity["hypervisor"] = *vendor;
  return identity;
}

// What `free` prints, at the start of the run.
ordered_json memory_identity() {
  ordered_json identity;
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::uint64_t kibibytes = 0; file >> key >> kibibytes && std::getline(file, unit);) {
    for (const auto& [name, field] :
         {std::pair{"MemTotal:", "total_bytes"}, std::pair{"MemFree:", "free_bytes"},
          std::pair{"MemAvailable:", "available_bytes"}, std::pair{"Cached:", "cached_bytes"},
          std::pair{"SwapTotal:", "swap_total_bytes"}, std::pair{"SwapFree:", "swap_free_bytes"}}) {
      if (key == name) identity[field] = kibibytes * 1024;
    }
  }
  return identity;
}

}  // namespace

bool is_emulator(std::string_view hypervisor) { return hypervisor == "TCGTCGTCGTCG"; }

bool machine_is_emulated() {
  const auto vendor = hypervisor();
  return vendor && is_emulator(*vendor);
}

ordered_json machine_identity(int cpu) {
  ordered_json identity = {{"kernel", kernel_identity()},
                           {"cpu", cpu_identity(cpu)},
                           {"memory", memory_identity()},
                           {"user_clock_pair_ns", user_clock().pair_ns},
                           {"user_clock_resolution_ns", user_clock().resolution_ns}};
  if (machine_is_emulated()) identity["emulated"] = true;
  return identity;
}

ordered_json build_identity() {
  return {{"version", build_info::kVersion},
          {"commit", build_info::kCommit},
          {"build_type", build_info::kBuildType},
          {"compiler", build_info::kCompiler},
          {"bpf_compiler", build_info::kBpfCompiler},
          {"libbpf", fmt::format("{}.{}", libbpf_major_version(), libbpf_minor_version())},
          {"google_benchmark", build_info::kBenchmark},
          {"fmt", FMT_VERSION}};
}

}  // namespace bpfmark
