/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/sa_key.h"

#include <stdlib.h>
#include <string.h>

unsigned int sl_sa_key_bytes(uint8_t algorithm)
{
	switch (algorithm) {
	case SL_ALG_AES_GCM_128:
	case SL_ALG_AES_GMAC_128:
		return 16;
	case SL_ALG_AES_GCM_256:
	case SL_ALG_AES_GMAC_256:
		return 32;
	default:
		return 0;
	}
}

bool sl_sa_algorithm_known(uint8_t algorithm) { return sl_sa_key_bytes(algorithm) != 0; }

bool sl_sa_key_expand(struct sl_sa_key *key, struct IMB_MGR *manager, const struct sl_sa_row *row)
{
	unsigned int bytes = sl_sa_key_bytes(row->algorithm);

	if (bytes == 0)
		return false;
	memset(key, 0, sizeof(*key));
	if (bytes == 16) {
		IMB_AES128_GCM_PRE(manager, row->key, &key->gcm);
		key->seal = manager->gcm128_enc;
		key->open = manager->gcm128_dec;
	} else {
		IMB_AES256_GCM_PRE(manager, row->key, &key->gcm);
		key->seal = manager->gcm256_enc;
		key->open = manager->gcm256_dec;
	}
	memcpy(key->salt, row->salt, SL_SALT_LEN);
	key->authenticate_only =
		row->algorithm == SL_ALG_AES_GMAC_128 || row->algorithm == SL_ALG_AES_GMAC_256;
	return true;
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
