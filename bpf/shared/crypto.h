/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFMARK_BPF_SHARED_CRYPTO_H
#define BPFMARK_BPF_SHARED_CRYPTO_H

#include <linux/types.h>

/* What one operation encrypts or decrypts: the same block again and again. */
#define BPFMARK_CRYPTO_BYTES 64
#define BPFMARK_CIPHER_BLOCK_BYTES 16

/* As bpf_crypto_ctx_create() takes it: struct bpf_crypto_params of the kernel. */
struct bpfmark_crypto_params {
  char type[14];
  __u8 reserved[2];
  char algo[128];
  __u8 key[256];
  __u32 key_len;
  __u32 authsize;
};

#endif
