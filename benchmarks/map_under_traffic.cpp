// SPDX-License-Identifier: BSD-2-Clause
// Measures:         one access to a map for every packet, while packets come: an XDP program finds
//                   the packet's flow in a table of all flows, counts there, and drops the packet.
// Timed region:     a batch of live frames over a pair of devices, user-space clock; source and
//                   program share a CPU.
// Floor:            the same packets, of which the program finds the key and leaves the map alone;
//                   for type:none, which does nothing else, the source with the packets thrown
//                   away.
// Does not measure: several CPUs on one map; insertion of new flows. map_lookup has a lookup
//                   without packets around it.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>
#include <memory>

#include "benchmarks/families.h"
#include "benchmarks/map_load.h"
#include "benchmarks/miss_counter.h"
#include "benchmarks/traffic.h"
#include "bpf/shared/map_under_traffic.h"
#include "bpf/shared/traffic.h"
#include "fixtures/device_hook.h"
#include "fixtures/map.h"
#include "fixtures/skeleton.h"
#include "harness/key_stream.h"
#include "harness/program_identity.h"
#include "map_under_traffic.skel.h"

namespace bpfmark {
namespace {

using FlowSkeleton = Skeleton<map_under_traffic_bpf>;
using ProgramSlot = bpf_program* decltype(map_under_traffic_bpf::progs)::*;
using MapSlot = bpf_map* decltype(map_under_traffic_bpf::maps)::*;

struct Table {
  const char* name;
  bpf_map_type type;
  ProgramSlot program;
  MapSlot map;
};

constexpr Table kTables[] = {
    {"array", BPF_MAP_TYPE_ARRAY, &decltype(map_under_traffic_bpf::progs)::number_lookup,
     &decltype(map_under_traffic_bpf::maps)::by_number},
    {"hash", BPF_MAP_TYPE_HASH, &decltype(map_under_traffic_bpf::progs)::key_lookup,
     &decltype(map_under_traffic_bpf::maps)::by_key},
    {"lru_hash", BPF_MAP_TYPE_LRU_HASH, &decltype(map_under_traffic_bpf::progs)::key_lookup,
     &decltype(map_under_traffic_bpf::maps)::by_key},
};
// The program of a hash, which never looks into it.
constexpr Table kNone{"none", BPF_MAP_TYPE_HASH, kTables[1].program, kTables[1].map};

struct Flows {
  const char* name;
  double exponent;  // of Zipf's law; 0: all flows are equally likely
};

constexpr Flows kUniform{"uniform", 0};
constexpr Flows kZipf[] = {{"zipf_0_5", 0.5}, {"zipf_1", 1}, {"zipf_1_5", 1.5}, {"zipf_2", 2}};

struct FlowCase {
  const Table* table;
  std::uint32_t entries;
  const Flows* flows;
};

constexpr std::uint32_t kEntries[] = {1u << 7, 1u << 12, 1u << 14, 1u << 16, 1u << 17, 1u << 20};
constexpr std::uint32_t kZipfEntries = 1u << 17;

// A hash is 90 % full. An LRU table hands out free entries in lots and evicts before it is full:
// room for twice as many keeps all.
std::uint32_t capacity(const FlowCase& c) {
  if (c.table->type == BPF_MAP_TYPE_LRU_HASH) return 2 * c.entries;
  return c.table->type == BPF_MAP_TYPE_HASH ? c.entries + c.entries / 9 : c.entries;
}

TrafficShape shape_of(const FlowCase& c) {
  return {.flow_count = c.entries,
          .order = c.flows == &kUniform
                       ? draw_keys(KeyPattern::kUniform, c.entries, BPFMARK_MAX_FLOW_STREAM)
                       : draw_zipf_keys(c.entries, BPFMARK_MAX_FLOW_STREAM, c.flows->exponent)};
}

Result<void> fill_table(const FlowCase& c, const VethPair& pair, int map_fd) {
  const bool array = c.table->type == BPF_MAP_TYPE_ARRAY;
  const EntryBytes bytes = {.key = array ? sizeof(__u32) : sizeof(bpfmark_flow_key),
                            .value = sizeof(bpfmark_flow_value)};
  return fill_map(map_fd, c.entries, bytes, [&](std::uint32_t flow, std::byte* key, std::byte* to) {
    const bpfmark_flow_value value = {.word = word_of(flow), .packets = 0};
    std::memcpy(to, &value, sizeof(value));
    if (array) {
      std::memcpy(key, &flow, sizeof(flow));
      return;
    }
    const bpfmark_flow_key flow_key = {.source = htonl(BPFMARK_FIRST_FLOW + flow),
                                       .destination = pair.dut.ipv4.s_addr,
                                       .source_port = htons(kTrafficSourcePort),
                                       .destination_port = htons(BPFMARK_TRAFFIC_PORT),
                                       .protocol = IPPROTO_UDP};
    std::memcpy(key, &flow_key, sizeof(flow_key));
  });
}

// What every packet of the order adds to the sum.
WindowSums sums_of(const std::vector<std::uint32_t>& order, bool words) {
  std::vector<std::uint64_t> found;
  for (const std::uint32_t flow : order) found.push_back(words ? word_of(flow) : flow);
  return WindowSums(found);
}

class FlowLoad : public TrafficLoad {
 public:
  static Result<std::unique_ptr<PairedLoad>> create(const FlowCase& c);

