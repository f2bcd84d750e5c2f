// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bpf/libbpf.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "bpf/shared/channel.h"
#include "fixtures/attachment.h"
#include "fixtures/record_reader.h"
#include "fixtures/veth_pair.h"
#include "fixtures/xdp_socket.h"
#include "harness/paired.h"
#include "harness/result.h"
#include "harness/test_run.h"

namespace bpfmark {

// An AF_XDP socket in copy mode as a channel: a device of our own, the socket on its queue, and
// frames that come in by it. They are live frames of a test-run (5.18), so the program that fills
// and redirects them runs once for each, and no packet has to be sent.
class ChannelFrames {
 public:
  struct Programs {
    const bpf_program* subject;
    const bpf_program* floor;
  };

  // The programs are loaded; `sockets_fd` is the map that the subject redirects by. Errors:
  // kSystem.
  static Result<ChannelFrames> create(const Programs& programs, int sockets_fd,
                                      std::uint32_t record_bytes);

  // Runs `work`, and send() in it, in the namespace of the device: where a test-run finds it.
  Result<void> inside(const std::function<Result<void>()>& work) const {
    return pair_.dut.net_ns.run(work);
  }

  // So many frames. The program counts them in `producer`; here what got lost is added, and the
  // time of the call. Errors: kSystem, kInterrupted.
  Result<void> send(Arm arm, std::uint64_t count, bpfmark_channel_producer& producer) const;

  // The reader must not outlive this.
  Result<std::unique_ptr<RecordReader>> reader(RecordReader::Taker taker) const {
    return RecordReader::of_xdp_socket(*socket_, BPFMARK_CHANNEL_FRAME_HEADER, std::move(taker));
  }

 private:
  ChannelFrames(VethPair pair, XdpSocket socket, TestRun subject, TestRun floor)
      : pair_(std::move(pair)),
        socket_(std::make_unique<XdpSocket>(std::move(socket))),
        subject_(std::move(subject)),
        floor_(std::move(floor)) {}

  VethPair pair_;
  std::unique_ptr<XdpSocket> socket_;  // readers keep a reference
  TestRun subject_;
  TestRun floor_;
  Attachment kept_[2];  // of the programs, see keep_in_dispatcher()
};

}  // namespace bpfmark
