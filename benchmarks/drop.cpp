// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one packet on its way over a pair of devices to the hook that drops it: XDP in
//                   the driver or behind it, TC, SK_SKB, or the read of a UDP server.
// Timed region:     a batch of packets of 60 bytes in 1024 flows, from the first one sent to
//                   the arrival of the last, user-space clock; source and drop share a CPU.
// Floor:            the same work of the source, with the packets thrown away at once.
// Does not measure: a network card: frames cross from one device to the other as pointers. What
//                   several CPUs could do.
#include <fmt/format.h>

#include <memory>
#include <optional>

#include "benchmarks/drop.h"
#include "benchmarks/families.h"
#include "benchmarks/traffic.h"
#include "drop.skel.h"
#include "fixtures/device_hook.h"
#include "fixtures/skeleton.h"
#include "harness/program_identity.h"

namespace bpfmark {
namespace {

using DropSkeleton = Skeleton<drop_bpf>;
using ProgramSlot = bpf_program* decltype(drop_bpf::progs)::*;

struct DropHook {
  const char* name;
  const char* what;
  const char* first_kernel;
  const char* config;
  ProgramSlot program;               // null: user space reads the packets
  std::optional<DeviceHook> device;  // empty: a socket
};

constexpr DropHook kHooks[] = {
    {"xdp_native", "XDP in the driver", "4.19", "CONFIG_VETH", &decltype(drop_bpf::progs)::drop_xdp,
     DeviceHook::kXdpNative},
    {"xdp_generic", "XDP behind the driver", "4.12", "CONFIG_VETH",
     &decltype(drop_bpf::progs)::drop_xdp, DeviceHook::kXdpGeneric},
    {"tc", "TC (clsact)", "4.5", "CONFIG_NET_CLS_BPF, CONFIG_NET_SCH_INGRESS",
     &decltype(drop_bpf::progs)::drop_tc, DeviceHook::kTcClsact},
    {"sk_skb", "SK_SKB", "5.13", "CONFIG_BPF_STREAM_PARSER",
     &decltype(drop_bpf::progs)::drop_sk_skb, std::nullopt},
    {"socket", "a UDP server", "", "CONFIG_INET", nullptr, std::nullopt},
};

class DropLoad : public TrafficLoad {
 public:
  // `polls`: whether packets must reach the device by polling.
  static Result<std::unique_ptr<PairedLoad>> create(const DropHook& hook, bool polls,
                                                    const SourceMaker& make_source);

  std::vector<ProgramIdentity> programs() const override {
    if (hook_.program == nullptr) return {};
    return identify_subject(bpf_program__fd(skeleton_->progs.*hook_.program));
  }

 protected:
  std::uint64_t received() const override {
    return hook_.program == nullptr ? read_ : shared_count(skeleton_->bss->received);
  }
  std::string far_end() const override { return hook_.name; }

  // What fits into the buffer of a socket.
  std::uint64_t lot() const override { return hook_.device ? ~std::uint64_t{0} : 256; }

  Result<void> drain() override { return hook_.program == nullptr ? read() : Result<void>(); }

  // A socket whose packets SK_SKB drops must stay empty. To be asked only when all have come:
  // before, a packet lies in the queue until the program sees it, and would be read in its stead.
  Result<void> check(Arm /*arm*/) override {
    if (hook_.program == nullptr || hook_.device) return {};
    if (Result<void> done = read(); !done) return done;
    if (read_ == 0) return {};
    return wrong_result(fmt::format("{} packets got past {} to the server", read_, hook_.name));
  }

 private:
  Result<void> read() {
    const Result<Datagrams> datagrams = read_datagrams(server_.get());
    if (!datagrams) return std::unexpected(datagrams.error());
    read_ += datagrams->count;
    return {};
  }

  DropLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source,
           const DropHook& hook, DropSkeleton skeleton)
      : TrafficLoad(std::move(pair), std::move(source)),
        hook_(hook),
        skeleton_(std::move(skeleton)) {}

