// SPDX-License-Identifier: BSD-2-Clause
#include "harness/capability.h"

#include <cerrno>

namespace bpfmark {
namespace {

// ENOTSUPP is the kernel's own code (524), not one of the C library's.
constexpr int kKernelNotSupported = 524;

ErrorKind kind_of(Support support) {
  switch (support) {
    case Support::kAbsent:
      return ErrorKind::kAbsent;
    case Support::kNotPermitted:
      return ErrorKind::kNotPermitted;
    default:
      return ErrorKind::kUnknown;
  }
}

std::string absence_remedy(const std::string& first_kernel, const std::string& config) {
  std::string remedy;
  if (!first_kernel.empty()) remedy = "needs Linux " + first_kernel + " or newer";
  if (!config.empty()) remedy += (remedy.empty() ? "needs " : " with ") + config + "=y";
  return remedy.empty() ? "needs another kernel" : remedy;
}

}  // namespace

Capabilities& Capabilities::instance() {
  static Capabilities capabilities;
  return capabilities;
}

void Capabilities::add(Capability capability) {
  std::string name = capability.name;
  capabilities_.insert_or_assign(std::move(name), std::move(capability));
}

std::vector<const Capability*> Capabilities::all() const {
  std::vector<const Capability*> list;
  for (const auto& [name, capability] : capabilities_) list.push_back(&capability);
  return list;
}

const ProbeResult& Capabilities::probe(const std::string& name) {
  if (const auto known = results_.find(name); known != results_.end()) return known->second;
  return results_.emplace(name, capabilities_.at(name).probe()).first->second;
}

Result<void> Capabilities::check(const std::vector<std::string>& needs) {
  for (const std::string& name : needs) {
    const ProbeResult& result = probe(name);
    if (result.support == Support::kSupported) continue;
    return std::unexpected(
        Error{kind_of(result.support), 0, name + ": " + result.cause, result.remedy, name});
  }
  return {};
}

const char* support_name(Support support) {
  switch (support) {
    case Support::kSupported:
      return "supported";
    case Support::kAbsent:
      return "absent";
    case Support::kNotPermitted:
      return "not permitted";
    case Support::kUnknown:
      return "unknown";
  }
  return "unknown";
}

Support support_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kAbsent:
      return Support::kAbsent;
    case ErrorKind::kNotPermitted:
      return Support::kNotPermitted;
    default:
      return Support::kUnknown;
  }
}

ProbeResult classify(const Result<void>& outcome, const std::string& first_kernel,
                     const std::string& config) {
  if (outcome) return {Support::kSupported, "", ""};
  const Error& error = outcome.error();
  switch (error.errnum) {
    case EPERM:
      return {Support::kNotPermitted, error.what,
              "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; if that is so already, "
              "the kernel's own policy refuses it"};
    case EINVAL:
    case ENOENT:
    case ESRCH:
    case ENOSYS:
    case EOPNOTSUPP:
    case kKernelNotSupported:
      return {Support::kAbsent, error.what, absence_remedy(first_kernel, config)};
    default:
      return {Support::kUnknown, error.what, "the probe could not tell; see the cause"};
  }
}

}  // namespace bpfmark
