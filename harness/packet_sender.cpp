// SPDX-License-Identifier: BSD-2-Clause
#include "harness/packet_sender.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "harness/clock.h"
#include "harness/interrupt.h"
#include "harness/ring.h"

namespace bpfmark {
namespace {

constexpr std::uint64_t kPatience_ns = 10'000'000'000;

// A device that has no room for a frame says ENOBUFS. That a packet goes out whole or not at all is
// what packet sockets do; anything else is an error. 1 for a frame that is lost, else 0.
Result<std::uint64_t> refused(long outcome, std::size_t frame_bytes) {
  if (outcome == static_cast<long>(frame_bytes)) return 0;
  if (outcome == -ENOBUFS) return 1;
  if (outcome < 0) return system_error(static_cast<int>(-outcome), "send a frame");
  return wrong_result(fmt::format("{} of {} bytes of a frame were sent", outcome, frame_bytes));
}

class SendtoSender : public PacketSender {
 public:
  SendtoSender(int socket_fd, const FrameStream& stream) : PacketSender(socket_fd, stream) {}

  Result<std::uint64_t> send(std::uint64_t frames) override {
    std::uint64_t lost = 0;
    for (; frames > 0; --frames) {
      const long sent = ::sendto(socket_fd_, next_frame(), frame_bytes(), 0, nullptr, 0);
      const Result<std::uint64_t> gone = refused(sent < 0 ? -errno : sent, frame_bytes());
      if (!gone) return gone;
      lost += *gone;
    }
    return lost;
  }
};

class SendmmsgSender : public PacketSender {
 public:
  SendmmsgSender(int socket_fd, const FrameStream& stream) : PacketSender(socket_fd, stream) {
    for (unsigned i = 0; i < kBatch; ++i) {
      vectors_[i].iov_len = frame_bytes();
      messages_[i].msg_hdr = {.msg_iov = &vectors_[i], .msg_iovlen = 1};
    }
  }

  Result<std::uint64_t> send(std::uint64_t frames) override {
    std::uint64_t lost = 0;
    while (frames > 0) {
      const auto batch = static_cast<unsigned>(std::min<std::uint64_t>(frames, kBatch));
      for (unsigned i = 0; i < batch; ++i) {
        vectors_[i].iov_base = const_cast<std::byte*>(next_frame());
      }
      for (unsigned sent = 0; sent < batch;) {
        const int done = ::sendmmsg(socket_fd_, &messages_[sent], batch - sent, 0);
        // The call ends before a frame that it could not send, or with its error.
        const Result<std::uint64_t> gone =
            done < 0 ? refused(-errno, frame_bytes()) : Result<std::uint64_t>(0);
        if (!gone) return gone;
        lost += *gone;
        sent += done < 0 ? 1 : static_cast<unsigned>(done);
      }
      frames -= batch;
    }
    return lost;
  }

 private:
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> messages_{};
};

// A ring of frames in memory that is shared with the kernel (PACKET_TX_RING). The kernel refuses
// none: a frame that the device has no room for it sends with the next call.
class PacketRingSender : public PacketSender {
 public:
  PacketRingSender(int socket_fd, const FrameStream& stream) : PacketSender(socket_fd, stream) {}

  ~PacketRingSender() override {
    if (memory_ != MAP_FAILED) ::munmap(memory_, kSlots * kSlotBytes);
  }

