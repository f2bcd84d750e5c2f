// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/slot_reader.h"

#include <bpf/bpf.h>

#include <atomic>

namespace bpfmark {

Result<void> SlotReader::consume() {
  while (true) {
    const Result<const std::byte*> slot = slot_of(place_);
    if (!slot) return std::unexpected(slot.error());
    if (*slot == nullptr) return {};
    // A slot of an earlier round has an earlier turn.
    const auto* const turn = reinterpret_cast<const __u64*>(*slot);
    if (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != place_ + 1) return {};
    taker_(*slot + sizeof(*turn), record_bytes_);
    ++place_;
    std::atomic_ref(ends_->tail).store(place_, std::memory_order_release);
  }
}

Result<const std::byte*> LookupSlotReader::slot_of(std::uint64_t place) {
  if (std::atomic_ref(ends_->head).load(std::memory_order_acquire) == place) return nullptr;
  const auto key = static_cast<__u32>(place % BPFMARK_CHANNEL_SLOTS);
  if (const int err = bpf_map_lookup_elem(map_fd_, &key, copy_.data()); err != 0) {
    return system_error(-err, "look up a slot");
  }
  return copy_.data();
}

}  // namespace bpfmark