  Result<void> attach_hook() {
    if (hook_.device) {
      Result<Attachment> attached =
          attach_to_device(skeleton_->progs.*hook_.program, *hook_.device, pair().dut);
      if (!attached) return std::unexpected(attached.error());
      attachment_ = std::move(*attached);
      return {};
    }
    Result<UniqueFd> server = traffic_server(pair());
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
    if (hook_.program == nullptr) return {};
    return enter_sk_skb(skeleton_->progs.*hook_.program, bpf_map__fd(skeleton_->maps.sockets),
                        server_.get());
  }

  const DropHook& hook_;
  DropSkeleton skeleton_;
  UniqueFd server_;
  Attachment attachment_;
  std::uint64_t read_ = 0;
};

Result<std::unique_ptr<PairedLoad>> DropLoad::create(const DropHook& hook, bool polls,
                                                     const SourceMaker& make_source) {
  auto skeleton = DropSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  std::vector<const bpf_program*> wanted;
  if (hook.program != nullptr) wanted.push_back((*skeleton)->progs.*hook.program);
  skeleton->select(wanted);
  bpf_map__set_autocreate((*skeleton)->maps.sockets, hook.program != nullptr && !hook.device);
  if (Result<void> loaded = skeleton->load(); !loaded) return std::unexpected(loaded.error());
  // XDP in the driver polls anyway, generic receive offload makes it poll without.
  VethOptions options;
  options.offloads.generic_receive = polls && hook.device != DeviceHook::kXdpNative;
  Result<VethPair> made = VethPair::create(options);
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  auto source = make_source(*pair);
  if (!source) return std::unexpected(source.error());
  std::unique_ptr<DropLoad> load(
      new DropLoad(pair, std::move(*source), hook, std::move(*skeleton)));
  if (Result<void> attached = load->attach_hook(); !attached) {
    return std::unexpected(attached.error());
  }
  return load;
}

Result<std::unique_ptr<PairedLoad>> load_drop(const DropHook& hook, SourceKind source) {
  return DropLoad::create(hook, source == SourceKind::kLive, [source](const VethPair& pair) {
    return make_source(source, pair, uniform_traffic());
  });
}

}  // namespace

Result<std::unique_ptr<PairedLoad>> load_driver_drop(const SourceMaker& make_source) {
  return DropLoad::create(kHooks[0], true, make_source);
}

void register_drop(Registry& registry, Capabilities& capabilities) {
  add_traffic_capabilities(capabilities);
  for (const DropHook& hook : kHooks) {
    capabilities.add({fmt::format("drop_{}", hook.name),
                      fmt::format("drop packets by {} of a veth device", hook.what), [&hook] {
                        return probe_traffic([&] { return load_drop(hook, SourceKind::kRaw); },
                                             hook.first_kernel, hook.config);
                      }});
  }
  for (const SourceKind source : {SourceKind::kRaw, SourceKind::kLive}) {
    const bool raw = source == SourceKind::kRaw;
    for (const DropHook& hook : kHooks) {
      std::vector<std::string> needs = {fmt::format("traffic_{}", source_name(source)),
                                        fmt::format("drop_{}", hook.name), "jit"};
      if (raw) needs.push_back("io_uring");
      const bool shown =
          raw ? hook.device != DeviceHook::kXdpGeneric : hook.device == DeviceHook::kXdpNative;
      registry.add(
          {.name = fmt::format("drop/hook:{}/from:{}", hook.name, source_name(source)),
           .question = fmt::format("What does a packet cost from the {} to its drop by {}?",
                                   raw ? "packet socket" : "frames of a test-run", hook.what),
           .floor = raw ? "the same frames into a device that throws them away"
                        : "the same frames dropped by the program that makes them",
           .needs = std::move(needs),
           .suite = shown ? Suite::kDefault : Suite::kFull,
           .plan = {.ops_per_batch = raw ? 256u : 2048u, .rounds = raw ? 30 : 20, .loads = 12},
           .load = [&hook, source] { return load_drop(hook, source); }});
    }
  }
}

}  // namespace bpfmark
