/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_CHANNEL_H
#define BPFMARK_BPF_SHARED_CHANNEL_H

#include <linux/types.h>

/* Slots of a ring of our own; every other channel has room for at least as many records. */
#define BPFMARK_CHANNEL_SLOTS 1024
#define BPFMARK_CHANNEL_PRODUCERS 2
/* A record is made of words of 8 bytes: its number, the time it was sent or 0, and then those of
 * `source`. The time is taken for one record in so many. */
#define BPFMARK_CHANNEL_MAX_WORDS 187
#define BPFMARK_CHANNEL_TIMED_EVERY 16
/* Bytes before the record in a frame: an Ethernet header, and what aligns the record. */
#define BPFMARK_CHANNEL_FRAME_HEADER 16

/* One that sends. The number of a record is sequence * BPFMARK_CHANNEL_PRODUCERS + producer. */
struct bpfmark_channel_producer {
  __u64 ops;        /* that the next run is to try */
  __u64 sequence;   /* of the last record, from 1: so many were tried */
  __u64 lost;       /* of them, how many found no room: of frames user space knows it */
  __u64 elapsed_ns; /* of all runs: of frames by the clock of user space */
  __u64 own_cache_line[4];
};

/* Places in a ring of our own, which only grow. A slot begins with the number that says whose turn
 * it is: place + 1 once the record of that place is there. */
struct bpfmark_channel_ends {
  __u64 head; /* the next place to write */
  __u64 heads_cache_line[7];
  __u64 tail; /* the next place to read */
  __u64 tails_cache_line[7];
};

#endif
