// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bpf/bpf_call_fault.h"

#include <utility>

namespace {

bpfmark::PlantedAnswer<long(int, bpf_attr&, std::uint32_t)> planted;

}  // namespace

// The names are the linker's, made of that of bpfmark::bpf_call(int, bpf_attr&, unsigned).
extern "C" {
long __real__ZN7bpfmark8bpf_callEiR8bpf_attrj(int command, bpf_attr& attributes,
                                              std::uint32_t bytes);
long __wrap__ZN7bpfmark8bpf_callEiR8bpf_attrj(int command, bpf_attr& attributes,
                                              std::uint32_t bytes);

long __wrap__ZN7bpfmark8bpf_callEiR8bpf_attrj(int command, bpf_attr& attributes,
                                              std::uint32_t bytes) {
  return planted.call(__real__ZN7bpfmark8bpf_callEiR8bpf_attrj, command, attributes, bytes);
}
}

namespace bpfmark {

BpfCallFault::BpfCallFault(Answer answer) { planted.plant(std::move(answer)); }

BpfCallFault::~BpfCallFault() { planted.remove(); }

long BpfCallFault::real(int command, bpf_attr& attributes, std::uint32_t bytes) {
  return __real__ZN7bpfmark8bpf_callEiR8bpf_attrj(command, attributes, bytes);
}

}  // namespace bpfmark
