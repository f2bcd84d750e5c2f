// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <string>

#include "harness/result.h"
#include "tests/support/object_code.h"

// What the compiler must have kept for a number to mean what it says. Each check refuses with
// kWrongResult and the fact that does not hold.
namespace bpfmark {

std::size_t count_helper_calls(const Function& function);
std::size_t count_helper_calls(const Function& function, bpf_func_id helper);

// `function` calls `helper` exactly `times` times, and no other helper and no function.
Result<void> check_calls_only(const Function& function, bpf_func_id helper, std::size_t times);

// `function` calls nothing at all.
Result<void> check_calls_nothing(const Function& function);

// The program reads bpf_ktime_get_ns() exactly twice, and between the readings calls bpf_loop()
// exactly once and nothing else; nor does it call anything outside of them. The name of the
// function that bpf_loop() runs.
Result<std::string> timed_callback(const Function& program);

// The function that the timed loop of the program `name` runs. Errors: also if there is none.
Result<const Function*> timed_body(const ObjectCode& code, const std::string& name);

enum class LoopShape { kBounded, kBpfLoop, kIterator, kMayGoto };

// Between its two readings of the clock the program loops in that shape and in no other.
Result<void> check_loop_shape(const Function& program, LoopShape shape);

}  // namespace bpfmark
