/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_HISTOGRAM_H
#define BPFMARK_BPF_SHARED_HISTOGRAM_H

#include <linux/types.h>

/*
 * Log-linear histogram of durations in nanoseconds, filled by BPF programs and by user space.
 *
 * Range: 0 to 2^36 - 1 ns (68.7 s). Larger values are counted in `overflow`, and reach `max`, but
 * have no bucket.
 *
 * Resolution: three significant digits. Below 2048 a bucket holds one value, so it is exact. Above,
 * every power of two is cut into 1024 buckets of equal width, so a bucket is never wider than
 * 1/1024 (0.098 %) of its lowest value, and its midpoint is never further than 0.049 % from any
 * value in it. The layout is that of HdrHistogram with 2048 sub-buckets.
 *
 * One copy has one writer at a time: the additions are plain. Programs that can interrupt each
 * other on one CPU (task and softirq context) need a copy each. A copy (216 KiB) is larger than the
 * 32 KiB the kernel allows for a value of a per-CPU map, so copies per CPU are elements of a plain
 * array, indexed by bpf_get_smp_processor_id(). All zeroes is an empty histogram.
 */
#define BPFMARK_HISTOGRAM_RANGE_BITS 36
#define BPFMARK_HISTOGRAM_LIMIT (1ULL << BPFMARK_HISTOGRAM_RANGE_BITS)
#define BPFMARK_HISTOGRAM_HALF_BITS 10
#define BPFMARK_HISTOGRAM_HALF (1U << BPFMARK_HISTOGRAM_HALF_BITS)
/* The exact part takes two halves, every power of two after it one. */
#define BPFMARK_HISTOGRAM_BUCKETS \
  ((BPFMARK_HISTOGRAM_RANGE_BITS - BPFMARK_HISTOGRAM_HALF_BITS + 1) * BPFMARK_HISTOGRAM_HALF)

struct bpfmark_histogram {
  __u64 count;    /* all samples: the sum over the buckets, plus overflow */
  __u64 sum;      /* of the samples in range, so that a stray huge value cannot wrap it */
  __u64 min;      /* of all samples; meaningless while count is 0 */
  __u64 max;      /* of all samples */
  __u64 overflow; /* samples of BPFMARK_HISTOGRAM_LIMIT or more */
  __u64 buckets[BPFMARK_HISTOGRAM_BUCKETS];
};

/*
 * How far `value` (below BPFMARK_HISTOGRAM_LIMIT) must be shifted right to fit into 11 bits: a
 * binary search for the highest set bit, for which BPF has no instruction. Every comparison is the
 * sign of a difference, moved to the weight of its step. Written with conditions, each step would
 * compile to two jumps and multiply the paths that the verifier walks.
 */
static inline __u32 bpfmark_histogram_shift(__u64 value) {
  __u32 rest = (__u32)(value >> (BPFMARK_HISTOGRAM_HALF_BITS + 1));
  __u32 shift;
  __u32 step;

  shift = ((0xffffU - rest) >> 27) & 16U;
  rest >>= shift;
  step = ((0xffU - rest) >> 28) & 8U;
  rest >>= step;
  shift += step;
  step = ((0xfU - rest) >> 29) & 4U;
  rest >>= step;
  shift += step;
  step = ((0x3U - rest) >> 30) & 2U;
  rest >>= step;
  shift += step;
  /* 0, 1, 2 and 3 are left, of 0, 1, 2 and 2 bits. */
  return shift + rest - (rest & (rest >> 1));
}

/* The bucket that counts `value`, which must be below BPFMARK_HISTOGRAM_LIMIT. */
static inline __u32 bpfmark_histogram_bucket(__u64 value) {
  const __u32 shift = bpfmark_histogram_shift(value);

  return (shift << BPFMARK_HISTOGRAM_HALF_BITS) + (__u32)(value >> shift);
}

/* The width of `bucket`, as a power of two. `bucket` must be below BPFMARK_HISTOGRAM_BUCKETS. */
static inline __u32 bpfmark_histogram_width_bits(__u32 bucket) {
  return bucket < BPFMARK_HISTOGRAM_HALF ? 0 : (bucket >> BPFMARK_HISTOGRAM_HALF_BITS) - 1;
}

/* The lowest value counted in `bucket`, which must be below BPFMARK_HISTOGRAM_BUCKETS. */
static inline __u64 bpfmark_histogram_lowest(__u32 bucket) {
  const __u32 shift = bpfmark_histogram_width_bits(bucket);

  return (__u64)(bucket - (shift << BPFMARK_HISTOGRAM_HALF_BITS)) << shift;
}

/* The highest value counted in `bucket`, which must be below BPFMARK_HISTOGRAM_BUCKETS. */
static inline __u64 bpfmark_histogram_highest(__u32 bucket) {
  return bpfmark_histogram_lowest(bucket) + (1ULL << bpfmark_histogram_width_bits(bucket)) - 1;
}

static inline void bpfmark_histogram_record(struct bpfmark_histogram* histogram, __u64 value) {
  __u64 bucket;

  if (histogram->count == 0 || value < histogram->min) histogram->min = value;
  if (value > histogram->max) histogram->max = value;
  histogram->count += 1;
  if (value >= BPFMARK_HISTOGRAM_LIMIT) {
    histogram->overflow += 1;
    return;
  }
  histogram->sum += value;
  bucket = bpfmark_histogram_bucket(value);
#ifdef __bpf__
  /* The verifier needs to see the comparison below, so the compiler must not know its outcome. */
  __asm__ volatile("" : "+r"(bucket));
#endif
  if (bucket < BPFMARK_HISTOGRAM_BUCKETS) histogram->buckets[bucket] += 1;
}

#endif
