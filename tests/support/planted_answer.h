// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cassert>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace bpfmark {

// What answers in the place of a function, for the wrappers that the linker's --wrap makes room
// for. Any thread may call while another plants an answer or takes it away: consumers of a load
// under test go on calling.
template <class Signature>
class PlantedAnswer;

template <class Outcome, class... Arguments>
class PlantedAnswer<Outcome(Arguments...)> {
 public:
  using Answer = std::function<Outcome(Arguments...)>;

  // Asks the answer if one is planted, else `real`.
  Outcome call(Outcome (*real)(Arguments...), Arguments... arguments) {
    {
      const std::shared_lock lock(mutex_);
      if (answer_) return answer_(arguments...);
    }
    return real(arguments...);
  }

  // There is none yet.
  void plant(Answer answer) {
    const std::unique_lock lock(mutex_);
    assert(!answer_);
    answer_ = std::move(answer);
  }

  // No thread is in the answer any more when this returns.
  void remove() {
    const std::unique_lock lock(mutex_);
    answer_ = nullptr;
  }

 private:
  std::shared_mutex mutex_;
  Answer answer_;
};

}  // namespace bpfmark
