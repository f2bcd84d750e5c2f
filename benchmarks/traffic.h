// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <bpf/libbpf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fixtures/veth_pair.h"
#include "harness/capability.h"
#include "harness/packet_sender.h"
#include "harness/paired.h"

// What the families have in common that offer packets to a device under test and count what becomes
// of them.
namespace bpfmark {

// UDP port that the packets of all sources come from.
inline constexpr std::uint16_t kTrafficSourcePort = 1024;

// Without Ethernet's checksum.
inline constexpr std::size_t kSmallestFrame = 60;

// What a source offers: UDP to BPFMARK_TRAFFIC_PORT of the device under test.
struct TrafficShape {
  std::size_t frame_bytes = kSmallestFrame;
  std::uint32_t flow_count = 1;      // flow n comes from the n-th address (bpf/shared/traffic.h)
  std::vector<std::uint32_t> order;  // of flows, round and round; its length is a power of two
};

// 1024 flows in a random order, all equally often.
TrafficShape uniform_traffic(std::size_t frame_bytes = kSmallestFrame);

struct Offered {
  std::uint64_t packets = 0;
  std::uint64_t refused = 0;  // of them: those that the first device had no room for
};

// Makes packets on the client's side, as fast as it can. One thread.
class TrafficSource {
 public:
  virtual ~TrafficSource() = default;

  // Sends them to the device under test. A signal can make it send more than asked for. Errors:
  // kSystem, kInterrupted.
  virtual Result<Offered> offer(std::uint64_t packets) = 0;

  // The same work, but nothing goes anywhere: the floor.
  virtual Result<Offered> discard(std::uint64_t packets) = 0;

  // Where in the order of its flows the next packet stands that is offered.
  virtual std::uint64_t sent() const = 0;
};

// Frames made beforehand, through a packet socket; discarded by a device that throws them away.
Result<std::unique_ptr<TrafficSource>> raw_source(const VethPair& pair, const TrafficShape& shape,
                                                  SendWay way = SendWay::kUring);

// Frames that BPF_PROG_TEST_RUN makes and an XDP program redirects to the device (live
// frames, 5.18); discarded by a program that drops them instead. The device under test must poll:
// have an XDP program in its driver, or generic receive offload.
Result<std::unique_ptr<TrafficSource>> live_source(const VethPair& pair, const TrafficShape& shape);

enum class SourceKind { kRaw, kLive };

// In names of cases; the capability is "traffic_" + name.
const char* source_name(SourceKind kind);

Result<std::unique_ptr<TrafficSource>> make_source(SourceKind kind, const VethPair& pair,
                                                   const TrafficShape& shape);

// A pair of devices, a source, and somebody who counts at the far end. What was offered, received
// and lost by the timed batches of the subject are counters of the row. The time of a batch is from
// the first packet to the arrival of the last; where packets were lost, it is scaled to those that
// arrived.
class TrafficLoad : public PairedLoad {
 public:
  void start() override { subject_ = {}; }
  Result<Batch> run(Arm arm, std::uint64_t ops) override;
  Result<void> finish(Findings& findings) override;

 protected:
  TrafficLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source)
      : pair_(std::move(pair)), source_(std::move(source)) {}

  // Whether packets of that arm go to the device under test, or nowhere.
  virtual bool reaches(Arm arm) const { return arm == Arm::kSubject; }

  // Packets that arrived so far, where the case counts them.
  virtual std::uint64_t received() const = 0;

  // Who counts them, for the text of an error.
  virtual std::string far_end() const = 0;

  // Packets after which drain() has to be called.
  virtual std::uint64_t lot() const { return ~std::uint64_t{0}; }
  // Takes the packets that wait in user space.
  virtual Result<void> drain() { return {}; }

  // What else must be right after a batch that reached the device under test; of all that was sent
  // since prepare(). Errors: kWrongResult.
  virtual Result<void> check(Arm /*arm*/) { return {}; }

  const VethPair& pair() const { return *pair_; }
  const TrafficSource& source() const { return *source_; }

 private:
  struct Counts {
    std::uint64_t offered = 0;
    std::uint64_t received = 0;
  };

  Result<Offered> offer(std::uint64_t packets);
  // Until all that were offered since `before` have arrived or are known to be lost; how many
  // arrived.
  Result<std::uint64_t> await(std::uint64_t before, const Offered& offered);
  // Packets that the client's device dropped so far.
  Result<std::uint64_t> dropped() const;

  std::shared_ptr<const VethPair> pair_;
  std::unique_ptr<TrafficSource> source_;
  std::optional<std::uint64_t> known_drops_;  // of dropped(); absent before the first batch
  Counts subject_;
};

// A UDP socket of the device under test that gets the traffic; reading it does not block. Errors:
// kSystem.
Result<UniqueFd> traffic_server(const VethPair& pair);

// Reads what waits at a socket: the number of datagrams, and of bytes in them. Errors: kSystem.
struct Datagrams {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
};
Result<Datagrams> read_datagrams(int socket_fd);

// Attaches an SK_SKB program to a BPF_MAP_TYPE_SOCKMAP, and makes a socket its entry `key`. Errors:
// kSystem.
Result<void> enter_sk_skb(const bpf_program* program, int map_fd, int socket_fd,
                          std::uint32_t key = 0);

// Reads a counter that a program of the kernel adds to.
std::uint64_t shared_count(const __u64& word);

// Whether a case can be loaded and passes a batch. A wrong count is no lack: it is for the case to
// fail with.
ProbeResult probe_traffic(const Loader& load, const std::string& first_kernel,
                          const std::string& config);

// "traffic_raw" and "traffic_live".
void add_traffic_capabilities(Capabilities& capabilities);

}  // namespace bpfmark
