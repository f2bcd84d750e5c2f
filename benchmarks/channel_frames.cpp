// SPDX-License-Identifier: BSD-2-Clause
#include "benchmarks/channel_frames.h"

#include <linux/bpf.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "fixtures/device_hook.h"
#include "harness/clock.h"
#include "harness/interrupt.h"

namespace bpfmark {
namespace {

TestRunInput live_frame(const VethEnd& end, std::uint32_t record_bytes) {
  TestRunInput input{.packet = std::vector<std::byte>(BPFMARK_CHANNEL_FRAME_HEADER + record_bytes),
                     .context = std::vector<std::byte>(sizeof(xdp_md)),
                     .flags = BPF_F_TEST_XDP_LIVE_FRAMES};
  xdp_md context{};
  context.data_end = static_cast<__u32>(input.packet.size());
  context.ingress_ifindex = static_cast<__u32>(end.ifindex);
  std::memcpy(input.context.data(), &context, sizeof(context));
  return input;
}

}  // namespace

Result<ChannelFrames> ChannelFrames::create(const Programs& programs, int sockets_fd,
                                            std::uint32_t record_bytes) {
  Result<VethPair> pair = VethPair::create();
  if (!pair) return std::unexpected(pair.error());
  Result<XdpSocket> socket = XdpSocket::create(pair->dut, BPFMARK_CHANNEL_SLOTS);
  if (!socket) return std::unexpected(socket.error());
  if (Result<void> entered = socket->enter(sockets_fd); !entered) {
    return std::unexpected(entered.error());
  }
  const TestRunInput input = live_frame(pair->dut, record_bytes);
  ChannelFrames frames(std::move(*pair), std::move(*socket),
                       TestRun(bpf_program__fd(programs.subject), input),
                       TestRun(bpf_program__fd(programs.floor), input));
  // One program a namespace; the client's has nothing else to do.
  Result<Attachment> subject = keep_in_dispatcher(programs.subject, frames.pair_.dut.net_ns);
  if (!subject) return std::unexpected(subject.error());
  Result<Attachment> floor = keep_in_dispatcher(programs.floor, frames.pair_.client.net_ns);
  if (!floor) return std::unexpected(floor.error());
  frames.kept_[0] = std::move(*subject);
  frames.kept_[1] = std::move(*floor);
  return frames;
}

Result<void> ChannelFrames::send(Arm arm, std::uint64_t count,
                                 bpfmark_channel_producer& producer) const {
  const TestRun& program = arm == Arm::kSubject ? subject_ : floor_;
  const auto sent = [&producer] { return std::atomic_ref(producer.sequence).load(); };
  const std::uint64_t before = sent();
  const std::uint64_t start_ns = now_ns();
  TestRunOutcome outcome;
  int err = 0;
  // A signal breaks the call between two frames.
  do {
    err = program.call(static_cast<std::uint32_t>(count - (sent() - before)), outcome);
  } while (err == -EINTR && stop_signal() == 0);
  if (err == -EINTR) return interrupted();
  if (err != 0) return system_error(-err, "BPF_PROG_TEST_RUN");
  producer.elapsed_ns += now_ns() - start_ns;
  const Result<std::uint64_t> dropped = socket_->dropped();
  if (!dropped) return std::unexpected(dropped.error());
  producer.lost = *dropped;
  return {};
}

}  // namespace bpfmark
