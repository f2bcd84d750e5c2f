// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// What a probe found out. Only the first two are conclusive.
enum class Support { kSupported, kAbsent, kNotPermitted, kUnknown };

struct ProbeResult {
  Support support = Support::kUnknown;
  std::string cause;   // empty when supported
  std::string remedy;  // what the user can do; empty when supported
};

// One thing the kernel, the machine or the process may lack. The probe does what a case will do.
struct Capability {
  std::string name;  // as in --require=
  std::string what;  // one line for `bench probe`
  std::function<ProbeResult()> probe;
};

// All capabilities by name; each is probed at most once per process, when first asked for.
class Capabilities {
 public:
  static Capabilities& instance();

  void add(Capability capability);
  bool contains(const std::string& name) const { return capabilities_.contains(name); }
  std::vector<const Capability*> all() const;  // sorted by name

  // `name` must have been added.
  const ProbeResult& probe(const std::string& name);

  // The first of `needs` that is not supported, as a typed skip. Errors: kAbsent, kNotPermitted,
  // kUnknown.
  Result<void> check(const std::vector<std::string>& needs);

 private:
  std::map<std::string, Capability> capabilities_;
  std::map<std::string, ProbeResult> results_;
};

// "supported", "absent", "not permitted", "unknown".
const char* support_name(Support support);

// What a typed skip says about the capability; of other errors nothing is known.
Support support_of(ErrorKind kind);

// Reads the outcome of loading or running something: EPERM is a refusal, the codes by which bpf(2)
// says "I know no such thing" are absence, anything else is unknown (EACCES too: it is how the
// verifier rejects a faulty program).
// `first_kernel` ("6.4") and `config` ("CONFIG_BPF_JIT") name what the remedy asks for; may be
// empty.
ProbeResult classify(const Result<void>& outcome, const std::string& first_kernel,
                     const std::string& config);

// The capabilities of the bpf(2) system call itself: program types with their test-run, map types,
// BTF, JIT. Adds them to `capabilities`.
void add_kernel_capabilities(Capabilities& capabilities);

}  // namespace bpfmark
