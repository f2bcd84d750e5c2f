// SPDX-License-Identifier: BSD-2-Clause
// The kernel's ciphers: k_<name>, and f_<name>, its floor twin. What they work with is made by a
// program that may sleep, and kept in a map.
#include "bpf/shared/crypto.h"
#include "bpf/lib/batch.bpf.h"

struct bpf_crypto_ctx {
  __u32 siv_len;
} __attribute__((preserve_access_index));

extern struct bpf_crypto_ctx* bpf_crypto_ctx_create(const struct bpfmark_crypto_params* params,
                                                    __u32 params__sz, int* err) __ksym __weak;
extern void bpf_crypto_ctx_release(struct bpf_crypto_ctx* cipher) __ksym __weak;
extern int bpf_crypto_encrypt(struct bpf_crypto_ctx* cipher, const struct bpf_dynptr* from,
                              const struct bpf_dynptr* to,
                              const struct bpf_dynptr* iv) __ksym __weak;
extern int bpf_crypto_decrypt(struct bpf_crypto_ctx* cipher, const struct bpf_dynptr* from,
                              const struct bpf_dynptr* to,
                              const struct bpf_dynptr* iv) __ksym __weak;

struct slot {
  struct bpf_crypto_ctx __kptr* cipher;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct slot);
} slots SEC(".maps");

/* Set by user space. */
struct bpfmark_crypto_params params;
__u64 plain[BPFMARK_CRYPTO_BYTES / 8];
__u64 secret[BPFMARK_CRYPTO_BYTES / 8];

__u64 output[BPFMARK_CRYPTO_BYTES / 8];
/* The kernel's answer to `params`. */
int crypto_error;

#define SLOT                                               \
  const __u32 first = 0;                                   \
  struct slot* slot = bpf_map_lookup_elem(&slots, &first); \
  if (!slot) return 1

SEC("?syscall")
int make_cipher(void* ctx) {
  int error = 0;
  SLOT;
  struct bpf_crypto_ctx* cipher = bpf_crypto_ctx_create(&params, sizeof(params), &error);
  crypto_error = error;
  if (!cipher) return 1;
  cipher = bpf_kptr_xchg(&slot->cipher, cipher);
  if (cipher) bpf_crypto_ctx_release(cipher);
  return 0;
}

#define CIPHER(input)                                         \
  SLOT;                                                       \
  struct bpf_crypto_ctx* cipher = slot->cipher;               \
  if (!cipher) return 1;                                      \
  struct bpf_dynptr from;                                     \
  struct bpf_dynptr to;                                       \
  bpf_dynptr_from_mem(input, BPFMARK_CRYPTO_BYTES, 0, &from); \
  bpf_dynptr_from_mem(output, BPFMARK_CRYPTO_BYTES, 0, &to)

#define CRYPTO(name, input, operation)                                                \
  TIMED_PROGRAM("?tc", struct __sk_buff, k_##name, CIPHER(input),                     \
                value = operation(cipher, &from, &to, 0) ? 0 : output[0], value != 0) \
  TIMED_PROGRAM("?tc", struct __sk_buff, f_##name, CIPHER(input), BPFMARK_NOTHING, value == 1)

CRYPTO(encrypt, plain, bpf_crypto_encrypt)
CRYPTO(decrypt, secret, bpf_crypto_decrypt)