  void start() override {
    TrafficLoad::start();
    misses_.start();
  }

  Result<void> prepare(Arm arm) override {
    before_ = counts();
    first_ = source().sent();
    skeleton_->bss->bare = looks_up(arm) ? 0 : 1;
    misses_.before_batch();
    return {};
  }

  Result<void> finish(Findings& findings) override {
    const double earlier = findings.counters["offered"];
    misses_.report(findings, earlier);
    return TrafficLoad::finish(findings);
  }

  std::vector<ProgramIdentity> programs() const override {
    return identify_subject(bpf_program__fd(skeleton_->progs.*table_.program));
  }

 protected:
  bool reaches(Arm arm) const override { return arm == Arm::kSubject || &table_ != &kNone; }
  std::uint64_t received() const override { return shared_count(skeleton_->bss->counts.received); }
  std::string far_end() const override { return "the XDP program"; }

  // Every packet found its entry. Which one each found is proven where all arrived.
  Result<void> check(Arm arm) override {
    misses_.after_batch(arm, source().sent() - first_);
    const bpfmark_flow_counts after = counts();
    const std::uint64_t packets = after.received - before_.received;
    const std::uint64_t hits = after.hits - before_.hits;
    if (hits != packets) {
      return wrong_result(fmt::format("{} of {} packets found their flow", hits, packets));
    }
    const std::uint64_t sent = source().sent() - first_;
    if (packets != sent) return {};
    const std::uint64_t sum = after.sum - before_.sum;
    const std::uint64_t wanted = (looks_up(arm) ? words_ : numbers_).sum(first_, sent);
    if (sum == wanted) return {};
    return wrong_result(fmt::format("the values found add up to {} instead of {}", sum, wanted));
  }

 private:
  FlowLoad(std::shared_ptr<const VethPair> pair, std::unique_ptr<TrafficSource> source,
           const FlowCase& c, const std::vector<std::uint32_t>& order, FlowSkeleton skeleton)
      : TrafficLoad(std::move(pair), std::move(source)),
        table_(*c.table),
        words_(sums_of(order, true)),
        numbers_(sums_of(order, false)),
        skeleton_(std::move(skeleton)) {}

  bool looks_up(Arm arm) const { return arm == Arm::kSubject && &table_ != &kNone; }

  bpfmark_flow_counts counts() const {
    return {.received = shared_count(skeleton_->bss->counts.received),
            .hits = shared_count(skeleton_->bss->counts.hits),
            .sum = shared_count(skeleton_->bss->counts.sum)};
  }

