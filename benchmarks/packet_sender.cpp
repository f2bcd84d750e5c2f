// SPDX-License-Identifier: BSD-2-Clause
// Measures:         what a packet costs each way to send frames through a packet socket, so that it
//                   is known what a source of traffic can offer.
// Timed region:     a batch of frames of 60 bytes in 1024 flows, over a pair of devices to XDP in
//                   the driver of the other, which counts and drops them; user-space clock.
// Floor:            the same frames into a device that throws them away.
// Does not measure: a queueing discipline, which is passed by; transmission by a network card.
#include <fmt/format.h>

#include "benchmarks/drop.h"
#include "benchmarks/families.h"
#include "benchmarks/traffic.h"

namespace bpfmark {

void register_packet_sender(Registry& registry) {
  for (const SendWay way :
       {SendWay::kUring, SendWay::kSendto, SendWay::kSendmmsg, SendWay::kTxRing}) {
    std::vector<std::string> needs = {"traffic_raw", "drop_xdp_native", "jit"};
    if (way == SendWay::kUring) needs.push_back("io_uring");
    registry.add(
        {.name = fmt::format("load_floor/sender:{}", send_way_name(way)),
         .question = fmt::format("What does a packet cost that is sent by {}, with its way "
                                 "to XDP in the driver?",
                                 send_way_name(way)),
         .floor = "the same frames into a device that throws them away",
         .needs = std::move(needs),
         .suite = way == SendWay::kUring ? Suite::kDefault : Suite::kFull,
         .plan = {.ops_per_batch = 256, .rounds = 30, .loads = 12},
         .load = [way] {
           return load_driver_drop(
               [way](const VethPair& pair) { return raw_source(pair, uniform_traffic(), way); });
         }});
  }
}

}  // namespace bpfmark
