/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expanded key of one SA direction: what the packet path needs to seal or open ESP packets.
 *
 * Private to the worker's address space (it holds function pointers of intel-ipsec-mb, which were
 * chosen for this CPU at run time). Made and freed by the control thread, read by packet threads.
 */
#ifndef SEALANE_ESP_SA_KEY_H
#define SEALANE_ESP_SA_KEY_H

#include <intel-ipsec-mb.h>
#include <stdbool.h>
#include <stdint.h>

#include "sealane/suites.h"

#define SL_SALT_LEN 4u
#define SL_AES_KEYS_BYTES (15u * 16u) /* round keys of AES-256 */

/* AES-CBC or NULL with HMAC. */
struct sl_hmac_key {
	_Alignas(16) uint8_t encrypt[SL_AES_KEYS_BYTES];
	_Alignas(16) uint8_t decrypt[SL_AES_KEYS_BYTES];
	_Alignas(16) uint8_t iv[SL_AES_KEYS_BYTES]; /* random: makes counters into IVs */
	_Alignas(16) uint8_t inner[IMB_SHA512_DIGEST_SIZE_IN_BYTES]; /* state behind key ^ ipad */
	_Alignas(16) uint8_t outer[IMB_SHA512_DIGEST_SIZE_IN_BYTES];
	IMB_HASH_ALG hash;
	IMB_CIPHER_MODE cipher;
	uint8_t cipher_key; /* bytes */
};

/* Immutable once made. */
struct sl_sa_key {
	union {
		/* AES round keys and GHASH key powers */
		_Alignas(64) struct gcm_key_data gcm;
		uint8_t chacha[32];
		struct sl_hmac_key hmac;
	};
	aes_gcm_enc_dec_t seal; /* one-shot GCM, encrypting; NULL in other suites */
	aes_gcm_enc_dec_t open; /* one-shot GCM, decrypting */
	uint8_t salt[SL_SALT_LEN];
	bool authenticate_only; /* AES-GMAC (RFC 4543) rather than AES-GCM (RFC 4106) */
	/* other than AES-GCM or AES-GMAC with 32-bit sequence numbers: those are esp.h's, the rest suite.h's */
	bool special;
	bool esn;
	uint8_t kind;      /* enum sl_suite_kind */
	uint8_t front_len; /* ESP header and IV */
	uint8_t icv_len;
	uint8_t align;       /* of payload and trailer; a power of two */
	uint32_t flow_label; /* 20 bits, of IPv6 in front of the SA's packets; 0: of IPv4 */
	uint8_t owner; /* index of the packet thread that alone seals or opens with it: its maker's to set */
};

/*
 * Expand the key of `row` with `manager` (made by init_mb_mgr_auto). The row is only read.
 * Returns NULL when the row's algorithm is none of enum sl_algorithm or memory is exhausted; the
 * caller tells the two apart by sl_suite_of().
 */
struct sl_sa_key *sl_sa_key_new(struct IMB_MGR *manager, const struct sl_sa_row *row);

/*
 * The same into memory of the caller's, 64-byte aligned: false when the row's algorithm is none of enum
 * sl_algorithm (nothing is written then) or the kernel has no random bytes. The caller wipes it.
 */
bool sl_sa_key_expand(struct sl_sa_key *key, struct IMB_MGR *manager, const struct sl_sa_row *row);

/* Wipe the key and give its memory back. NULL is allowed. No packet thread may still read it. */
void sl_sa_key_free(struct sl_sa_key *key);

#endif
