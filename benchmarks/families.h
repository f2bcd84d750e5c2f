// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "harness/capability.h"
#include "harness/registry.h"

namespace bpfmark {

// One function a file of this directory: registers its cases, and the capabilities that only it can
// probe. In the order in which the families run.
void register_clock(Registry& registry, Capabilities& capabilities);
void register_histogram(Registry& registry);
void register_hook_entry(Registry& registry);
void register_hook_dispatch(Registry& registry, Capabilities& capabilities);
void register_syscall_overhead(Registry& registry);
void register_process_lifecycle(Registry& registry, Capabilities& capabilities);
void register_page_fault(Registry& registry, Capabilities& capabilities);
void register_event_latency(Registry& registry, Capabilities& capabilities);
void register_channel(Registry& registry, Capabilities& capabilities);
void register_map_lookup(Registry& registry);
void register_map_lookup_table3(Registry& registry);
void register_syscall_latency(Registry& registry, Capabilities& capabilities);
void register_map_op(Registry& registry);
void register_map_object(Registry& registry, Capabilities& capabilities);
void register_map_arena(Registry& registry);
void register_map_contention(Registry& registry);
void register_map_user(Registry& registry);
void register_map_user_batch(Registry& registry);
void register_map_user_mapped(Registry& registry);
void register_copy(Registry& registry, Capabilities& capabilities);
void register_helper(Registry& registry, Capabilities& capabilities);
void register_chain(Registry& registry, Capabilities& capabilities);
void register_exit(Registry& registry, Capabilities& capabilities);
void register_compute(Registry& registry, Capabilities& capabilities);
void register_bound_check(Registry& registry);
void register_scratch(Registry& registry);
void register_loop(Registry& registry);
void register_composite(Registry& registry);
void register_load_floor(Registry& registry);
void register_echo_rtt(Registry& registry, Capabilities& capabilities);
void register_echo_open_loop(Registry& registry);
void register_drop(Registry& registry, Capabilities& capabilities);
void register_packet_sender(Registry& registry);
void register_map_under_traffic(Registry& registry, Capabilities& capabilities);
void register_time_to_hook(Registry& registry, Capabilities& capabilities);
void register_tcp_connect(Registry& registry, Capabilities& capabilities);
void register_packet_size(Registry& registry);
void register_passthrough(Registry& registry, Capabilities& capabilities);
void register_batching(Registry& registry, Capabilities& capabilities);
void register_interference(Registry& registry);
void register_lifecycle_program(Registry& registry, Capabilities& capabilities);
void register_lifecycle_attach(Registry& registry, Capabilities& capabilities);
void register_lifecycle_map(Registry& registry);
void register_lifecycle_object(Registry& registry);

inline void register_all(Registry& registry, Capabilities& capabilities) {
  add_kernel_capabilities(capabilities);
  register_clock(registry, capabilities);
  register_histogram(registry);
  register_hook_entry(registry);
  register_hook_dispatch(registry, capabilities);
  register_syscall_overhead(registry);
  register_process_lifecycle(registry, capabilities);
  register_page_fault(registry, capabilities);
  register_event_latency(registry, capabilities);
  register_channel(registry, capabilities);
  register_map_lookup(registry);
  register_map_lookup_table3(registry);
  register_syscall_latency(registry, capabilities);
  register_map_op(registry);
  register_map_object(registry, capabilities);
  register_map_arena(registry);
  register_map_contention(registry);
  register_map_user(registry);
  register_map_user_batch(registry);
  register_map_user_mapped(registry);
  register_copy(registry, capabilities);
  register_helper(registry, capabilities);
  register_chain(registry, capabilities);
  register_exit(registry, capabilities);
  register_compute(registry, capabilities);
  register_bound_check(registry);
  register_scratch(registry);
  register_loop(registry);
  register_composite(registry);
  register_load_floor(registry);
  register_echo_rtt(registry, capabilities);
  register_echo_open_loop(registry);
  register_drop(registry, capabilities);
  register_packet_sender(registry);
  register_map_under_traffic(registry, capabilities);
  register_time_to_hook(registry, capabilities);
  register_tcp_connect(registry, capabilities);
  register_packet_size(registry);
  register_passthrough(registry, capabilities);
  register_batching(registry, capabilities);
  register_interference(registry);
  register_lifecycle_program(registry, capabilities);
  register_lifecycle_attach(registry, capabilities);
  register_lifecycle_map(registry);
  register_lifecycle_object(registry);
}

}  // namespace bpfmark
