// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bpf/shared/channel.h"
#include "fixtures/record_reader.h"
#include "harness/result.h"

namespace bpfmark {

// User space's end of a ring of slots of our own (bpf/shared/channel.h). Nobody wakes it up. Owns
// neither the ends nor the slots.
class SlotReader : public RecordReader {
 public:
  SlotReader(bpfmark_channel_ends& ends, std::size_t record_bytes, Taker taker)
      : ends_(&ends), record_bytes_(record_bytes), place_(ends.tail), taker_(std::move(taker)) {}

  Result<void> consume() override;
  int poll_fd() const override { return -1; }

 protected:
  std::size_t slot_bytes() const { return sizeof(__u64) + record_bytes_; }

  // The slot of `place`, which begins with whose turn it is; nullptr if there surely is nothing.
  virtual Result<const std::byte*> slot_of(std::uint64_t place) = 0;

  bpfmark_channel_ends* ends_;

 private:
  std::size_t record_bytes_;
  std::uint64_t place_;  // the next to read
  Taker taker_;
};

// Slots in memory that both sides see.
class MappedSlotReader : public SlotReader {
 public:
  MappedSlotReader(const std::byte* slots, bpfmark_channel_ends& ends, std::size_t record_bytes,
                   Taker taker)
      : SlotReader(ends, record_bytes, std::move(taker)), slots_(slots) {}

 protected:
  Result<const std::byte*> slot_of(std::uint64_t place) override {
    return slots_ + place % BPFMARK_CHANNEL_SLOTS * slot_bytes();
  }

 private:
  const std::byte* slots_;
};

// Slots that are the elements of an array, each read by a system call.
class LookupSlotReader : public SlotReader {
 public:
  LookupSlotReader(int map_fd, bpfmark_channel_ends& ends, std::size_t record_bytes, Taker taker)
      : SlotReader(ends, record_bytes, std::move(taker)), map_fd_(map_fd), copy_(slot_bytes()) {}

 protected:
  Result<const std::byte*> slot_of(std::uint64_t place) override;

 private:
  int map_fd_;
  std::vector<std::byte> copy_;
};

}  // namespace bpfmark