  const Table& table_;
  WindowSums words_;
  WindowSums numbers_;
  FlowSkeleton skeleton_;
  Attachment attachment_;
  MissCounter misses_ = MissCounter::of_this_cpu();
  bpfmark_flow_counts before_{};
  std::uint64_t first_ = 0;
};

Result<std::unique_ptr<PairedLoad>> FlowLoad::create(const FlowCase& c) {
  const TableSize size = {.type = c.table->type,
                          .entries = capacity(c),
                          .key_bytes = 0,
                          .value_bytes = sizeof(bpfmark_flow_value)};
  if (Result<void> fits = check_memory(size); !fits) return std::unexpected(fits.error());
  auto skeleton = FlowSkeleton::open();
  if (!skeleton) return std::unexpected(skeleton.error());
  skeleton->select({(*skeleton)->progs.*c.table->program});
  for (bpf_map* const map : {(*skeleton)->maps.by_number, (*skeleton)->maps.by_key}) {
    const bool used = map == (*skeleton)->maps.*c.table->map;
    bpf_map__set_autocreate(map, used);
    if (!used) continue;
    bpf_map__set_type(map, c.table->type);
    bpf_map__set_max_entries(map, capacity(c));
  }
  if (Result<void> loaded = skeleton->load(); !loaded) {
    return std::unexpected(map_load_error(loaded.error(), size));
  }
  Result<VethPair> made = VethPair::create();
  if (!made) return std::unexpected(made.error());
  const auto pair = std::make_shared<const VethPair>(std::move(*made));
  const int map_fd = bpf_map__fd((*skeleton)->maps.*c.table->map);
  if (Result<void> filled = fill_table(c, *pair, map_fd); !filled) {
    return std::unexpected(map_load_error(filled.error(), size));
  }
  const TrafficShape shape = shape_of(c);
  auto source = live_source(*pair, shape);
  if (!source) return std::unexpected(source.error());
  std::unique_ptr<FlowLoad> load(
      new FlowLoad(pair, std::move(*source), c, shape.order, std::move(*skeleton)));
  Result<Attachment> attached =
      attach_to_device(load->skeleton_->progs.*c.table->program, DeviceHook::kXdpNative, pair->dut);
  if (!attached) return std::unexpected(attached.error());
  load->attachment_ = std::move(*attached);
  return load;
}

void register_flows(Registry& registry, const FlowCase& c, Suite suite) {
  const bool none = c.table == &kNone;
  std::vector<std::string> needs = {"traffic_live", "drop_xdp_native", "jit"};
  if (!none) needs.push_back(fmt::format("map_{}", c.table->name));
  registry.add(
      {.name = fmt::format("map_under_traffic/type:{}/entries:{}/flows:{}", c.table->name,
                           c.entries, c.flows->name),
       .question = none ? "What does a packet cost whose flow is found out and not looked up?"
                        : fmt::format("What does a lookup in a {} of {} flows cost for every "
                                      "packet ({})?",
                                      c.table->name, c.entries, c.flows->name),
       .floor = none ? "the same frames dropped by the program that makes them"
                     : "the same packets without the lookup",
       .needs = std::move(needs),
       .suite = suite,
       .plan = {.ops_per_batch = 2048, .rounds = 20, .loads = c.entries < (1u << 20) ? 12 : 6},
       .load = [c] { return FlowLoad::create(c); }});
}

}  // namespace

void register_map_under_traffic(Registry& registry, Capabilities& capabilities) {
  add_miss_capability(capabilities);
  register_flows(registry, {&kNone, kEntries[0], &kUniform}, Suite::kDefault);
  for (const Table& table : kTables) {
    const bool plain = table.type == BPF_MAP_TYPE_ARRAY || table.type == BPF_MAP_TYPE_HASH;
    for (const std::uint32_t entries : kEntries) {
      register_flows(registry, {&table, entries, &kUniform},
                     plain && entries == kZipfEntries ? Suite::kDefault : Suite::kFull);
    }
    for (const Flows& flows : kZipf) {
      const bool shown = table.type == BPF_MAP_TYPE_HASH && flows.exponent == 1;
      register_flows(registry, {&table, kZipfEntries, &flows},
                     shown ? Suite::kDefault : Suite::kFull);
    }
  }
}

}  // namespace bpfmark
