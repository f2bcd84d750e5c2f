// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// An instruction slot as the compiler wrote it; `symbol` is what it refers to: a map, a variable, a
// kernel function, or the function of the same object that it calls or passes on. Empty for most.
struct Instruction {
  bpf_insn raw;
  std::string symbol;

  bool calls_helper() const { return raw.code == (BPF_JMP | BPF_CALL) && raw.src_reg == 0; }
  bool calls_helper(bpf_func_id helper) const {
    return calls_helper() && raw.imm == static_cast<int>(helper);
  }
  // A function of the kernel or of the object; `symbol` says which.
  bool calls_function() const {
    return raw.code == (BPF_JMP | BPF_CALL) && raw.src_reg == BPF_PSEUDO_CALL;
  }
  bool is_may_goto() const { return raw.code == (BPF_JMP | 0xe0); }
  bool jumps_backward() const;
};

// A function of a BPF object: a program, or a subprogram or callback in .text.
struct Function {
  std::string name;
  std::vector<Instruction> code;
};

// The functions of an object file, read without the kernel. libbpf shows the subprograms only once
// they are appended to a loaded program; before that they stand in the ELF section .text.
class ObjectCode {
 public:
  // Errors: kWrongResult for what is no BPF object.
  static Result<ObjectCode> parse(const void* bytes, std::size_t size);

  // From the bytes that a skeleton `S` embeds.
  template <class S>
  static Result<ObjectCode> of_skeleton() {
    std::size_t size = 0;
    const void* const bytes = S::elf_bytes(&size);
    return parse(bytes, size);
  }

  const std::vector<Function>& functions() const { return functions_; }

  // nullptr if there is none of that name.
  const Function* find(std::string_view name) const;

 private:
  explicit ObjectCode(std::vector<Function> functions) : functions_(std::move(functions)) {}

  std::vector<Function> functions_;
};

}  // namespace bpfmark
