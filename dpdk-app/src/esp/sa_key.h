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

#include "sealane/tables.h"

#define SL_SALT_LEN 4u

/* Immutable once made. */
struct sl_sa_key {
	_Alignas(64) struct gcm_key_data gcm; /* AES round keys and GHASH key powers */
	aes_gcm_enc_dec_t seal;               /* one-shot GCM, encrypting */
	aes_gcm_enc_dec_t open;               /* one-shot GCM, decrypting */
	uint8_t salt[SL_SALT_LEN];
	bool authenticate_only; /* AES-GMAC (RFC 4543) rather than AES-GCM (RFC 4106) */
};

/*
 * Expand the key of `row` with `manager` (made by init_mb_mgr_auto). The row is only read.
 * Returns NULL when the row's algorithm is none of enum sl_algorithm or memory is exhausted; the
 * caller tells the two apart by sl_sa_algorithm_known().
 */
struct sl_sa_key *sl_sa_key_new(struct IMB_MGR *manager, const struct sl_sa_row *row);

/*
 * The same into memory of the caller's, 64-byte aligned: false, and nothing written, when the row's
 * algorithm is none of enum sl_algorithm. The caller wipes it.
 */
bool sl_sa_key_expand(struct sl_sa_key *key, struct IMB_MGR *manager, const struct sl_sa_row *row);

/* Wipe the key and give its memory back. NULL is allowed. No packet thread may still read it. */
void sl_sa_key_free(struct sl_sa_key *key);

/* True when `algorithm` is one of enum sl_algorithm. */
bool sl_sa_algorithm_known(uint8_t algorithm);

/* Length of the AES key of `algorithm` in bytes, 0 when it is not one of enum sl_algorithm. */
unsigned int sl_sa_key_bytes(uint8_t algorithm);

#endif
