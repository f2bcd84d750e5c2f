// SPDX-License-Identifier: BSD-2-Clause
// Measures:         how long a packet is on its way from XDP in the driver to the hooks behind it,
//                   to the read of a UDP socket, or to that of an AF_XDP socket.
// Timed region:     from bpf_ktime_get_ns() in XDP, which goes along in the payload, to the same
//                   clock where the packet is looked at. One packet at a time (closed loop), all on
//                   one CPU. The time of a batch is the sum over its packets.
// Floor:            the clock pair: XDP reads the clock again at once, and drops the packet.
// Does not measure: the way from a network card to XDP; the wake-up of a reader that sleeps: the
//                   sender itself reads the sockets once its call has returned, which is in the
//                   time.
#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "benchmarks/families.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/histogram.h"
#include "bpf/shared/time_to_hook.h"
#include "bpf/shared/traffic.h"
#include "fixtures/cgroup.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "fixtures/xdp_socket.h"
#include "harness/clock.h"
#include "harness/program_identity.h"
#include "harness/udp_frame.h"
#include "time_to_hook.skel.h"

namespace bpfmark {
namespace {

using TransitSkeleton = Skeleton<time_to_hook_bpf>;
using ProgramSlot = bpf_program* decltype(time_to_hook_bpf::progs)::*;

enum class End { kTc, kCgroup, kSkSkb, kSocket, kXdpSocket };

struct Destination {
  const char* name;
  const char* what;
  const char* first_kernel;
  const char* config;
  End end;
  ProgramSlot begin;    // in XDP
  ProgramSlot program;  // where it ends; null: user space
};

constexpr ProgramSlot kStampPass = &decltype(time_to_hook_bpf::progs)::stamp_pass;
constexpr Destination kDestinations[] = {
    {"tc", "TC (clsact)", "4.19", "CONFIG_NET_CLS_BPF", End::kTc, kStampPass,
     &decltype(time_to_hook_bpf::progs)::arrive_tc},
    {"sk_skb", "SK_SKB of a UDP socket", "5.13", "CONFIG_BPF_STREAM_PARSER", End::kSkSkb,
     kStampPass, &decltype(time_to_hook_bpf::progs)::arrive_sk_skb},
    {"cgroup_skb", "the cgroup of a UDP socket", "4.19", "CONFIG_CGROUP_BPF", End::kCgroup,
     kStampPass, &decltype(time_to_hook_bpf::progs)::arrive_cgroup},
    {"socket_user", "user space, through a UDP socket", "4.19", "CONFIG_INET", End::kSocket,
     kStampPass, nullptr},
    {"af_xdp_user", "user space, through an AF_XDP socket", "4.19", "CONFIG_XDP_SOCKETS",
     End::kXdpSocket, &decltype(time_to_hook_bpf::progs)::stamp_redirect, nullptr},
};

class TransitLoad : public TrafficLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const Destination& to);

  Result<void> prepare(Arm arm) override {
    before_ = transits(arm);
    skeleton_->bss->read_at_once = arm == Arm::kFloor ? 1 : 0;
    return {};
  }

  Result<Batch> run(Arm arm, std::uint64_t ops) override {
    const Result<Batch> sent = TrafficLoad::run(arm, ops);
    if (!sent) return sent;
    const bpfmark_transits after = transits(arm);
    const double mean_ns = static_cast<double>(after.elapsed_ns - before_.elapsed_ns) /
                           static_cast<double>(after.count - before_.count);
    const double elapsed_ns = mean_ns * static_cast<double>(ops);
    return Batch{.elapsed_ns = elapsed_ns, .user_elapsed_ns = elapsed_ns};
  }

  Result<void> finish(Findings& findings) override {
    if (to_.program != nullptr) {
      findings.histogram("transit").merge(skeleton_->bss->transit_ns);
    } else {
      findings.histogram("transit").merge(user_ns_);
    }
    return TrafficLoad::finish(findings);
  }

  std::vector<ProgramIdentity> programs() const override {
    const ProgramSlot subject = to_.program != nullptr ? to_.program : to_.begin;
    return identify_subject(bpf_program__fd(skeleton_->progs.*subject));
  }

 protected:
  bool reaches(Arm /*arm*/) const override { return true; }
  std::uint64_t received() const override {
    return transits(Arm::kSubject).count + transits(Arm::kFloor).count;
  }
  std::string far_end() const override { return to_.name; }

  // User space has to look at a packet before the next one comes.
  std::uint64_t lot() const override { return to_.program == nullptr ? 1 : ~std::uint64_t{0}; }

  Result<void> drain() override {
    if (server_ && to_.program == nullptr) return drain_socket();
    if (!xdp_socket_) return {};
    while (true) {
      const std::span<std::byte> frame = xdp_socket_->receive();
      if (frame.empty()) return {};
      const std::uint64_t now = now_ns();
      take(frame.subspan(kUdpHeaderBytes), now);
      xdp_socket_->give_back(frame);
    }
  }

  Result<void> check(Arm arm) override {
    const std::uint64_t backwards = transits(arm).backwards - before_.backwards;
    if (backwards == 0) return {};
    return wrong_result(fmt::format("{} packets came from the future", backwards));
  }

