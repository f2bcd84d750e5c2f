// SPDX-License-Identifier: BSD-2-Clause
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "harness/capability.h"
#include "harness/map_type.h"
#include "harness/other_map_type.h"
#include "harness/program_type.h"

namespace bpfmark {
namespace {

// r0 = `value`; exit.
Result<int> load_minimal(const ProgramType& type, int value) {
  const bpf_insn insns[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K,
       .dst_reg = BPF_REG_0,
       .src_reg = 0,
       .off = 0,
       .imm = value},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  };
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = type.attach_type);
  if (type.type == BPF_PROG_TYPE_SYSCALL) options.prog_flags = BPF_F_SLEEPABLE;
  const int fd =
      bpf_prog_load(type.type, "bpfmark_probe", "Dual BSD/GPL", insns, std::size(insns), &options);
  if (fd < 0) return system_error(-fd, fmt::format("load a program of type {}", type.name));
  return fd;
}

// Loads and runs the smallest program of a type. The value 1 is a pass for every type but XDP's, to
// which any value is one; what matters is that it comes back.
Result<void> run_minimal(const ProgramType& type) {
  constexpr int kValue = 1;
  const Result<int> fd = load_minimal(type, kValue);
  if (!fd) return std::unexpected(fd.error());
  const Result<TestRunOutcome> outcome = TestRun(*fd, type.input()).run(type.takes_repeat ? 1 : 0);
  ::close(*fd);
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->retval != kValue) {
    return wrong_result(
        fmt::format("a {} program returned {} instead of {}", type.name, outcome->retval, kValue));
  }
  return {};
}

Result<void> create_small_map(const MapType& type) {
  const int fd =
      bpf_map_create(type.type, "bpfmark_probe", sizeof(__u32), sizeof(__u64), 1, nullptr);
  if (fd < 0) return system_error(-fd, fmt::format("create a map of type {}", type.name));
  ::close(fd);
  return {};
}

Result<void> create_other_map(const OtherMapType& type) {
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = type.flags);
  const bool of_maps =
      type.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type.type == BPF_MAP_TYPE_HASH_OF_MAPS;
  int inner = -1;
  if (of_maps) {
    inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bpfmark_probe", sizeof(__u32), sizeof(__u64), 1,
                           nullptr);
    if (inner < 0) return system_error(-inner, "create a map to put into another");
    options.inner_map_fd = static_cast<__u32>(inner);
  }
  const int fd = bpf_map_create(type.type, "bpfmark_probe", type.key_bytes, type.value_bytes,
                                type.entries, &options);
  if (inner >= 0) ::close(inner);
  if (fd < 0) return system_error(-fd, fmt::format("create a map of type {}", type.name));
  ::close(fd);
  return {};
}

ProbeResult probe_btf() {
  btf* const kernel = btf__load_vmlinux_btf();
  if (kernel == nullptr) {
    const int err = errno;
    return {Support::kAbsent, fmt::format("no kernel BTF: {}", std::strerror(err)),
            "needs CONFIG_DEBUG_INFO_BTF=y"};
  }
  btf__free(kernel);
  return {Support::kSupported, "", ""};
}

ProbeResult probe_jit() {
  // The file is readable by root only since 5.x hardening; without it the state is not known.
  std::ifstream file("/proc/sys/net/core/bpf_jit_enable");
  int enabled = 0;
  if (!(file >> enabled)) {
    return ::geteuid() == 0 ? ProbeResult{Support::kAbsent, "no net.core.bpf_jit_enable",
                                          "needs CONFIG_BPF_JIT=y"}
                            : ProbeResult{Support::kNotPermitted,
                                          "net.core.bpf_jit_enable is not readable", "run as root"};
  }
  if (enabled == 0) {
    return {Support::kAbsent, "net.core.bpf_jit_enable is 0", "sysctl net.core.bpf_jit_enable=1"};
  }
  return {Support::kSupported, "", ""};
}

}  // namespace

void add_kernel_capabilities(Capabilities& capabilities) {
  capabilities.add(
      {"btf", "the kernel's own type information, needed by kfuncs and CO-RE", probe_btf});
  capabilities.add({"jit", "programs are compiled to machine code, not interpreted", probe_jit});
  for (const ProgramType& type : program_types()) {
    capabilities.add(
        {fmt::format("test_run_{}", type.name),
         fmt::format("load a program of type {} and run it by BPF_PROG_TEST_RUN", type.name),
         [&type] {
           return classify(run_minimal(type), std::string(type.first_kernel),
                           std::string(type.config));
         }});
  }
  for (const MapType& type : map_types()) {
    capabilities.add({fmt::format("map_{}", type.name),
                      fmt::format("create a map of type {}", type.name), [&type] {
                        return classify(create_small_map(type), std::string(type.first_kernel),
                                        "CONFIG_BPF_SYSCALL");
                      }});
  }
  for (const OtherMapType& type : other_map_types()) {
    capabilities.add({fmt::format("map_{}", type.name),
                      fmt::format("create a map of type {}", type.name), [&type] {
                        return classify(create_other_map(type), std::string(type.first_kernel),
                                        std::string(type.config));
                      }});
  }
}

}  // namespace bpfmark
