/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps of sockets, by number. */
#ifndef BPFMARK_BPF_LIB_SOCKET_MAP_BPF_H
#define BPFMARK_BPF_LIB_SOCKET_MAP_BPF_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define SOCKET_MAP(name, map_type, value_type, entries) \
  struct {                                              \
    __uint(type, map_type);                             \
    __uint(max_entries, entries);                       \
    __type(key, __u32);                                 \
    __type(value, value_type);                          \
  } name SEC(".maps")

/* Sockets that SK_SKB programs are attached to. */
#define SK_SKB_SOCKETS(name, entries) SOCKET_MAP(name, BPF_MAP_TYPE_SOCKMAP, __u64, entries)

/* The AF_XDP socket that frames are redirected to. */
#define AF_XDP_SOCKET(name) SOCKET_MAP(name, BPF_MAP_TYPE_XSKMAP, __u32, 1)

#endif
