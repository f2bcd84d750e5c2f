// SPDX-License-Identifier: BSD-2-Clause
// Measures:         the same C source (bpf/shared/compute.h) as a BPF program, by version of the
//                   instruction set, and in user space, by level of optimisation.
// Timed region:     a batch of calls of the kernel's function: inside a TC program, or between two
//                   readings of user space's clock.
// Floor:            the same loop, with calls of a function that does nothing.
// Does not measure: cold memory. `host_bytes` is the size of the function's code; what it calls (at
//                   -O2 the compiler makes a call of memcpy() of the copy) is not in it.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>

#include "benchmarks/compute_host.h"
#include "benchmarks/families.h"
#include "benchmarks/twin.h"
#include "bpf/shared/batch.h"
#include "bpf/shared/compute.h"
#include "compute_v1.skel.h"
#include "compute_v2.skel.h"
#include "compute_v3.skel.h"
#include "compute_v4.skel.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

void fill(bpfmark_compute_data& data) {
  for (std::size_t i = 0; i < std::size(data.source); ++i) {
    data.source[i] = (i + 1) * 0x9E3779B97F4A7C15u;
  }
}

std::uint8_t source_byte(std::size_t place) {
  const std::uint64_t word = (place / 8 + 1) * 0x9E3779B97F4A7C15u;
  return static_cast<std::uint8_t>(word >> (place % 8 * 8));
}

// --- what the kernels must return, by other ways

// By doubling: F(2k) = F(k) (2 F(k+1) - F(k)), F(2k+1) = F(k)^2 + F(k+1)^2, modulo 2^64.
std::uint64_t expected_fib(std::uint32_t n) {
  std::uint64_t a = 0, b = 1;
  for (std::uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
    const std::uint64_t even = a * (2 * b - a), odd = a * a + b * b;
    a = n & bit ? odd : even;
    b = n & bit ? even + odd : odd;
  }
  return a;
}

std::uint64_t expected_byte_sum(std::uint32_t n) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < BPFMARK_BLOCK_BYTES; ++i) sum += source_byte(i);
  return n * sum;
}

// The one's complement sum is the sum modulo 65535, and 65535 in place of 0.
std::uint64_t expected_ip_checksum(std::uint32_t n) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < BPFMARK_BLOCK_BYTES; i += 2) {
    sum += source_byte(i) + 256u * source_byte(i + 1);
  }
  const std::uint64_t folded = sum % 65535 == 0 ? 65535 : sum % 65535;
  return n * (65535 - folded);
}

std::uint64_t expected_sieve(std::uint32_t n) {
  std::uint64_t primes = 0;
  for (std::uint32_t candidate = 2; candidate < n; ++candidate) {
    bool prime = true;
    for (std::uint32_t d = 2; d * d <= candidate; ++d) prime = prime && candidate % d != 0;
    primes += prime;
  }
  return primes;
}

std::uint64_t expected_memcpy(std::uint32_t n) { return n / 8 * 0x9E3779B97F4A7C15u; }

struct Kernel {
  const char* name;
  const char* what;
  std::uint32_t n;
  unsigned about_ns;
  std::uint64_t (*expected)(std::uint32_t n);
};

constexpr Kernel kKernels[] = {
    {"fib", "the Fibonacci number", 80, 40, expected_fib},
    {"byte_sum", "the sum of 64 bytes, as often as", 8, 250, expected_byte_sum},
    {"ip_checksum", "the checksum of 64 bytes, as often as", 8, 150, expected_ip_checksum},
    {"sieve", "the primes below", 256, 500, expected_sieve},
    {"memcpy", "a copy by words, in bytes", 1024, 60, expected_memcpy},
};

Result<void> check_target(const Kernel& kernel, const bpfmark_compute_data& data) {
  if (std::string_view(kernel.name) != "memcpy") return {};
  if (std::equal(data.source, data.source + kernel.n / 8, data.target)) return {};
  return wrong_result("the copied bytes differ from the source");
}

// --- BPF

