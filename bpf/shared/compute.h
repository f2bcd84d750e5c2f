/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_COMPUTE_H
#define BPFMARK_BPF_SHARED_COMPUTE_H

#include <linux/types.h>

/* The same source for BPF and for the host. Every kernel takes `n` and returns a word that depends
 * on all of its work. */

#define BPFMARK_BLOCK_BYTES 64   /* that byte_sum adds up, and ip_checksum's packet; n times */
#define BPFMARK_COMPUTE_MAX 1024 /* largest n; for sieve and memcpy also the size of the arrays */

struct bpfmark_compute_data {
  __u64 source[BPFMARK_COMPUTE_MAX / 8];
  __u64 target[BPFMARK_COMPUTE_MAX / 8];
  __u8 composite[BPFMARK_COMPUTE_MAX];
};

#define BPFMARK_KERNEL static inline __attribute__((always_inline)) __u64

/* A value that the compiler cannot know, so that a loop stays a loop. */
#define BPFMARK_HIDE(value) __asm__ volatile("" : "+r"(value))

/* The n-th Fibonacci number modulo 2^64. */
BPFMARK_KERNEL bpfmark_fib(__u32 n, struct bpfmark_compute_data* data) {
  __u64 a = 0, b = 1;
  __u32 i;

  (void)data;
  for (i = 0; i < BPFMARK_COMPUTE_MAX; i++) {
    __u64 next = a + b;
    if (i >= n) break;
    a = b;
    b = next;
    BPFMARK_HIDE(b);
  }
  return a;
}

/* The first bytes of the source added up n times, read anew each time. */
BPFMARK_KERNEL bpfmark_byte_sum(__u32 n, struct bpfmark_compute_data* data) {
  const volatile __u8* bytes = (const volatile __u8*)data->source;
  __u64 sum = 0;
  __u32 i, j;

  for (i = 0; i < BPFMARK_COMPUTE_MAX; i++) {
    if (i >= n) break;
    for (j = 0; j < BPFMARK_BLOCK_BYTES; j++) sum += bytes[j];
  }
  return sum;
}

/* The Internet checksum (RFC 1071) of the same bytes, n times; the results are added up. */
BPFMARK_KERNEL bpfmark_ip_checksum(__u32 n, struct bpfmark_compute_data* data) {
  const volatile __u16* words = (const volatile __u16*)data->source;
  __u64 total = 0;
  __u32 i, j;

  for (i = 0; i < BPFMARK_COMPUTE_MAX; i++) {
    __u32 sum = 0;
    if (i >= n) break;
    for (j = 0; j < BPFMARK_BLOCK_BYTES / 2; j++) sum += words[j];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    total += ~sum & 0xffff;
  }
  return total;
}

/* How many primes are below n, by the sieve of Eratosthenes. */
BPFMARK_KERNEL bpfmark_sieve(__u32 n, struct bpfmark_compute_data* data) {
  __u64 primes = 0;
  __u32 i, j;

  for (i = 0; i < BPFMARK_COMPUTE_MAX; i++) {
    if (i >= n) break;
    data->composite[i] = 0;
  }
  for (i = 2; i < BPFMARK_COMPUTE_MAX; i++) {
    if (i >= n) break;
    if (data->composite[i]) continue;
    primes++;
    for (j = i * i; j < BPFMARK_COMPUTE_MAX; j += i) {
      if (j >= n) break;
      data->composite[j] = 1;
    }
  }
  return primes;
}

/* n bytes by words, from the source to the target; the last word. */
BPFMARK_KERNEL bpfmark_memcpy(__u32 n, struct bpfmark_compute_data* data) {
  __u32 i;

  for (i = 0; i < BPFMARK_COMPUTE_MAX / 8; i++) {
    if (i >= n / 8) break;
    data->target[i] = data->source[i];
  }
  return ((volatile __u64*)data->target)[(n / 8 - 1) % (BPFMARK_COMPUTE_MAX / 8)];
}

#endif
