// SPDX-License-Identifier: BSD-2-Clause
// Measures:         a datagram of 1458 bytes that XDP in the driver cuts to a size from a map, on
//                   its way to the socket of a server that counts (Figure 10).
// Timed region:     a batch of datagrams, from the first one that is sent to the read of the last,
//                   user-space clock; all on one CPU.
// Floor:            the same datagrams, which the program lets pass whole. The net is
//                   what cutting costs or saves; of 1458 bytes it is the work of cutting nothing.
// Does not measure: a network card, which had to receive the whole datagram all the same.
#include <bpf/bpf.h>
#include <fmt/format.h>

#include <memory>

#include "benchmarks/families.h"
#include "benchmarks/traffic.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "harness/program_identity.h"
#include "harness/udp_frame.h"
#include "packet_size.skel.h"

namespace bpfmark {
namespace {

using SizeSkeleton = Skeleton<packet_size_bpf>;

constexpr std::uint32_t kWhole_bytes = 1458;
// 0, 10, 20 ... 90 per cent less, and what a key and its value take.
constexpr std::uint32_t kTargets_bytes[] = {1458, 1312, 1166, 1020, 874, 729,
                                            583,  437,  291,  145,  64,  8};

class SizeLoad : public TrafficLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(std::uint32_t target_bytes);

  Result<void> prepare(Arm arm) override {
    before_ = {.read = read_, .passed = shared_count(skeleton_->bss->passed)};
    skeleton_->bss->whole = arm == Arm::kFloor ? 1 : 0;
    return {};
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_subject(bpf_program__fd(skeleton_->progs.size_cut));
  }

 protected:
  bool reaches(Arm /*arm*/) const override { return true; }
  std::uint64_t received() const override { return read_.count; }
  std::string far_end() const override { return "the server"; }
  std::uint64_t lot() const override { return 64; }

  Result<void> drain() override {
    const Result<Datagrams> datagrams = read_datagrams(server_.get());
    if (!datagrams) return std::unexpected(datagrams.error());
    read_.count += datagrams->count;
    read_.bytes += datagrams->bytes;
    return {};
  }

  // As many as went through the program, and of that size.
  Result<void> check(Arm arm) override {
    const std::uint64_t count = read_.count - before_.read.count;
    const std::uint64_t bytes = read_.bytes - before_.read.bytes;
    const std::uint64_t passed = shared_count(skeleton_->bss->passed) - before_.passed;
    if (passed != count) {
      return wrong_result(
          fmt::format("{} datagrams passed the program, and {} were read", passed, count));
    }
    const std::uint64_t wanted = count * (arm == Arm::kSubject ? target_bytes_ : kWhole_bytes);
    if (bytes == wanted) return {};
    return wrong_result(
        fmt::format("{} datagrams held {} bytes instead of {}", count, bytes, wanted));
  }

 private:
  struct Progress {
    Datagrams read;
    std::uint64_t passed = 0;
  };

  SizeLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source,
           SizeSkeleton skeleton, std::uint32_t target_bytes, UniqueFd server)
      : TrafficLoad(std::move(pair), std::move(source)),
        skeleton_(std::move(skeleton)),
        target_bytes_(target_bytes),
        server_(std::move(server)) {}

  SizeSkeleton skeleton_;
  std::uint32_t target_bytes_;
  UniqueFd server_;
  Attachment attachment_;
  Datagrams read_;
  Progress before_;
};

Result<std::unique_ptr<PairedLoad>> SizeLoad::create(std::uint32_t target_bytes) {
  auto skeleton = SizeSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  const __u32 key = 0;
  const __u32 value = target_bytes;
  const int err = bpf_map_update_elem(bpf_map__fd((*skeleton)->maps.target), &key, &value, BPF_ANY);
  if (err != 0) return system_error(-err, "set the size to cut to");
  Result<VethPair> made = VethPair::create();
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  auto source = raw_source(*pair, uniform_traffic(kUdpHeaderBytes + kWhole_bytes));
  if (!source) return std::unexpected(source.error());
  Result<UniqueFd> server = traffic_server(*pair);
  if (!server) return std::unexpected(server.error());
  std::unique_ptr<SizeLoad> load(new SizeLoad(pair, std::move(*source), std::move(*skeleton),
                                              target_bytes, std::move(*server)));
  Result<Attachment> attached =
      attach_to_device(load->skeleton_->progs.size_cut, DeviceHook::kXdpNative, pair->dut);
  if (!attached) return std::unexpected(attached.error());
  load->attachment_ = std::move(*attached);
  return load;
}

}  // namespace

void register_packet_size(Registry& registry) {
  for (const std::uint32_t bytes : kTargets_bytes) {
    registry.add(
        {.name = fmt::format("packet_size/bytes:{}", bytes),
         .question = fmt::format("What does a datagram of {} bytes cost that XDP cuts to {} on its "
                                 "way to a server?",
                                 kWhole_bytes, bytes),
         .floor = "the same datagram, which XDP lets pass whole",
         .needs = {"io_uring", "traffic_raw", "drop_xdp_native", "jit"},
         .suite = bytes == 1458 || bytes == 8 ? Suite::kDefault : Suite::kFull,
         .plan = {.ops_per_batch = 64, .rounds = 30, .loads = 12},
         .load = [bytes] { return SizeLoad::create(bytes); }});
  }
}

}  // namespace bpfmark