template <class S>
Result<std::unique_ptr<PairedLoad>> load_bpf(const Kernel& kernel) {
  return load_twin<S>(
      {std::string("compute_") + kernel.name, "compute_floor", find_program_type("tc")->input()},
      [&](S& object) { object.rodata->compute_n = kernel.n; },
      [&](S& object) -> Result<TwinChecks> {
        bpfmark_compute_data* const data = &object.bss->compute_data;
        fill(*data);
        return TwinChecks{
            .subject = [&kernel, data](const bpfmark_batch_result& result) -> Result<void> {
              Result<void> right = every_operation_finds(kernel.expected(kernel.n))(result);
              return right ? check_target(kernel, *data) : right;
            },
            .floor = every_operation_finds(1)};
      });
}

struct Version {
  const char* name;
  const char* first_kernel;
  Result<std::unique_ptr<PairedLoad>> (*load)(const Kernel& kernel);
  ProbeResult (*probe)(const std::string& program, const std::string& first_kernel);
};

constexpr Version kVersions[] = {
    {"v1", "5.17", load_bpf<compute_v1_bpf>, probe_program<compute_v1_bpf>},
    {"v2", "5.17", load_bpf<compute_v2_bpf>, probe_program<compute_v2_bpf>},
    {"v3", "5.17", load_bpf<compute_v3_bpf>, probe_program<compute_v3_bpf>},
    {"v4", "6.6", load_bpf<compute_v4_bpf>, probe_program<compute_v4_bpf>},
};

// --- user space

struct Level {
  const char* name;
  std::span<const HostKernel> (*kernels)();
};

constexpr Level kLevels[] = {{"o0", host_kernels_o0},
                             {"o1", host_kernels_o1},
                             {"o2", host_kernels_o2},
                             {"o3", host_kernels_o3}};

Result<std::unique_ptr<PairedLoad>> load_host(const Kernel& kernel, const Level& level) {
  const auto data = std::make_shared<bpfmark_compute_data>();
  fill(*data);
  const auto function = [&](std::string_view name) {
    return *std::ranges::find(level.kernels(), name,
                              [](const HostKernel& k) { return std::string_view(k.kernel); });
  };
  const auto loop_of = [&](const HostKernel& host) {
    return [run = host.run, data, n = kernel.n](std::uint64_t ops) {
      std::uint64_t sum = 0;
      for (std::uint64_t i = 0; i < ops; ++i) sum += run(n, data.get());
      return sum;
    };
  };
  const HostKernel subject = function(kernel.name);
  return std::make_unique<HostTwinLoad>(
      HostArm{loop_of(subject), kernel.expected(kernel.n)}, HostArm{loop_of(function("floor")), 1},
      [&kernel, data] { return check_target(kernel, *data); },
      std::map<std::string, double>{{"host_bytes", static_cast<double>(subject.code_bytes)}});
}

constexpr const char* kFloor = "the same loop, with calls of a function that does nothing";

Suite suite_of(const Kernel& kernel, bool representative) {
  const std::string_view name = kernel.name;
  return representative && (name == "fib" || name == "byte_sum") ? Suite::kDefault : Suite::kFull;
}

}  // namespace

void register_compute(Registry& registry, Capabilities& capabilities) {
  for (const Version& version : kVersions) {
    capabilities.add(
        {fmt::format("isa_{}", version.name),
         fmt::format("load a program compiled with -mcpu={}", version.name),
         [&version] { return version.probe("compute_byte_sum", version.first_kernel); }});
  }
  for (const Kernel& kernel : kKernels) {
    const auto add = [&](const std::string& on, std::vector<std::string> needs, bool representative,
                         Loader load) {
      registry.add({.name = fmt::format("compute/kernel:{}/for:{}/n:{}", kernel.name, on, kernel.n),
                    .question = fmt::format("What does {} {} cost?", kernel.what, kernel.n),
                    .floor = kFloor,
                    .needs = std::move(needs),
                    .suite = suite_of(kernel, representative),
                    .plan = plan_for(kernel.about_ns),
                    .load = std::move(load)});
    };
    for (const Version& version : kVersions) {
      add(fmt::format("bpf_{}", version.name),
          {"test_run_tc", "loop_bpf_loop", fmt::format("isa_{}", version.name), "jit"},
          version.name == std::string_view("v3"), [&] { return version.load(kernel); });
    }
    for (const Level& level : kLevels) {
      add(fmt::format("host_{}", level.name), {}, level.name == std::string_view("o2"),
          [&] { return load_host(kernel, level); });
    }
  }
}

}  // namespace bpfmark
