// SPDX-License-Identifier: BSD-2-Clause
#include "harness/own_tgid.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <iterator>

#include "harness/program_type.h"

namespace bpfmark {

Result<std::uint32_t> own_tgid() {
  // r0 = bpf_get_current_pid_tgid(); r0 >>= 32; exit.
  const bpf_insn insns[] = {
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_pid_tgid},
      {.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 32},
      {.code = BPF_JMP | BPF_EXIT},
  };
  const ProgramType& type = *find_program_type("raw_tp");
  const int fd =
      bpf_prog_load(type.type, "own_tgid", "Dual BSD/GPL", insns, std::size(insns), nullptr);
  if (fd < 0) return system_error(-fd, "load a program that tells the process id");
  const Result<TestRunOutcome> outcome = TestRun(fd, type.input()).run(0);
  ::close(fd);
  if (!outcome) return std::unexpected(outcome.error());
  return outcome->retval;
}

}  // namespace bpfmark
