// SPDX-License-Identifier: BSD-2-Clause
#include "tests/support/bytecode_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <vector>

namespace bpfmark {
namespace {

using Instructions = std::span<const Instruction>;

template <class Predicate>
std::size_t count_where(Instructions code, Predicate predicate) {
  return static_cast<std::size_t>(std::ranges::count_if(code, predicate));
}

std::size_t count_calls(Instructions code) {
  return count_where(code,
                     [](const Instruction& i) { return i.calls_helper() || i.calls_function(); });
}

std::size_t count_helper(Instructions code, bpf_func_id helper) {
  return count_where(code, [&](const Instruction& i) { return i.calls_helper(helper); });
}

std::size_t count_function(Instructions code, std::string_view name) {
  return count_where(code,
                     [&](const Instruction& i) { return i.calls_function() && i.symbol == name; });
}

// What stands between the two readings of the clock.
Result<Instructions> timed_region(const Function& program) {
  const auto reads_clock = [](const Instruction& i) {
    return i.calls_helper(BPF_FUNC_ktime_get_ns);
  };
  if (const std::size_t reads = count_where(program.code, reads_clock); reads != 2) {
    return wrong_result(
        fmt::format("{} reads the clock {} times instead of twice", program.name, reads));
  }
  const auto first = std::ranges::find_if(program.code, reads_clock);
  const auto second = std::find_if(first + 1, program.code.end(), reads_clock);
  return Instructions(first + 1, second);
}

}  // namespace

std::size_t count_helper_calls(const Function& function) {
  return count_where(function.code, [](const Instruction& i) { return i.calls_helper(); });
}

std::size_t count_helper_calls(const Function& function, bpf_func_id helper) {
  return count_helper(function.code, helper);
}

Result<void> check_calls_only(const Function& function, bpf_func_id helper, std::size_t times) {
  if (const std::size_t found = count_helper(function.code, helper); found != times) {
    return wrong_result(fmt::format("{} calls helper {} {} times instead of {}", function.name,
                                    static_cast<int>(helper), found, times));
  }
  if (const std::size_t calls = count_calls(function.code); calls != times) {
    return wrong_result(
        fmt::format("{} makes {} calls of another kind", function.name, calls - times));
  }
  return {};
}

Result<void> check_calls_nothing(const Function& function) {
  if (const std::size_t calls = count_calls(function.code); calls != 0) {
    return wrong_result(fmt::format("{} makes {} calls instead of none", function.name, calls));
  }
  return {};
}

Result<std::string> timed_callback(const Function& program) {
  const Result<Instructions> region = timed_region(program);
  if (!region) return std::unexpected(region.error());
  if (count_helper(*region, BPF_FUNC_loop) != 1 || count_calls(*region) != 1) {
    return wrong_result(fmt::format(
        "{} does not call bpf_loop() once, and nothing else, between its readings", program.name));
  }
  if (count_calls(program.code) != 3) {
    return wrong_result(fmt::format("{} makes calls outside of its readings", program.name));
  }
  // The callback is set up before the call, before or after the first reading.
  std::vector<std::string> passed_on;
  for (const Instruction& i : program.code) {
    if (i.raw.code == (BPF_LD | BPF_IMM | BPF_DW) && i.raw.src_reg == 0 && i.raw.dst_reg == 2 &&
        !i.symbol.empty()) {
      passed_on.push_back(i.symbol);
    }
  }
  if (passed_on.size() != 1) {
    return wrong_result(
        fmt::format("{} passes on {} callbacks instead of one", program.name, passed_on.size()));
  }
  return passed_on.front();
}

Result<const Function*> timed_body(const ObjectCode& code, const std::string& name) {
  const Function* const program = code.find(name);
  if (program == nullptr) return wrong_result("there is no program " + name);
  const Result<std::string> callback = timed_callback(*program);
  if (!callback) return std::unexpected(callback.error());
  const Function* const body = code.find(*callback);
  if (body == nullptr) return wrong_result(name + " loops over what is no function: " + *callback);
  return body;
}

Result<void> check_loop_shape(const Function& program, LoopShape shape) {
  const Result<Instructions> region = timed_region(program);
  if (!region) return std::unexpected(region.error());
  const bool backward =
      count_where(*region, [](const Instruction& i) { return i.jumps_backward(); }) > 0;
  const std::size_t may_goto =
      count_where(*region, [](const Instruction& i) { return i.is_may_goto(); });
  const std::size_t loop_calls = count_helper(*region, BPF_FUNC_loop);
  const std::size_t next_calls = count_function(*region, "bpf_iter_num_next");
  const bool whole_iterator = next_calls > 0 && count_function(*region, "bpf_iter_num_new") == 1 &&
                              count_function(*region, "bpf_iter_num_destroy") == 1;

  const bool holds[] = {
      backward == (shape != LoopShape::kBpfLoop),
      (may_goto == 1) == (shape == LoopShape::kMayGoto) && may_goto <= 1,
      (loop_calls == 1) == (shape == LoopShape::kBpfLoop) && loop_calls <= 1,
      whole_iterator == (shape == LoopShape::kIterator),
      count_calls(*region) == loop_calls + (whole_iterator ? next_calls + 2 : 0),
  };
  const char* const facts[] = {"backward jump", "may_goto", "bpf_loop()", "number iterator",
                               "call of something else"};
  for (std::size_t i = 0; i < std::size(holds); ++i) {
    if (!holds[i]) {
      return wrong_result(fmt::format("{} has the wrong shape: {}", program.name, facts[i]));
    }
  }
  return {};
}

}  // namespace bpfmark
