/* SPDX-License-Identifier: Apache-2.0 */
#include "control/key_check.h"

#include <string.h>

#include <intel-ipsec-mb.h>

#include "net/bytes.h"
#include "sealane/suites.h"

uint64_t sl_key_check(struct IMB_MGR *manager, const struct sl_sa_row *row)
{
	const struct sl_suite *suite = sl_suite_of(row->algorithm);
	uint8_t input[sizeof(row->key) + sizeof(row->salt)];
	uint8_t digest[IMB_SHA256_DIGEST_SIZE_IN_BYTES];
	unsigned int bytes = sl_suite_key_bytes(suite);
	uint64_t check;

	memcpy(input, row->key, bytes);
	memcpy(input + bytes, row->salt, suite->salt);
	IMB_SHA256(manager, input, bytes + suite->salt, digest);
	check = sl_get64(digest);
	explicit_bzero(input, sizeof(input));
	explicit_bzero(digest, sizeof(digest));
	return check != 0 ? check : 1; /* 0 means "no key" in `state` */
}
