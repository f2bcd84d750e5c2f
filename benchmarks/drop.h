// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include <functional>
#include <memory>

#include "benchmarks/traffic.h"

namespace bpfmark {

using SourceMaker = std::function<Result<std::unique_ptr<TrafficSource>>(const VethPair& pair)>;

// Packets of that source, counted and dropped by XDP in the driver of the device under test: the
// shortest way that packets can go. The capability is "drop_xdp_native".
Result<std::unique_ptr<PairedLoad>> load_driver_drop(const SourceMaker& make_source);

}  // namespace bpfmark