 private:
  TransitLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source,
              const Destination& to, TransitSkeleton skeleton)
      : TrafficLoad(std::move(pair), std::move(source)), to_(to), skeleton_(std::move(skeleton)) {}

  bpfmark_transits transits(Arm arm) const {
    if (arm == Arm::kSubject && to_.program == nullptr) return user_;
    const bpfmark_transits& sum =
        arm == Arm::kSubject ? skeleton_->bss->transits : skeleton_->bss->floor_transits;
    return {.count = shared_count(sum.count),
            .elapsed_ns = shared_count(sum.elapsed_ns),
            .backwards = shared_count(sum.backwards)};
  }

  void take(std::span<const std::byte> payload, std::uint64_t now) {
    std::uint64_t stamp_ns = 0;
    if (payload.size() < sizeof(stamp_ns)) return;
    std::memcpy(&stamp_ns, payload.data(), sizeof(stamp_ns));
    ++user_.count;
    if (now < stamp_ns) {
      ++user_.backwards;
      return;
    }
    user_.elapsed_ns += now - stamp_ns;
    user_ns_.record(now - stamp_ns);
  }

  Result<void> drain_socket() {
    std::byte payload[BPFMARK_TRAFFIC_PAYLOAD];
    while (true) {
      const ssize_t bytes = ::recv(server_.get(), payload, sizeof(payload), MSG_DONTWAIT);
      const std::uint64_t now = now_ns();
      if (bytes < 0 && errno == EAGAIN) return {};
      if (bytes < 0) return system_error(errno, "receive a datagram");
      take({payload, static_cast<std::size_t>(bytes)}, now);
    }
  }

  Result<void> open_end();
  Result<void> attach_end(const bpf_program* program);

  const Destination& to_;
  TransitSkeleton skeleton_;
  std::optional<Cgroup> cgroup_;
  UniqueFd server_;
  std::optional<XdpSocket> xdp_socket_;
  Attachment begin_;
  Attachment end_;
  bpfmark_transits before_{};
  bpfmark_transits user_{};
  Histogram user_ns_;
};

Result<void> TransitLoad::open_end() {
  if (to_.end == End::kCgroup) {
    Result<Cgroup> cgroup = Cgroup::create();
    if (!cgroup) return std::unexpected(cgroup.error());
    cgroup_.emplace(std::move(*cgroup));
  }
  if (to_.end == End::kXdpSocket) {
    Result<XdpSocket> socket = XdpSocket::create(pair().dut);
    if (!socket) return std::unexpected(socket.error());
    xdp_socket_.emplace(std::move(*socket));
    return xdp_socket_->enter(bpf_map__fd(skeleton_->maps.user_sockets));
  }
  if (to_.end != End::kTc) {
    Result<UniqueFd> server = traffic_server(pair());
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
  }
  return to_.program == nullptr ? Result<void>() : attach_end(skeleton_->progs.*to_.program);
}

Result<void> TransitLoad::attach_end(const bpf_program* program) {
  if (to_.end == End::kSkSkb) {
    return enter_sk_skb(program, bpf_map__fd(skeleton_->maps.sockets), server_.get());
  }
  Result<Attachment> attached =
      to_.end == End::kTc ? attach_to_device(program, DeviceHook::kTcClsact, pair().dut)
                          : attach(program, *find_attach_type("cgroup"), {.fd = cgroup_->fd()});
  if (!attached) return std::unexpected(attached.error());
  end_ = std::move(*attached);
  return {};
}

Result<std::unique_ptr<PairedLoad>> TransitLoad::create(const Destination& to) {
  auto skeleton = TransitSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  std::vector<const bpf_program*> wanted = {(*skeleton)->progs.*to.begin};
  if (to.program != nullptr) wanted.push_back((*skeleton)->progs.*to.program);
  skeleton->select(wanted);
  bpf_map__set_autocreate((*skeleton)->maps.sockets, to.end == End::kSkSkb);
  bpf_map__set_autocreate((*skeleton)->maps.user_sockets, to.end == End::kXdpSocket);
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  Result<VethPair> made = VethPair::create();
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  auto source = raw_source(*pair, uniform_traffic());
  if (!source) return std::unexpected(source.error());
  std::unique_ptr<TransitLoad> load(
      new TransitLoad(pair, std::move(*source), to, std::move(*skeleton)));
  if (Result<void> opened = load->open_end(); !opened) return std::unexpected(opened.error());
  Result<Attachment> begin =
      attach_to_device(load->skeleton_->progs.*to.begin, DeviceHook::kXdpNative, pair->dut);
  if (!begin) return std::unexpected(begin.error());
  load->begin_ = std::move(*begin);
  return load;
}

}  // namespace

void register_time_to_hook(Registry& registry, Capabilities& capabilities) {
  for (const Destination& to : kDestinations) {
    const std::string capability = fmt::format("transit_{}", to.name);
    capabilities.add({capability, fmt::format("carry a time from XDP to {}", to.what), [&to] {
                        return probe_traffic([&] { return TransitLoad::create(to); },
                                             to.first_kernel, to.config);
                      }});
    registry.add(
        {.name = fmt::format("time_to_hook/from:xdp/to:{}", to.name),
         .question = fmt::format("How long is a packet on its way from XDP to {}?", to.what),
         .floor = "the clock pair: XDP reads it twice",
         .needs = {"io_uring", "traffic_raw", capability, "jit"},
         .suite = Suite::kDefault,
         .plan = {.ops_per_batch = 64, .rounds = 40, .loads = 12},
         .load = [&to] { return TransitLoad::create(to); }});
  }
}

}  // namespace bpfmark
