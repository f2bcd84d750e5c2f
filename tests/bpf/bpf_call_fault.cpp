// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bpf/bpf_call_fault.h"

#include <cassert>
#include <utility>

namespace {

bpfmark::BpfCallFault::Answer planted;

}  // namespace

// The names are the linker's, made of that of bpfmark::bpf_call(int, bpf_attr&, unsigned).
extern "C" {
long __real__ZN7bpfmark8bpf_callEiR8bpf_attrj(int command, bpf_attr& attributes,
                                              std::uint32_t bytes);
long __wrap__ZN7bpfmark8bpf_callEiR8bpf_attrj(int command, bpf_attr& attributes,
                                              std::uint32_t bytes);

long __wrap__ZN7bpfmark8bpf_callEiR8bpf_attrj(int command, bpf_attr& attributes,
                                              std::uint32_t bytes) {
  return planted ? planted(command, attributes, bytes)
                 : __real__ZN7bpfmark8bpf_callEiR8bpf_attrj(command, attributes, bytes);
}
}

namespace bpfmark {

BpfCallFault::BpfCallFault(Answer answer) {
  assert(!planted);
  planted = std::move(answer);
}

BpfCallFault::~BpfCallFault() { planted = nullptr; }

long BpfCallFault::real(int command, bpf_attr& attributes, std::uint32_t bytes) {
  return __real__ZN7bpfmark8bpf_callEiR8bpf_attrj(command, attributes, bytes);
}

}  // namespace bpfmark
