// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "harness/result.h"

namespace bpfmark {

// Frames made beforehand, and the order in which they go out, round and round.
struct FrameStream {
  std::size_t frame_bytes = 0;       // of each
  std::vector<std::byte> frames;     // one behind the other
  std::vector<std::uint32_t> order;  // which of them
};

// Ways to hand frames to a packet socket. kUring and kTxRing share a packet ring with the kernel,
// which requests of an io_uring or system calls make it send.
enum class SendWay { kUring, kSendto, kSendmmsg, kTxRing };

const char* send_way_name(SendWay way);

// Sends frames through a packet socket as fast as it can. One thread, which is also the one that
// made it.
class PacketSender {
 public:
  // Frames that go to the kernel together, where the way can do that.
  static constexpr unsigned kBatch = 64;

  // `socket_fd` is a raw packet socket that is bound to a device; it and `stream` must outlive the
  // sender. Errors: kSystem.
  static Result<std::unique_ptr<PacketSender>> create(SendWay way, int socket_fd,
                                                      const FrameStream& stream);

  virtual ~PacketSender() = default;

  // Hands the next `frames` of the stream to the device, and says how many it had no room for: they
  // are lost. Errors: kSystem, kInterrupted.
  virtual Result<std::uint64_t> send(std::uint64_t frames) = 0;

 protected:
  PacketSender(int socket_fd, const FrameStream& stream) : socket_fd_(socket_fd), stream_(stream) {}

  const std::byte* next_frame() {
    const std::byte* const frame =
        stream_.frames.data() + stream_.order[cursor_] * stream_.frame_bytes;
    if (++cursor_ == stream_.order.size()) cursor_ = 0;
    return frame;
  }
  std::size_t frame_bytes() const { return stream_.frame_bytes; }

  const int socket_fd_;

 private:
  const FrameStream& stream_;
  std::size_t cursor_ = 0;
};

}  // namespace bpfmark
