// SPDX-License-Identifier: BSD-2-Clause
#include "harness/program_identity.h"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <utility>

namespace bpfmark {
namespace {

Result<bpf_prog_info> program_info(int prog_fd) {
  bpf_prog_info info{};
  __u32 length = sizeof(info);
  if (const int err = bpf_prog_get_info_by_fd(prog_fd, &info, &length); err != 0) {
    return system_error(-err, "read program information");
  }
  return info;
}

}  // namespace

Result<ProgramIdentity> identify_program(int prog_fd, std::string role) {
  const Result<bpf_prog_info> info = program_info(prog_fd);
  if (!info) return std::unexpected(info.error());
  ProgramIdentity identity{
      .role = std::move(role),
      .name = info->name,
      .insns_xlated = info->xlated_prog_len / static_cast<std::uint32_t>(sizeof(bpf_insn)),
      .jited_bytes = info->jited_prog_len};
  for (const __u8 byte : info->tag) identity.tag += fmt::format("{:02x}", byte);
  return identity;
}

std::vector<ProgramIdentity> identify_pair(int subject_fd, int floor_fd) {
  std::vector<ProgramIdentity> programs;
  for (const auto& [fd, role] : {std::pair{subject_fd, "subject"}, std::pair{floor_fd, "floor"}}) {
    if (Result<ProgramIdentity> identity = identify_program(fd, role)) {
      programs.push_back(std::move(*identity));
    }
  }
  return programs;
}

std::vector<ProgramIdentity> identify_subject(int subject_fd) {
  std::vector<ProgramIdentity> programs;
  if (subject_fd < 0) return programs;
  if (auto known = identify_program(subject_fd, "subject")) programs.push_back(std::move(*known));
  return programs;
}

Result<std::uint64_t> program_run_count(int prog_fd) {
  const Result<bpf_prog_info> info = program_info(prog_fd);
  if (!info) return std::unexpected(info.error());
  return info->run_cnt;
}

Result<std::uint64_t> program_run_time_ns(int prog_fd) {
  const Result<bpf_prog_info> info = program_info(prog_fd);
  if (!info) return std::unexpected(info.error());
  return info->run_time_ns;
}

}  // namespace bpfmark
