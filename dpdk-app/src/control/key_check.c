/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key_check.h"

#include <string.h>

#include "esp/sa_key.h"
#include "net/bytes.h"

uint64_t sl_key_check(struct IMB_MGR *manager, const struct sl_sa_row *row)
{
	uint8_t input[sizeof(row->key) + sizeof(row->salt)];
	uint8_t digest[IMB_SHA256_DIGEST_SIZE_IN_BYTES];
	unsigned int bytes = sl_sa_key_bytes(row->algorithm);
	uint64_t check;

	memcpy(input, row->key, bytes);
	memcpy(input + bytes, row->salt, sizeof(row->salt));
	IMB_SHA256(manager, input, bytes + sizeof(row->salt), digest);
	check = sl_get64(digest);
	explicit_bzero(input, sizeof(input));
	explicit_bzero(digest, sizeof(digest));
	return check != 0 ? check : 1; /* 0 means "no key" in `state` */
}