  Result<void> open() {
    if (frame_bytes() > kSlotBytes - kDataOffset) {
      return wrong_result("the frames are longer than the slots of the ring");
    }
    const int version = TPACKET_V2;
    if (::setsockopt(socket_fd_, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0) {
      return system_error(errno, "choose the version of a packet ring");
    }
    const tpacket_req request = {.tp_block_size = kSlots * kSlotBytes,
                                 .tp_block_nr = 1,
                                 .tp_frame_size = kSlotBytes,
                                 .tp_frame_nr = kSlots};
    if (::setsockopt(socket_fd_, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) != 0) {
      return system_error(errno, "make a packet ring");
    }
    memory_ = ::mmap(nullptr, kSlots * kSlotBytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_POPULATE, socket_fd_, 0);
    if (memory_ == MAP_FAILED) return system_error(errno, "map a packet ring");
    return {};
  }

  Result<std::uint64_t> send(std::uint64_t frames) override {
    while (frames > 0) {
      const auto batch = static_cast<unsigned>(std::min<std::uint64_t>(frames, kBatch));
      for (unsigned i = 0; i < batch; ++i) {
        if (Result<void> filled = fill_slot(); !filled) return std::unexpected(filled.error());
      }
      if (Result<void> sent = send_slots(batch); !sent) return std::unexpected(sent.error());
      frames -= batch;
    }
    return 0;
  }

 protected:
  // Has the kernel send what is in the last `batch` slots that were filled.
  virtual Result<void> send_slots(unsigned batch) = 0;

  // Whether the kernel has sent them.
  bool sent(unsigned batch) const {
    for (unsigned i = 1; i <= batch; ++i) {
      if (status_of((slot_ + kSlots - i) % kSlots) != TP_STATUS_AVAILABLE) return false;
    }
    return true;
  }

 private:
  static constexpr unsigned kSlots = 4 * kBatch;
  static constexpr unsigned kSlotBytes = 2048;
  static constexpr unsigned kDataOffset = TPACKET2_HDRLEN - sizeof(sockaddr_ll);

  std::byte* slot_data(unsigned slot) const {
    return static_cast<std::byte*>(memory_) + slot * kSlotBytes;
  }
  tpacket2_hdr& header_of(unsigned slot) const {
    return *reinterpret_cast<tpacket2_hdr*>(slot_data(slot));
  }
  __u32 status_of(unsigned slot) const {
    return std::atomic_ref(header_of(slot).tp_status).load(std::memory_order_acquire);
  }

  Result<void> fill_slot() {
    if (const __u32 now = status_of(slot_); now != TP_STATUS_AVAILABLE) {
      return wrong_result(fmt::format("a slot of the packet ring has status {:#x}", now));
    }
    std::memcpy(slot_data(slot_) + kDataOffset, next_frame(), frame_bytes());
    tpacket2_hdr& header = header_of(slot_);
    header.tp_len = static_cast<__u32>(frame_bytes());
    std::atomic_ref(header.tp_status).store(TP_STATUS_SEND_REQUEST, std::memory_order_release);
    slot_ = (slot_ + 1) % kSlots;
    return {};
  }

  void* memory_ = MAP_FAILED;
  unsigned slot_ = 0;
};

class TxRingSender : public PacketRingSender {
 public:
  using PacketRingSender::PacketRingSender;

 protected:
  // The call returns when all are sent.
  Result<void> send_slots(unsigned /*batch*/) override {
    while (::sendto(socket_fd_, nullptr, 0, 0, nullptr, 0) < 0) {
      if (stop_signal() != 0) return interrupted();
      if (errno != ENOBUFS && errno != EINTR) return system_error(errno, "send a packet ring");
    }
    return {};
  }
};

// The same ring, sent by requests of an io_uring to a file that it knows already.
class UringSender : public PacketRingSender {
 public:
  UringSender(int socket_fd, const FrameStream& stream, Ring ring)
      : PacketRingSender(socket_fd, stream), ring_(std::move(ring)) {}

  Result<void> open() {
    const int err = io_uring_register_files(ring_.get(), &socket_fd_, 1);
    if (err < 0) return system_error(-err, "register a socket with an io_uring");
    return PacketRingSender::open();
  }

 protected:
  // A request does not wait where a call would: it may end before all are sent.
  Result<void> send_slots(unsigned batch) override {
    const std::uint64_t deadline_ns = now_ns() + kPatience_ns;
    do {
      io_uring_sqe* const entry = ring_.next_entry();
      io_uring_prep_send(entry, 0, nullptr, 0, 0);
      entry->flags |= IOSQE_FIXED_FILE;
      if (Result<void> done = ring_.submit(1, Wait::kBlocking, kPatience_ns); !done) return done;
      const int outcome = ring_.take().result;
      if (outcome < 0 && outcome != -ENOBUFS && outcome != -EAGAIN) {
        return system_error(-outcome, "send a packet ring");
      }
      if (sent(batch)) return {};
      if (stop_signal() != 0) return interrupted();
    } while (now_ns() < deadline_ns);
    return system_error(ETIMEDOUT, "send a packet ring");
  }

 private:
  Ring ring_;
};

template <class Sender>
Result<std::unique_ptr<PacketSender>> opened(std::unique_ptr<Sender> sender) {
  if (Result<void> open = sender->open(); !open) return std::unexpected(open.error());
  return sender;
}

}  // namespace

const char* send_way_name(SendWay way) {
  switch (way) {
    case SendWay::kUring:
      return "uring";
    case SendWay::kSendto:
      return "sendto";
    case SendWay::kSendmmsg:
      return "sendmmsg";
    case SendWay::kTxRing:
      return "tx_ring";
  }
  return "unknown";
}

Result<std::unique_ptr<PacketSender>> PacketSender::create(SendWay way, int socket_fd,
                                                           const FrameStream& stream) {
  switch (way) {
    case SendWay::kUring: {
      Result<Ring> ring = Ring::create(1);
      if (!ring) return std::unexpected(ring.error());
      return opened(std::make_unique<UringSender>(socket_fd, stream, std::move(*ring)));
    }
    case SendWay::kSendto:
      return std::make_unique<SendtoSender>(socket_fd, stream);
    case SendWay::kSendmmsg:
      return std::make_unique<SendmmsgSender>(socket_fd, stream);
    case SendWay::kTxRing:
      return opened(std::make_unique<TxRingSender>(socket_fd, stream));
  }
  return wrong_result("there is no such way to send");
}

}  // namespace bpfmark
