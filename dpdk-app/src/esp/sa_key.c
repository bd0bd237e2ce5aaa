/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/sa_key.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "esp/esp.h"

static void expand_gcm(struct sl_sa_key *key, struct IMB_MGR *manager, const struct sl_sa_row *row,
                       unsigned int bytes)
{
	if (bytes == 16) {
		IMB_AES128_GCM_PRE(manager, row->key, &key->gcm);
		key->seal = manager->gcm128_enc;
		key->open = manager->gcm128_dec;
	} else {
		IMB_AES256_GCM_PRE(manager, row->key, &key->gcm);
		key->seal = manager->gcm256_enc;
		key->open = manager->gcm256_dec;
	}
}

/* States of the hash behind key ^ ipad and key ^ opad (RFC 2104 4). */
static void expand_hmac(struct sl_hmac_key *key, struct IMB_MGR *manager, const uint8_t *secret,
                        unsigned int bytes)
{
	size_t block = bytes == 32 ? IMB_SHA_256_BLOCK_SIZE : IMB_SHA_512_BLOCK_SIZE;
	uint8_t *const states[] = {key->inner, key->outer};
	const uint8_t pads[] = {0x36, 0x5c};
	uint8_t pad[IMB_SHA_512_BLOCK_SIZE];

	for (unsigned int i = 0; i < 2; i++) {
		memset(pad, pads[i], block);
		for (unsigned int j = 0; j < bytes; j++)
			pad[j] ^= secret[j];
		if (bytes == 32)
			IMB_SHA256_ONE_BLOCK(manager, pad, states[i]);
		else if (bytes == 48)
			IMB_SHA384_ONE_BLOCK(manager, pad, states[i]);
		else
			IMB_SHA512_ONE_BLOCK(manager, pad, states[i]);
	}
	explicit_bzero(pad, sizeof(pad));
	key->hash = bytes == 32   ? IMB_AUTH_HMAC_SHA_256
	            : bytes == 48 ? IMB_AUTH_HMAC_SHA_384
	                          : IMB_AUTH_HMAC_SHA_512;
}

static bool expand_cbc(struct sl_hmac_key *key, struct IMB_MGR *manager, const uint8_t *secret,
                       unsigned int bytes)
{
	uint8_t random[IMB_KEY_128_BYTES];
	_Alignas(16) uint8_t unused[SL_AES_KEYS_BYTES];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	IMB_AES_KEYEXP_128(manager, random, key->iv, unused);
	explicit_bzero(random, sizeof(random));
	explicit_bzero(unused, sizeof(unused));
	if (bytes == 16)
		IMB_AES_KEYEXP_128(manager, secret, key->encrypt, key->decrypt);
	else
		IMB_AES_KEYEXP_256(manager, secret, key->encrypt, key->decrypt);
	return true;
}

/* As src/forwarding/headers.ts makes it for templates: FNV-1a over addresses and SPI, folded, never 0. */
static uint32_t flow_label(const struct sl_sa_row *row)
{
	const uint8_t spi[4] = {(uint8_t)(row->spi >> 24), (uint8_t)(row->spi >> 16),
	                        (uint8_t)(row->spi >> 8), (uint8_t)row->spi};
	const struct {
		const uint8_t *bytes;
		size_t n;
	} parts[] = {{row->source, 16}, {row->destination, 16}, {spi, sizeof(spi)}};
	uint32_t hash = 0x811c9dc5u;

	if (row->family != 6)
		return 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (size_t at = 0; at < parts[i].n; at++)
			hash = (hash ^ parts[i].bytes[at]) * 0x01000193u;
	hash = (hash ^ hash >> 20) & 0xfffffu;
	return hash == 0 ? 1 : hash;
}

bool sl_sa_key_expand(struct sl_sa_key *key, struct IMB_MGR *manager, const struct sl_sa_row *row)
{
	const struct sl_suite *suite = sl_suite_of(row->algorithm);

	if (suite == NULL)
		return false;
	memset(key, 0, sizeof(*key));
	key->kind = (uint8_t)suite->kind;
	key->esn = row->esn != 0;
	key->front_len = (uint8_t)(SL_ESP_HEADER_LEN + suite->iv);
	key->icv_len = suite->icv;
	key->align = suite->align;
	key->authenticate_only = suite->kind == SL_SUITE_GMAC;
	key->special = key->esn || (suite->kind != SL_SUITE_GCM && suite->kind != SL_SUITE_GMAC);
	key->flow_label = flow_label(row);
	memcpy(key->salt, row->salt, SL_SALT_LEN);
	switch (suite->kind) {
	case SL_SUITE_GCM:
	case SL_SUITE_GMAC:
		expand_gcm(key, manager, row, suite->cipher_key);
		return true;
	case SL_SUITE_CHACHA:
		memcpy(key->chacha, row->key, suite->cipher_key);
		return true;
	case SL_SUITE_CBC:
	case SL_SUITE_NULL:
		break;
	}
	key->hmac.cipher = suite->kind == SL_SUITE_CBC ? IMB_CIPHER_CBC : IMB_CIPHER_NULL;
	key->hmac.cipher_key = suite->cipher_key;
	expand_hmac(&key->hmac, manager, row->key + suite->cipher_key, suite->integrity_key);
	return suite->kind == SL_SUITE_NULL ||
	       expand_cbc(&key->hmac, manager, row->key, suite->cipher_key);
}

struct sl_sa_key *sl_sa_key_new(struct IMB_MGR *manager, const struct sl_sa_row *row)
{
	struct sl_sa_key *key = aligned_alloc(_Alignof(struct sl_sa_key), sizeof(*key));

	if (key != NULL && !sl_sa_key_expand(key, manager, row)) {
		free(key);
		key = NULL;
	}
	return key;
}

void sl_sa_key_free(struct sl_sa_key *key)
{
	if (key == NULL)
		return;
	explicit_bzero(key, sizeof(*key)); /* memset before free may be optimised away */
	free(key);
}
